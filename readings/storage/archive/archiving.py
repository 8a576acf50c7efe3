"""Archiving a month: write its readings to files, compare, and exchange its partition for an empty one.

1. The readings of the month are written to files, range of units by range of units, and every file is read again and
   compared: number and sums as PostgreSQL computes them, and a hash of all values.
2. In one short transaction the table is locked, and if nothing of the month was stored or changed since the beginning,
   its partition is detached and replaced by an empty one, and the files take effect. It waits at most LOCK_TIMEOUT_MS
   for the lock, during which others wait behind it; if it does not get it, it tries again later.
3. The detached partition is dropped.

Stopped anywhere, the month is either in the table or in the files, and the next run does the rest. An archived month
whose empty partition has got readings, late ones or those of recalled units, is archived the same way: only the files
of those units are replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import F

from audit.events import record_event
from audit.models import AuditEntry
from core.db.clock import database_now
from core.db.conflicts import pgcode_of
from readings.archive_models import ArchivedMonth, ArchiveFile, RecalledUnit
from readings.storage.archive import files
from readings.storage.archive.files import write as write_file
from readings.storage.archive.leftovers import drop_detached, lock_archiving, remove_unused_files
from readings.storage.archive.rows import Sums, content_hash, fetch, sort, sums
from readings.storage.archive.state import (
    ARCHIVED_AFTER,
    CannotArchive,
    MonthState,
    NotVerified,
    NotYet,
    live_files,
    lock_table,
    recalled_units,
)
from readings.storage.closing import start_of
from readings.storage.measures import NINTH_MICRO
from readings.storage.partitions import ensure_partitions, next_month, partition_name

logger = structlog.get_logger(__name__)

ROWS_A_FILE = 1_000_000
LOCK_TIMEOUT_MS = 300
LOCK_ATTEMPTS = 10
SECONDS_BETWEEN_ATTEMPTS = 3.0
_LOCK_NOT_AVAILABLE = "55P03"
_FIRST_ID, _LAST_ID = -(2**31), 2**31 - 1

# Of a month, by its first day: why it cannot be archived yet, None if it can.
Objection = Callable[[date], str | None]

_IN_MONTH = "recorded_at >= %s AND recorded_at < %s"
COUNT_OF_UNITS = f"SELECT storage_unit_id, count(*) FROM reading WHERE {_IN_MONTH} GROUP BY 1 ORDER BY 1"  # noqa: S608
SUMS = f"""
SELECT count(*), count(*) - count(temperature_c), coalesce(sum((temperature_c * {NINTH_MICRO})::bigint), 0)::bigint
FROM reading WHERE {_IN_MONTH} AND storage_unit_id BETWEEN %s AND %s
"""  # noqa: S608  constants only
# What changes with every reading of a closed day that is stored, replaced, withdrawn or recalled.
CHANGES = """
SELECT
    (SELECT count(*) FROM late_readings WHERE day >= %(month)s AND day < %(end)s),
    (SELECT count(*) FROM reading_revision WHERE recorded_at >= %(start)s AND recorded_at < %(until)s),
    (SELECT array_agg(storage_unit_id ORDER BY storage_unit_id) FROM recalled_unit WHERE month_id = %(month)s),
    (SELECT version FROM archived_month WHERE month = %(month)s)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What archiving a month did. reading_count: of the files that were written."""

    month: date
    reading_count: int
    byte_count: int
    file_count: int


@dataclass(slots=True)
class _Prepared:
    """Files that were written and verified, the files they replace, and the state they were written from."""

    changes: object
    new: list[ArchiveFile] = field(default_factory=list)
    replaced: list[ArchiveFile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _UnitRange:
    first: int
    last: int


def archive_month(month: date, objection_to: Objection | None = None) -> Outcome:
    """Archive the month that begins with this day; see the module's docstring.

    A month that is archived, and of which nothing is in the table, remains as it is. `objection_to` is asked about what
    is archived: whatever is stored after that ends the run. Raise AlreadyArchiving, CannotArchive, NotVerified, or
    ArchiveUnavailable if a file is needed that cannot be read.
    """
    month = month.replace(day=1)
    _refuse_too_new(month)
    ArchivedMonth.objects.get_or_create(month=month)
    drop_detached(month)
    with transaction.atomic():
        lock_archiving()
        state = _state_of(month)
        remove_unused_files(month)
        prepared = _Prepared(changes_of(month))
        # After that look at the changes: what had been stored by then is seen, what is stored later is one.
        if objection_to is not None and (objection := objection_to(month)) is not None:
            raise NotYet(f"{month:%Y-%m} cannot be archived yet: {objection}")
        _write_files(state, prepared)
        if prepared.new or prepared.replaced:
            _exchange(state, prepared)
    drop_detached(month)
    outcome = Outcome(
        month,
        reading_count=sum(file.reading_count for file in prepared.new),
        byte_count=sum(file.byte_count for file in prepared.new),
        file_count=len(prepared.new),
    )
    logger.info("readings archived", month=f"{month:%Y-%m}", readings=outcome.reading_count, files=outcome.file_count)
    return outcome


def _state_of(month: date) -> MonthState:
    stored = ArchivedMonth.objects.get(month=month)
    return MonthState(stored.month, stored.version, stored.is_archived)


def _refuse_too_new(month: date) -> None:
    if database_now() < next_month(start_of(month)) + ARCHIVED_AFTER:
        raise CannotArchive(
            f"{month:%Y-%m} is too new to be archived: a month must have ended {ARCHIVED_AFTER.days} days ago."
        )


def _write_files(state: MonthState, prepared: _Prepared) -> None:
    """Write and verify the files of the month. Whatever is stored meanwhile is noticed when they are to take effect."""
    stored = _counts_of_units(state)
    if not stored and not recalled_units(state.month):
        return
    for unit_range, present in _files_to_replace(state, set(stored)):
        prepared.replaced += present
        prepared.new += _write_range(state, unit_range, present, stored)


def _files_to_replace(state: MonthState, unit_ids: set[int]) -> list[tuple[_UnitRange, list[ArchiveFile]]]:
    """Return the ranges of units whose files are to be rewritten, with their present files."""
    present = live_files(state.month) if state.is_archived else []
    if not present:
        return [(_UnitRange(_FIRST_ID, _LAST_ID), [])]
    changed = unit_ids | recalled_units(state.month)
    return [
        (_UnitRange(file.first_unit_id, file.last_unit_id), [file])
        for file in present
        if any(file.first_unit_id <= unit_id <= file.last_unit_id for unit_id in changed)
    ]


def _write_range(
    state: MonthState, unit_range: _UnitRange, present: list[ArchiveFile], stored: dict[int, int]
) -> list[ArchiveFile]:
    """Write the files of a range of units: what the present ones hold, and what is in the table instead or besides."""
    kept = _kept_rows(state, present)
    counts = {unit_id: count for unit_id, count in stored.items() if unit_range.first <= unit_id <= unit_range.last}
    for unit_id, count in kept.group_by("storage_unit_id").len().rows():
        counts[unit_id] = counts.get(unit_id, 0) + count
    written = []
    for part in _parts(unit_range, counts):
        rows = fetch(f"{_IN_MONTH} AND storage_unit_id BETWEEN %s AND %s", [*_bounds(state), part.first, part.last])
        _compare_with_table(state, part, rows)
        own_kept = kept.filter(pl.col("storage_unit_id").is_between(part.first, part.last))
        if len(own_kept):
            rows = sort(pl.concat([rows, own_kept]))
        written.append(_write_verified(state, part, rows))
    return written


def _kept_rows(state: MonthState, present: list[ArchiveFile]) -> pl.DataFrame:
    """Return the rows of the present files of units that are not recalled."""
    recalled = recalled_units(state.month)
    rows = [files.read(file, None, state.start, state.last) for file in present]
    return pl.concat(rows or [fetch("false", [])]).filter(~pl.col("storage_unit_id").is_in(recalled))


def _parts(unit_range: _UnitRange, counts: dict[int, int]) -> Iterator[_UnitRange]:
    """Yield ranges of units with about ROWS_A_FILE readings each, which together cover the range."""
    first, count = unit_range.first, 0
    for unit_id in sorted(counts):
        if count and count + counts[unit_id] > ROWS_A_FILE:
            yield _UnitRange(first, unit_id - 1)
            first, count = unit_id, 0
        count += counts[unit_id]
    yield _UnitRange(first, unit_range.last)


def _compare_with_table(state: MonthState, part: _UnitRange, rows: pl.DataFrame) -> None:
    """Compare the rows that were read with the sums that PostgreSQL computes. Raise NotVerified."""
    with connection.cursor() as cursor:
        cursor.execute(SUMS, [*_bounds(state), part.first, part.last])
        expected = Sums(*cursor.fetchone())
    if sums(rows) != expected:
        # The message is for the health check, which everybody can read.
        logger.error("readings differ from the table", month=f"{state.month:%Y-%m}", read=sums(rows), table=expected)
        raise NotVerified(
            f"What was read of {state.month:%Y-%m} is not what the table holds; nothing was changed. The logs say more."
        )


def _write_verified(state: MonthState, part: _UnitRange, rows: pl.DataFrame) -> ArchiveFile:
    """Write a file, read it again and compare."""
    written = write_file(state.month, part.first, rows)
    found = files.read(written, None, state.start, state.last)
    if sums(found) != sums(rows) or content_hash(found) != content_hash(rows):
        raise NotVerified(f"The file {written.name} does not hold the readings that were written to it.")
    of_file = sums(rows)
    return ArchiveFile(
        month_id=state.month,
        first_unit_id=part.first,
        last_unit_id=part.last,
        name=written.name,
        byte_count=written.byte_count,
        sha256=written.sha256,
        unit_count=rows["storage_unit_id"].n_unique(),
        reading_count=of_file.reading_count,
        fault_count=of_file.fault_count,
        sum_ninth_micro_c=of_file.sum_ninth_micro_c,
    )


def _exchange(state: MonthState, prepared: _Prepared) -> None:
    """Let the files take effect and replace the partition by an empty one, trying several times to get the lock."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            _exchange_now(state, prepared)
        except OperationalError as error:
            if pgcode_of(error) != _LOCK_NOT_AVAILABLE:
                raise
            if attempt == LOCK_ATTEMPTS:
                raise CannotArchive(
                    f"{state.month:%Y-%m} was not archived: others used the readings all the time. The next run tries"
                    " again."
                ) from error
            time.sleep(SECONDS_BETWEEN_ATTEMPTS)
        else:
            return


