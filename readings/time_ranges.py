"""Periods, cut into whole local days, whole UTC hours and remainders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from readings.storage.local_days import day_of, start_of_day

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


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

    @property
    def middle(self) -> datetime:
        """The instant in its middle."""
        return self.start + (self.end - self.start) / 2


@dataclass(frozen=True, slots=True)
class Days:
    """The local dates from `first` up to, but not including, `end`."""

    first: date
    end: date


def cut_days(time_range: TimeRange, zone: ZoneInfo) -> tuple[Days, list[TimeRange]]:
    """Return the whole local days within `time_range`, and the remainders before and after them."""
    first = day_of(time_range.start, zone)
    if start_of_day(first, zone) < time_range.start:
        first += DAY
    end = day_of(time_range.end, zone)
    if first >= end:
        return Days(first, first), [] if time_range.is_empty else [time_range]
    ends = [TimeRange(time_range.start, start_of_day(first, zone)), TimeRange(start_of_day(end, zone), time_range.end)]
    return Days(first, end), [rest for rest in ends if not rest.is_empty]


def cut_hours(time_range: TimeRange) -> tuple[TimeRange, list[TimeRange]]:
    """Return the whole UTC hours within `time_range`, and the remainders before and after them."""
    first, end = hour_from(time_range.start), hour_of(time_range.end)
    if first >= end:
        return TimeRange(first, first), [] if time_range.is_empty else [time_range]
    rests = [TimeRange(time_range.start, first), TimeRange(end, time_range.end)]
    return TimeRange(first, end), [rest for rest in rests if not rest.is_empty]


def split_at_hours(rest: TimeRange) -> list[TimeRange]:
    """Return the parts of a remainder of `cut_hours`, which is shorter than two hours, in each UTC hour it touches."""
    change = hour_of(rest.end)
    if not rest.start < change < rest.end:
        return [rest]
    return [TimeRange(rest.start, change), TimeRange(change, rest.end)]


def hour_of(instant: datetime) -> datetime:
    """Return the UTC hour in which an instant lies."""
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_from(instant: datetime) -> datetime:
    """Return the first UTC hour that begins at an instant or later."""
    hour = hour_of(instant)
    return hour if hour == instant else hour + HOUR
