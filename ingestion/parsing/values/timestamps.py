"""Read timestamps in the formats that customers use, one by one or as a column, with equal results.

A wall time is in microseconds since 1970. It is either local, in the source's time zone, or in UTC.
`ingestion.parsing.values.local_times` converts local wall times to UTC.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US

_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
_YEAR_FIRST = re.compile(
    r"(?P<year>[0-9]{4})(?P<separator>[-/])(?P<month>[0-9]{2})(?P=separator)(?P<day>[0-9]{2})[T ]"
    + _CLOCK
    + r"(?: ?(?P<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?))?"
)
_YEAR_LAST = (
    r"(?P<{0}>[0-9]{{1,2}})(?P<separator>[-/.])(?P<{1}>[0-9]{{1,2}})(?P=separator)(?P<year>[0-9]{{4}})[T ,] ?"
    + _CLOCK.replace("{", "{{").replace("}", "}}")
    + r"(?: ?(?P<meridiem>[AaPp])\.?[Mm]\.?)?"
)
_EPOCH_NUMBER = re.compile(r"(?:[0-9]{9,10}|[0-9]{12,13}|[0-9]{15,16})(?:\.[0-9]+)?")


class DayOrder(StrEnum):
    """Which of the first two numbers of "05/11/2026" is the day; UNDECIDED if the file does not show it."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"
    UNDECIDED = "undecided"


_DATE_PATTERNS = {
    DayOrder.DAY_FIRST: re.compile(_YEAR_LAST.format("day", "month")),
    DayOrder.MONTH_FIRST: re.compile(_YEAR_LAST.format("month", "day")),
}


class UnreadableTime(ValueError):  # noqa: N818  (as UnreadableBody)
    """A value that is not a timestamp; the message is "" or the cause, beginning with a separator."""


@dataclass(frozen=True, slots=True)
class WallTime:
    """A time in microseconds since 1970; `is_local` if the text has no offset."""

    microseconds: int
    is_local: bool


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How to read a source's timestamps: `time_format` for strptime, "" for the known formats."""

    time_format: str = ""
    day_order: DayOrder = DayOrder.UNDECIDED


@dataclass(slots=True)
class DayOrderDetector:
    """Determine the order of day and month from all timestamps of a file."""

    day_first: bool = False
    month_first: bool = False

    def add(self, text: str) -> None:
        """Add a timestamp; other formats are ignored."""
        if match := _DATE_PATTERNS[DayOrder.DAY_FIRST].fullmatch(text.strip()):
            self.day_first |= int(match["day"]) > 12
            self.month_first |= int(match["month"]) > 12

    @property
    def order(self) -> DayOrder:
        """The order in the file, UNDECIDED if it shows neither or both."""
        if self.day_first == self.month_first:
            return DayOrder.UNDECIDED
        return DayOrder.DAY_FIRST if self.day_first else DayOrder.MONTH_FIRST


def has_day_order(text: str) -> bool:
    """Return whether a timestamp has day and month before the year."""
    return _DATE_PATTERNS[DayOrder.DAY_FIRST].fullmatch(text.strip()) is not None


def microseconds(instant: datetime) -> int:
    """Convert an aware datetime to whole microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def read_time(value: object, rules: TimeRules) -> WallTime:
    """Read a timestamp, a text or an epoch number. Raise UnreadableTime."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnreadableTime
    if not isinstance(value, str):
        return _from_epoch(value)
    text = value.strip()
    if rules.time_format:
        return _from_format(text, rules.time_format)
    if match := _YEAR_FIRST.fullmatch(text):
        return _from_match(match)
    if has_day_order(text):
        if rules.day_order is DayOrder.UNDECIDED:
            raise UnreadableTime(": the order of day and month is ambiguous")
        return _from_match(_DATE_PATTERNS[rules.day_order].fullmatch(text))
    if _EPOCH_NUMBER.fullmatch(text):
        return _from_epoch(text)
    raise UnreadableTime


def _from_match(match: re.Match[str] | None) -> WallTime:
    if match is None:
        raise UnreadableTime
    part = match.groupdict()
    hour, meridiem = int(part["hour"]), (part.get("meridiem") or "").lower()
    if meridiem:
        if not 1 <= hour <= 12:
            raise UnreadableTime
        hour = hour % 12 + (12 if meridiem == "p" else 0)
    date = (int(part["year"]), int(part["month"]), int(part["day"]))
    fraction = int((part["fraction"] or "").ljust(6, "0")[:6])
    try:
        wall = datetime(*date, hour, int(part["minute"]), int(part["second"] or 0), fraction, tzinfo=UTC)
    except ValueError as error:
        raise UnreadableTime from error
    offset = part.get("offset")
    return WallTime(microseconds(wall) - (_offset_us(offset) if offset else 0), is_local=not offset)


def _offset_us(text: str) -> int:
    if text in "Zz":
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if hours > 23 or minutes > 59:
        raise UnreadableTime
    return (hours * 60 + minutes) * 60 * SECOND_US * (-1 if text[0] == "-" else 1)


