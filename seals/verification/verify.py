"""Verify everything that is sealed: the trail, the seals, and the readings of every unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge

from django.db import DatabaseError, connection
from django.db.models import Q
from django.utils import timezone

from audit.triggers import changed_definitions, missing_triggers, unknown_triggers
from customers.models import Customer, StorageUnit
from readings.archive_models import ArchiveFile
from readings.models import LateReadings, ReadingRevision
from readings.storage.archive.reading import archived_parts
from readings.storage.archive.state import ArchiveUnavailable
from readings.storage.rollups import EVER
from seals.contents import SealedReading
from seals.models import ChainLink, DaySeal, ReadingBlock
from seals.time_stamps import stored_problems
from seals.transactions import one_snapshot
from seals.unit_days import COLUMNS, ROWS_A_FETCH, day_of, identity, readings_of
from seals.verification.findings import Change, Finding
from seals.verification.roots import KnownRoots, check_known_roots
from seals.verification.seals import verify_seals
from seals.verification.trail import verify_trail
from seals.verification.unit_readings import StoredBlock, UnitRecords, verify_unit

READINGS_OF_UNIT = f"""
SELECT {COLUMNS} FROM reading WHERE storage_unit_id = %s ORDER BY recorded_at, sensor_id
"""  # noqa: S608  constants only
WAITING = f"SELECT {COLUMNS} FROM future_reading AS reading WHERE storage_unit_id = %s"  # noqa: S608  constants only


@dataclass(slots=True)
class Verification:
    """How much was verified so far; complete once `findings` has been consumed."""

    customers: Iterable[Customer]
    includes_system: bool = True
    known_roots: KnownRoots = field(default_factory=dict)
    link_count: int = 0
    seal_count: int = 0
    reading_count: int = 0
    unit_count: int = 0
    unreadable_files: dict[ArchiveFile, ArchiveUnavailable] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        """Yield everything that differs from what was chained and sealed."""
        with one_snapshot():
            yield from verify_trail()
            self.link_count = ChainLink.objects.count()
            for customer_id, name in self._sealed():
                yield from self._verify_customer(customer_id, name)
            for file, error in self.unreadable_files.items():
                yield Finding(Change.UNREADABLE, f"archived readings of {file.month_id:%Y-%m}", str(error))
            yield from check_known_roots(self.known_roots)
            for trigger in missing_triggers():
                yield Finding(Change.DELETED, f"trigger {trigger}", "Changes of this table are not recorded.")
            for unknown in unknown_triggers():
                yield Finding(Change.INSERTED, unknown, "It is not of this system, and may change rows unseen.")
            yield from _changed_definitions()
            for stamp, problem in stored_problems():
                yield Finding(Change.EDITED, f"time stamp of {stamp}", problem)

    def _sealed(self) -> Iterator[tuple[int | None, str]]:
        """Yield whose seals are verified, with a name; with the system those of customers that were deleted."""
        if self.includes_system:
            yield None, "the system"
            deleted = DaySeal.objects.filter(customer_id__isnull=False).exclude(customer_id__in=Customer.objects.all())
            for customer_id in deleted.order_by("customer_id").values_list("customer_id", flat=True).distinct():
                yield customer_id, f"the deleted customer {customer_id}"
        for customer in self.customers:
            yield customer.pk, customer.customer_code

    def _verify_customer(self, customer_id: int | None, name: str) -> Iterator[Finding]:
        units = StorageUnit.objects.filter(Q(facility__customer_id=customer_id)).order_by("id")
        unit_ids = list(units.values_list("id", flat=True))
        yield from verify_seals(customer_id, name, unit_ids)
        seals = DaySeal.of(customer_id)
        self.seal_count += seals.count()
        first, last = seals.first(), seals.last()
        for unit in units.select_related("facility"):
            self.unit_count += 1
            records = UnitRecords(
                unit.pk,
                f"{name} {unit.facility.facility_code} {unit.unit_code} (unit {unit.pk})",
                first_closed_at=first.closed_at if first else None,
                sealed_through=last.day if last else None,
                last_closed_at=last.closed_at if last else None,
            )
            _load(records)
            yield from verify_unit(records, self._counted(self._readings(records)))

    def _readings(self, records: UnitRecords) -> Iterator[SealedReading]:
        """Yield the unit's readings in order of time and sensor, whether they are in the table or in files."""
        return merge(_in_table(records.unit_id), self._in_files(records), key=identity)

    def _in_files(self, records: UnitRecords) -> Iterator[SealedReading]:
        for file, rows in archived_parts(records.unit_id, EVER, timezone.now()):
            # Each is read once: to find out that it is damaged takes as long as to read all of it.
            if file not in self.unreadable_files:
                try:
                    yield from readings_of(rows())
                    continue
                except ArchiveUnavailable as error:
                    self.unreadable_files[file] = error
            records.unreadable_months.add(file.month_id)

    def _counted(self, readings: Iterator[SealedReading]) -> Iterator[SealedReading]:
        for reading in readings:
            self.reading_count += 1
            yield reading


def _changed_definitions() -> Iterator[Finding]:
    try:
        changed = changed_definitions()
    except DatabaseError as error:
        # Such as by a role without the right to temporary tables, or on a standby.
        yield Finding(Change.UNREADABLE, "triggers of the audit trail", f"They cannot be compared: {error}")
        return
    for definition in changed:
        yield Finding(Change.EDITED, definition, "It is not as this version declares it; `migrate` installs it again.")


def _load(records: UnitRecords) -> None:
    """Load what is on record about the unit's readings."""
    unit_id = records.unit_id
    for stored in ReadingBlock.objects.filter(storage_unit_id=unit_id).select_related("seal").iterator():
        records.blocks[stored.day].append(StoredBlock(stored.block, stored.seal.closed_at))
    for late in LateReadings.objects.filter(storage_unit_id=unit_id).iterator():
        records.late_counts[late.day][late.arrived_at] = late.reading_count
    for revision in ReadingRevision.objects.filter(storage_unit_id=unit_id).order_by("id").iterator():
        records.revisions[revision.recorded_at.date()].append(revision)
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [unit_id])
        for reading in map(SealedReading._make, cursor.fetchall()):
            records.waiting[day_of(reading)].append(reading)


def _in_table(unit_id: int) -> Iterator[SealedReading]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(READINGS_OF_UNIT, [unit_id])
        while rows := cursor.fetchmany(ROWS_A_FETCH):
            yield from map(SealedReading._make, rows)
