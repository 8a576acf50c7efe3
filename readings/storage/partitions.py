"""The monthly partitions of `reading`, created ahead by a task and on demand by the store, and closed afterwards.

There is no default partition: a row for a month without a partition is an error that must not go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from core.db.prepared import Prepared

MONTHS_AHEAD = 3
# After a month, most of what belongs to it has arrived.
CLOSED_AFTER = timedelta(days=7)
EXISTING = Prepared("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'reading'::regclass")
OPEN = Prepared("""
SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'reading'::regclass AND NOT coalesce('autovacuum_vacuum_insert_threshold=0' = ANY(reloptions), false)
""")
# Serialises the creation of partitions, so that two storing transactions that miss the same month do not collide.
PARTITIONS_LOCK = 7_202_611


def month_start(instant: datetime) -> datetime:
    """Return the first instant of the UTC month of `instant`."""
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_of(text: str) -> date:
    """Return the first day of a month written like 2024-03. Raise ValueError."""
    return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()


def next_month(start: datetime) -> datetime:
    """Return the first instant of the month after the one that begins at `start`."""
    return month_start(start + timedelta(days=32))


def months_between(first: datetime, last: datetime) -> list[datetime]:
    """Return the starts of all UTC months from that of `first` to that of `last`, both included."""
    months = [month_start(first)]
    while months[-1] < month_start(last):
        months.append(next_month(months[-1]))
    return months


def partition_name(start: datetime) -> str:
    """Return the name of the partition of the month that begins at `start`."""
    return f"reading_{start:%Y_%m}"


def existing_partitions() -> set[str]:
    """Return the names of the partitions that are attached to `reading`."""
    return {name for (name,) in EXISTING.rows()}


def ensure_partitions(months: Iterable[datetime]) -> list[str]:
    """Create the missing partitions of `months` (starts of UTC months); return their names.

    Safe inside a storing transaction: a table is created separately and then attached to `reading`, which does not
    block other inserts. If two transactions miss the same month, the second waits for the first to commit.
    """
    wanted = {partition_name(start): start for start in months}
    if not wanted.keys() - existing_partitions():
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITIONS_LOCK])
        missing = sorted(wanted.keys() - existing_partitions())
        for name in missing:
            # A function with the rights of the table's owner, which the application's own role may not have.
            cursor.execute("SELECT make_reading_partition(%s, %s, %s)", [name, wanted[name], next_month(wanted[name])])
    return missing


def ensure_partitions_ahead(now: datetime | None = None) -> list[str]:
    """Create the partitions from this month to `MONTHS_AHEAD` months on; return the names created."""
    now = now or timezone.now()
    return ensure_partitions(months_between(now, now + timedelta(days=31 * MONTHS_AHEAD)))


def close_partitions(now: datetime | None = None) -> list[str]:
    """Let autovacuum freeze the last rows of months that ended a week ago; return the names of their partitions.

    A partition that is filling is vacuumed after each twentieth of growth, see the migration; one that is closed, after
    any row that still arrives.
    """
    now = now or timezone.now()
    newest = partition_name(month_start(now - CLOSED_AFTER))
    closed = sorted(name for (name,) in OPEN.rows() if name < newest)
    with transaction.atomic(), connection.cursor() as cursor:
        for name in closed:
            cursor.execute("SELECT close_reading_partition(%s)", [name])
    return closed


def missing_partitions(now: datetime | None = None) -> list[str]:
    """Return the names of this and the next month's partitions that do not exist, for the health check."""
    now = now or timezone.now()
    wanted = (partition_name(start) for start in (month_start(now), next_month(now)))
    return sorted(set(wanted) - existing_partitions())