def _from_format(text: str, time_format: str) -> WallTime:
    try:
        instant = datetime.strptime(text, time_format)  # noqa: DTZ007  (a wall time: the zone is applied later)
    except (ValueError, re.error) as error:
        raise UnreadableTime(f" with the format {time_format}") from error
    if instant.tzinfo is None:
        return WallTime(microseconds(instant.replace(tzinfo=UTC)), is_local=True)
    return WallTime(microseconds(instant), is_local=False)


def _from_epoch(value: float | str) -> WallTime:
    """Read seconds, milliseconds or microseconds since 1970, distinguished by size (years 1973 to 5138)."""
    if isinstance(value, float) and not math.isfinite(value):
        raise UnreadableTime
    number = Decimal(str(value))
    if abs(number) >= Decimal("1e17"):
        raise UnreadableTime
    scale = SECOND_US if abs(number) < Decimal("1e11") else 1000 if abs(number) < Decimal("1e14") else 1
    return WallTime(int(number * scale), is_local=False)


@dataclass(frozen=True, slots=True)
class WallTimes:
    """A column of wall times; only those that are `is_parsed` are valid."""

    microseconds: NDArray[np.int64]
    is_local: NDArray[np.bool_]
    is_parsed: NDArray[np.bool_]


def read_times(texts: pl.Series, rules: TimeRules) -> WallTimes:
    """Read a String column without nulls. Every result equals that of read_time; some values are left to read_time.

    Texts of one length are expected to share the layout of the first one.
    """
    count = len(texts)
    walls = WallTimes(np.zeros(count, np.int64), np.zeros(count, np.bool_), np.zeros(count, np.bool_))
    if rules.time_format:
        return walls
    lengths = texts.str.len_bytes().to_numpy()
    for length in _distinct(lengths):
        rows = np.flatnonzero(lengths == length)
        same_length = texts if len(rows) == count else texts.gather(rows)
        if layout := _layout(same_length[0], rules):
            _read_layout(same_length, layout, rows, walls)
    return walls


def _distinct(lengths: NDArray[np.uint32]) -> NDArray[np.uint32]:
    if len(lengths) and lengths.min() == lengths.max():  # much faster than sorting, and almost always the case
        return lengths[:1]
    return np.unique(lengths)


def _layout(text: str, rules: TimeRules) -> re.Match[str] | None:
    match = _YEAR_FIRST.fullmatch(text)
    if match is None and rules.day_order is not DayOrder.UNDECIDED:
        match = _DATE_PATTERNS[rules.day_order].fullmatch(text)
    if (
        match is None
        or match.groupdict().get("meridiem")
        or len(match.groupdict().get("offset") or "") not in (0, 1, 6)
    ):
        return None
    return match


def _read_layout(texts: pl.Series, layout: re.Match[str], rows: NDArray[np.int64], walls: WallTimes) -> None:
    length = len(layout.string)
    joined = np.frombuffer(texts.str.join("").item().encode(), dtype=np.uint8)
    positions = np.ascontiguousarray(joined.reshape(-1, length).T)
    digits = positions - ord("0")  # wraps around below "0", so that one comparison identifies digits
    is_valid = np.ones(len(rows), np.bool_)
    for position, char in enumerate(layout.string):
        if char.isdigit():
            is_valid &= digits[position] < 10
        else:
            is_valid &= positions[position] == ord(char)
    number = {name: _number(digits, *layout.span(name)) for name in ("year", "month", "day", "hour", "minute")}
    number["second"] = _number(digits, *layout.span("second"))
    wall = _days(number, is_valid) * DAY_US + number["hour"] * HOUR_US + number["minute"] * 60 * SECOND_US
    wall += number["second"] * SECOND_US + _microseconds_of(digits, *layout.span("fraction"))
    is_valid &= (number["hour"] < 24) & (number["minute"] < 60) & (number["second"] < 60)
    offset = layout.groupdict().get("offset") or ""
    if len(offset) > 1:
        wall -= _offsets(digits, layout.start("offset"), is_valid) * (-1 if offset[0] == "-" else 1)
    walls.microseconds[rows] = wall
    walls.is_local[rows] = not offset
    walls.is_parsed[rows] = is_valid


def _number(digits: NDArray[np.uint8], start: int, end: int) -> NDArray[np.int64]:
    value = np.zeros(digits.shape[1], np.int64)
    for position in range(max(start, 0), max(end, 0)):
        value = value * 10 + digits[position]
    return value


def _microseconds_of(digits: NDArray[np.uint8], start: int, end: int) -> NDArray[np.int64]:
    end = min(end, start + 6)
    scale = np.int64(10 ** (6 - (end - start)))
    return _number(digits, start, end) * scale


def _days(number: dict[str, NDArray[np.int64]], is_valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return days since 1970; mark dates that do not exist as invalid."""
    months = (number["year"] - 1970) * 12 + number["month"] - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    is_valid &= (number["year"] >= 1) & (number["month"] >= 1) & (number["month"] <= 12)
    is_valid &= (number["day"] >= 1) & (number["day"] <= following - first)
    return first + number["day"] - 1


def _offsets(digits: NDArray[np.uint8], start: int, is_valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    hours, minutes = _number(digits, start + 1, start + 3), _number(digits, start + 4, start + 6)
    is_valid &= (hours < 24) & (minutes < 60)
    return (hours * 60 + minutes) * 60 * SECOND_US
