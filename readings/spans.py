"""Cutting a period into whole local days, whole UTC hours and ragged ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to, but not including, `end`; both aware."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"A period can't end ({self.end}) before it starts ({self.start}).")

    @property
    def is_empty(self) -> bool:
        return self.start == self.end


@dataclass(frozen=True, slots=True)
class Days:
    """The local dates from `first` up to, but not including, `end`."""

    first: date
    end: date


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which the local date begins, in UTC. Where clocks skip midnight, the first instant after it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def cut_days(span: Span, zone: ZoneInfo) -> tuple[Days, list[Span]]:
    """The whole local days within `span`, and what is left of it before and after them."""
    first = span.start.astimezone(zone).date()
    if start_of_day(first, zone) < span.start:
        first += DAY
    end = span.end.astimezone(zone).date()
    if first >= end:
        return Days(first, first), [] if span.is_empty else [span]
    ends = [Span(span.start, start_of_day(first, zone)), Span(start_of_day(end, zone), span.end)]
    return Days(first, end), [rest for rest in ends if not rest.is_empty]


def cut_hours(span: Span) -> tuple[Span, list[Span]]:
    """The whole UTC hours within `span`, and what is left of it before and after them."""
    first, end = _hour_from(span.start), _hour_of(span.end)
    if first >= end:
        return Span(first, first), [] if span.is_empty else [span]
    rests = [Span(span.start, first), Span(end, span.end)]
    return Span(first, end), [rest for rest in rests if not rest.is_empty]


def _hour_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _hour_from(instant: datetime) -> datetime:
    hour = _hour_of(instant)
    return hour if hour == instant else hour + HOUR
