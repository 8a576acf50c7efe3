"""Periods, cut into whole local days, whole UTC hours and remainders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from readings.storage.reading_batch import microseconds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
_EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A period from `start` up to, but not including, `end`; both aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"A period can't end ({self.end}) before it starts ({self.start}).")

    @property
    def is_empty(self) -> bool:
        """Whether it has no length."""
        return self.start == self.end


@dataclass(frozen=True, slots=True)
class Days:
    """The local dates from `first` up to, but not including, `end`."""

    first: date
    end: date


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which the local date begins; where clocks skip midnight, the first one after."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def starts_of_days_us(days: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return `start_of_day` of many ordered dates (days since 1970) in microseconds since 1970."""
    if not len(days):
        return days
    first, last = (_EPOCH_DAY + DAY * int(day) for day in (days[0], days[-1]))
    starts = np.concatenate([_starts_in_year_us(year, zone) for year in range(first.year, last.year + 1)])
    return starts[days - (date(first.year, 1, 1) - _EPOCH_DAY).days]


@lru_cache(maxsize=1_000)
def _starts_in_year_us(year: int, zone: ZoneInfo) -> NDArray[np.int64]:
    first = date(year, 1, 1)
    days = [first + DAY * number for number in range((date(year + 1, 1, 1) - first).days)]
    return np.array([microseconds_of(start_of_day(day, zone)) for day in days], np.int64)


def cut_days(time_range: TimeRange, zone: ZoneInfo) -> tuple[Days, list[TimeRange]]:
    """Return the whole local days within `time_range`, and the remainders before and after them."""
    first = time_range.start.astimezone(zone).date()
    if start_of_day(first, zone) < time_range.start:
        first += DAY
    end = time_range.end.astimezone(zone).date()
    if first >= end:
        return Days(first, first), [] if time_range.is_empty else [time_range]
    ends = [TimeRange(time_range.start, start_of_day(first, zone)), TimeRange(start_of_day(end, zone), time_range.end)]
    return Days(first, end), [rest for rest in ends if not rest.is_empty]


def cut_hours(time_range: TimeRange) -> tuple[TimeRange, list[TimeRange]]:
    """Return the whole UTC hours within `time_range`, and the remainders before and after them."""
    first, end = _hour_from(time_range.start), _hour_of(time_range.end)
    if first >= end:
        return TimeRange(first, first), [] if time_range.is_empty else [time_range]
    rests = [TimeRange(time_range.start, first), TimeRange(end, time_range.end)]
    return TimeRange(first, end), [rest for rest in rests if not rest.is_empty]


def _hour_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_from(instant: datetime) -> datetime:
    hour = _hour_of(instant)
    return hour if hour == instant else hour + HOUR
