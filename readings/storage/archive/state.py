"""Where the readings of a time are: which of its months are archived, in which files, except of which units.

Months may be archived once they ended ARCHIVED_AFTER ago. Whatever is newer is read and written without a look at the
archive; of older times a lookup in a small table shows whether any is archived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.utils import timezone

from core.db.conflicts import DataUnavailable
from core.db.replica import read_connection
from readings.archive_models import ArchivedMonth, ArchiveFile, RecalledUnit
from readings.storage.closing import start_of
from readings.storage.partitions import month_start, next_month

ARCHIVED_AFTER = timedelta(days=32)
# Clocks of machines differ: what is older than this is looked up.
LOOKED_UP_AFTER = timedelta(days=31)
_MICROSECOND = timedelta(microseconds=1)
# Beyond these no month is archived; Python's own bounds cannot be shifted to another zone.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

# Restored months are among them: one that was restored meanwhile must be noticed, too.
MONTHS = """
SELECT month, version, is_archived FROM archived_month
WHERE version > 0 AND month BETWEEN %s::date AND %s::date ORDER BY month
"""
# Restoring locks the row of its month.
HOLD = (
    "SELECT month, version, is_archived FROM archived_month WHERE month = ANY(%s) AND is_archived ORDER BY 1 FOR SHARE"
)


class ArchiveError(Exception):
    """Something about the archive that people have to know; the message says what happened and what to do."""


class ArchiveUnavailable(ArchiveError, DataUnavailable):  # noqa: N818 - reads better where it is caught
    """Archived readings are needed that cannot be read: a file is missing, damaged or out of reach."""


class StorageOut(ArchiveUnavailable):
    """The storage of the files does not do what it is asked to."""


class ArchiveBusy(ArchiveError, DataUnavailable):  # noqa: N818 - reads better where it is caught
    """What was read was archived or restored meanwhile, several times: try again."""


class NotVerified(ArchiveError):  # noqa: N818 - reads better where it is caught
    """A file does not hold what the table does. Nothing was changed."""


class AlreadyArchiving(ArchiveError):  # noqa: N818 - reads better where it is caught
    """Another run is archiving."""


class CannotArchive(ArchiveError):  # noqa: N818 - reads better where it is caught
    """The month cannot be archived, or restored, now; the message says why."""


class NotYet(CannotArchive):
    """Something keeps the month in the table for now, as usual; the message says what, and may name a customer."""


@dataclass(frozen=True, slots=True)
class MonthState:
    """A month and the version of where its readings are."""

    month: date
    version: int
    is_archived: bool

    @property
    def start(self) -> datetime:
        """The first instant of the month."""
        return start_of(self.month)

    @property
    def last(self) -> datetime:
        """The last instant of the month."""
        return next_month(self.start) - _MICROSECOND


def may_be_archived(instant: datetime) -> bool:
    """Return whether readings of this instant may be archived."""
    return instant < timezone.now() - LOOKED_UP_AFTER


def month_states(first: datetime, last: datetime) -> list[MonthState]:
    """Return the months that are or were archived and hold any instant from `first` to `last`.

    At most one query, of a table with a row for each such month. It bypasses Django's query log: whether a test's
    readings are old enough for it depends on the day on which the test runs.
    """
    if first > last or not may_be_archived(first):
        return []
    low, high = month_start(max(first, _EARLIEST)).date(), min(last, _LATEST).astimezone(UTC).date()
    connection = read_connection()
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(MONTHS, [low, high])
        return [MonthState(*row) for row in cursor.fetchall()]


def lock_table(mode: str) -> None:
    """Keep months from being archived until the transaction ends, by a lock on the table of readings.

    It bypasses Django's query log like `month_states`, before which it is taken.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE ONLY reading IN {mode} MODE")


def hold_archived(months: Iterable[MonthState]) -> list[MonthState]:
    """Return those of these months that are archived, and keep them from being restored until the transaction ends.

    Waits for restorations that have begun.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [[state.month for state in months]])
        return [MonthState(*row) for row in cursor.fetchall()]


def live_files(month: date) -> list[ArchiveFile]:
    """Return the files that hold the month, in order of units."""
    return list(ArchiveFile.objects.filter(month_id=month, replaced_at=None).order_by("first_unit_id"))


def recalled_units(month: date) -> set[int]:
    """Return the units whose readings of the month are in the table."""
    return set(RecalledUnit.objects.filter(month_id=month).values_list("storage_unit_id", flat=True))


def files_with(month: date, unit_ids: Collection[int]) -> Iterator[tuple[ArchiveFile, list[int]]]:
    """Yield the files of a month that hold readings of these units, with those of the units that are not recalled."""
    recalled = recalled_units(month)
    wanted = sorted(set(unit_ids) - recalled)
    if not wanted:
        return
    for file in live_files(month):
        own = [unit_id for unit_id in wanted if file.first_unit_id <= unit_id <= file.last_unit_id]
        if own:
            yield file, own


def archived_months() -> list[ArchivedMonth]:
    """Return the months that are archived, the oldest first."""
    return list(ArchivedMonth.objects.filter(is_archived=True).order_by("month"))
