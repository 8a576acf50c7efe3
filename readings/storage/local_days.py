"""The local days of facilities, in Python and in SQL.

A local day lies between two boundaries, for every row and every query: it begins at the first instant at which clocks
show its date (or a later one, where they skip it) and ends where the next day begins. So where clocks go back past
midnight, as in St. John's from 00:01 to 23:01 until 2010, the hour that recurs belongs to the day that had begun by
then; where midnight itself recurs, as in Havana, the day begins with the first one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from readings.storage.reading_batch import microseconds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPOCH_DAY = date(1970, 1, 1)
_DAY = timedelta(days=1)
_DAY_US = 86_400_000_000
# No clock has gone back by more than three hours since 2000: before this time of day no date recurs.
_DATES_RECUR_FROM = "20:00"


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first UTC instant at which clocks in `zone` show this date, or a later one if they skip it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    """Return the local date between whose start and end the instant lies."""
    date_on_clocks = instant.astimezone(zone).date()
    following = date_on_clocks + _DAY
    return following if instant >= start_of_day(following, zone) else date_on_clocks


def starts_of_days_us(days: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return `start_of_day` of many ordered dates (days since 1970) in microseconds since 1970."""
    if not len(days):
        return days
    first, last = (_EPOCH_DAY + _DAY * int(day) for day in (days[0], days[-1]))
    starts = np.concatenate([_starts_in_year_us(year, zone) for year in range(first.year, last.year + 1)])
    return starts[days - (date(first.year, 1, 1) - _EPOCH_DAY).days]


def days_of_us(instants_us: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return `day_of` of many instants in microseconds since 1970, as days since 1970."""
    if not len(instants_us):
        return instants_us
    # Clocks are at most a day ahead of UTC or behind it.
    first, last = int(instants_us.min()) // _DAY_US - 1, int(instants_us.max()) // _DAY_US + 1
    starts = starts_of_days_us(np.arange(first, last + 1), zone)
    return first + np.searchsorted(starts, instants_us, side="right") - 1


@lru_cache(maxsize=1_000)
def _starts_in_year_us(year: int, zone: ZoneInfo) -> NDArray[np.int64]:
    first = date(year, 1, 1)
    days = [first + _DAY * number for number in range((date(year + 1, 1, 1) - first).days)]
    return np.array([microseconds_of(start_of_day(day, zone)) for day in days], np.int64)


def start_of_day_sql(day: str, zone: str) -> str:
    """Return SQL for the instant at which a local date begins; `day` and `zone` are expressions.

    PostgreSQL takes the last of several midnights. The first one is as far from it as the clocks went back, which shows
    a day before: an offset applied until then.
    """
    last = f"({day}::timestamp AT TIME ZONE {zone})"
    day_before = f"({last} - interval '24 hours')"
    by_offset_before = f"({day_before} + ({day}::timestamp - {day_before} AT TIME ZONE {zone}))"
    return f"""CASE WHEN {by_offset_before} AT TIME ZONE {zone} = {day}::timestamp
        THEN least({by_offset_before}, {last}) ELSE {last} END"""


def day_of_sql(instant: str, zone: str) -> str:
    """Return SQL for the local date to which an instant belongs; `instant` and `zone` are expressions."""
    wall_time = f"({instant} AT TIME ZONE {zone})"
    following = f"({wall_time}::date + 1)"
    return f"""CASE WHEN {wall_time}::time < '{_DATES_RECUR_FROM}' OR {instant} < {start_of_day_sql(following, zone)}
        THEN {wall_time}::date ELSE {following} END"""
