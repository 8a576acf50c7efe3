"""Export a customer's seals with everything that they cover, to be checked without this system.

The archive holds JSON lines and CSV in the order in which they are hashed, and the program that checks them,
`verify_export.py`. docs/tamper-evidence.md describes its files.
"""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

from django.db import connection

from customers.models import Customer, Sensor, StorageUnit
from seals import verify_export
from seals.chain import ENTRY_COLUMNS, ENTRY_TEXTS
from seals.models import DaySeal, ReadingBlock, TimeStamp
from seals.revision_content import REVISION_COLUMNS, revision_texts, revisions_between
from seals.time_stamps import proof_of
from seals.transactions import one_snapshot
from seals.unit_days import sealed_readings

Line = dict[str, object]
READING_COLUMNS = (
    "seal",
    "block",
    "storage_unit_id",
    "recorded_at_us",
    "sensor_id",
    "arrived_at_us",
    "temperature_c",
    "quality_score",
    "equipment_status_id",
    "scale",
)
ENTRIES_OF_SEAL = f"""
SELECT {ENTRY_TEXTS} FROM audit_chain_link AS link LEFT JOIN audit_entry AS entry ON entry.id = link.entry_id
WHERE link.customer_id IS NOT DISTINCT FROM %(customer_id)s
    AND link.position > %(after)s AND link.position <= %(through)s
ORDER BY link.position
"""  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class SealInOrder:
    """A seal with what the one before it covers already."""

    seal: DaySeal
    since: datetime | None
    after_position: int


def write_export(customer: Customer, seals: Iterable[DaySeal], file: BinaryIO) -> int:
    """Write the customer's seals, which follow one another, with what they cover; return their number."""
    with one_snapshot(), ZipFile(file, "w", ZIP_DEFLATED) as archive:
        ordered = list(_in_order(customer, seals))
        archive.writestr("verify_export.py", Path(verify_export.__file__).read_bytes())
        archive.writestr("names.json", json.dumps(_names(customer), ensure_ascii=False, indent=1))
        _write_lines(archive, "seals.jsonl", (_seal_line(each.seal) for each in ordered))
        _write_lines(archive, "blocks.jsonl", (line for each in ordered for line in _block_lines(each.seal)))
        _write_readings(archive, [each.seal for each in ordered])
        _write_lines(archive, "revisions.jsonl", (line for each in ordered for line in _revision_lines(customer, each)))
        _write_lines(archive, "entries.jsonl", (line for each in ordered for line in _entry_lines(each)))
        _write_lines(archive, "time_stamps.jsonl", _stamp_lines([each.seal for each in ordered]))
    return len(ordered)


def _in_order(customer: Customer, seals: Iterable[DaySeal]) -> Iterator[SealInOrder]:
    before: DaySeal | None = None
    for seal in seals:
        if before is None:
            before = DaySeal.of(customer.pk).filter(sequence=seal.sequence - 1).first()
        yield SealInOrder(seal, before.closed_at if before else None, before.chain_position if before else 0)
        before = seal


def _names(customer: Customer) -> dict[str, object]:
    """Return the names behind the ids, for people; they are not sealed."""
    units = StorageUnit.objects.filter(facility__customer=customer).select_related("facility").order_by("id")
    sensors = Sensor.objects.filter(storage_unit__in=units).order_by("id")
    return {
        "customer": {"id": customer.pk, "code": customer.customer_code, "name": customer.name},
        "units": {unit.pk: f"{unit.facility.facility_code} {unit.unit_code} {unit.name}".strip() for unit in units},
        "sensors": {sensor.pk: sensor.sensor_code for sensor in sensors},
    }


def _seal_line(seal: DaySeal) -> Line:
    return {
        "content": seal.content.values(),
        "previous_root": bytes(seal.previous_root).hex(),
        "root": bytes(seal.root).hex(),
    }


def _block_lines(seal: DaySeal) -> Iterator[Line]:
    for stored in ReadingBlock.objects.filter(seal=seal).order_by("position").iterator():
        yield {"seal": seal.sequence, "block": stored.position, "content": stored.block.values()}


def _revision_lines(customer: Customer, ordered: SealInOrder) -> Iterator[Line]:
    units = StorageUnit.objects.filter(facility__customer=customer).values_list("id", flat=True)
    for revision in revisions_between(list(units), ordered.since, ordered.seal.closed_at):
        yield _record_line(ordered.seal, REVISION_COLUMNS, revision_texts(revision))


def _entry_lines(ordered: SealInOrder) -> Iterator[Line]:
    seal = ordered.seal
    with connection.cursor() as cursor:
        cursor.execute(
            ENTRIES_OF_SEAL,
            {"customer_id": seal.customer_id, "after": ordered.after_position, "through": seal.chain_position},
        )
        for texts in cursor.fetchall():
            yield _record_line(seal, ENTRY_COLUMNS, texts)


def _stamp_lines(seals: Iterable[DaySeal]) -> Iterator[Line]:
    """Yield, for each seal that has one, its time stamp and what leads from its root to the one that was stamped."""
    for seal in seals:
        stamp = TimeStamp.objects.filter(last_seal_id__gte=seal.pk).order_by("last_seal_id").first()
        if stamp is not None:
            token = b64encode(bytes(stamp.token)).decode()
            yield {"seal": seal.sequence, **proof_of(seal, stamp), "at": stamp.stamped_at.isoformat(), "token": token}


def _record_line(seal: DaySeal, columns: Iterable[str], texts: Iterable[str | None]) -> Line:
    content = {name: text for name, text in zip(columns, texts, strict=True) if text is not None}
    return {"seal": seal.sequence, "content": content}


def _write_lines(archive: ZipFile, name: str, lines: Iterable[Line]) -> None:
    with archive.open(name, "w") as member:
        for line in lines:
            member.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def _write_readings(archive: ZipFile, seals: Iterable[DaySeal]) -> None:
    """Write the readings of all blocks as they were sealed, a block at a time."""
    with archive.open("readings.csv", "w") as member, io.TextIOWrapper(member, "utf-8", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(READING_COLUMNS)
        for seal in seals:
            for stored in ReadingBlock.objects.filter(seal=seal).order_by("position").iterator():
                for reading in sealed_readings(stored.block.key, seal.closed_at):
                    rows.writerow([seal.sequence, stored.position, *reading])