@transaction.atomic
def _exchange_now(state: MonthState, prepared: _Prepared) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        lock_table("ACCESS EXCLUSIVE")
        if changes_of(state.month) != prepared.changes:
            raise CannotArchive(
                f"Readings of {state.month:%Y-%m} were stored or changed while it was archived. The next run tries"
                " again."
            )
        ensure_partitions([state.start])
        cursor.execute(
            "SELECT detach_reading_partition(%s, %s, %s)",
            [partition_name(state.start), state.start, next_month(state.start)],
        )
    now = database_now()
    ArchiveFile.objects.filter(pk__in=[file.pk for file in prepared.replaced]).update(replaced_at=now)
    # A stopped run may have recorded a file of this name; files are named by their content.
    ArchiveFile.objects.filter(name__in=[file.name for file in prepared.new]).delete()
    for file in prepared.new:
        file.written_at = now
    ArchiveFile.objects.bulk_create(prepared.new)
    RecalledUnit.objects.filter(month_id=state.month).delete()
    ArchivedMonth.objects.filter(month=state.month).update(
        is_archived=True, version=F("version") + 1, changed_at=now, restored_until=None, problem="", failed_at=None
    )
    record_event(
        AuditEntry.Action.ARCHIVED,
        model="readings.reading",
        label=f"readings of {state.month:%Y-%m}",
        object_id=f"{state.month:%Y-%m}",
        details={
            "month": f"{state.month:%Y-%m}",
            "files": [
                {"name": file.name, "sha256": file.sha256, "reading_count": file.reading_count} for file in prepared.new
            ],
        },
    )


def changes_of(month: date) -> object:
    """Return what is different once readings of the month were stored, changed or recalled."""
    start = start_of(month)
    with connection.cursor() as cursor:
        cursor.execute(
            CHANGES, {"month": month, "end": next_month(start).date(), "start": start, "until": next_month(start)}
        )
        row: object = cursor.fetchone()
    return row


def _counts_of_units(state: MonthState) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_OF_UNITS, _bounds(state))
        return dict(cursor.fetchall())


def _bounds(state: MonthState) -> list[datetime]:
    return [state.start, next_month(state.start)]
