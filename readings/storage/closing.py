"""When a day of readings is closed, and what arrives after that.

A day of UTC is closed some hours after it has ended. The readings dated in it that arrived before make up its seal, see
`seals.days`; a reading that arrives later is late. Whether one is late follows from its two instants alone, and
the store writes a row of LateReadings for those that are.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from readings.models import LateReadings

# Long enough for sources that deliver every few hours, short enough for the seal to exist when the next shift begins.
CLOSES_AFTER = timedelta(hours=6)
_DAY = timedelta(days=1)


def start_of(day: date) -> datetime:
    """Return the first instant of this day of UTC."""
    return datetime.combine(day, time(), UTC)


def closes_at(day: date) -> datetime:
    """Return the instant at which this day is closed: what arrives at it or later is late."""
    return start_of(day) + _DAY + CLOSES_AFTER


def first_day_closing_after(instant: datetime) -> date:
    """Return the first day that is still open at `instant`."""
    return (instant.astimezone(UTC) - CLOSES_AFTER).date()


# Follows UPSERT's `quarter`: readings of one unit and quarter of an hour, which all arrive at the statement's time.
# Quarters do not cross days. It costs nothing to speak of where nothing is late.
KEEP_LATE = f"""
late AS (
    INSERT INTO {LateReadings._meta.db_table} (storage_unit_id, day, arrived_at, reading_count)
    SELECT storage_unit_id, (starts_at AT TIME ZONE 'UTC')::date, statement_timestamp(), sum(reading_count)
    FROM quarter
    WHERE date_trunc('day', starts_at, 'UTC') + interval '{int((_DAY + CLOSES_AFTER).total_seconds())} seconds'
        <= statement_timestamp()
    GROUP BY 1, 2
)"""  # noqa: S608  constants only
