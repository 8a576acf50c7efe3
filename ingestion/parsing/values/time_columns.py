"""Read columns of timestamps at once, with results equal to those of `ingestion.parsing.values.timestamps`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.parsing.values.texts import joined_bytes, lengths_in_bytes
from ingestion.parsing.values.timestamps import (
    DATE_PATTERNS,
    DAY_US,
    HOUR_US,
    SECOND_US,
    YEAR_FIRST,
    DayOrder,
    TimeRules,
)


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
    if rules.time_format or rules.unclear_zone:
        return walls
    lengths = lengths_in_bytes(texts)
    for length in _distinct(lengths):
        rows = np.flatnonzero(lengths == length)
        same_length = texts if len(rows) == count else texts.gather(rows)
        if layout := _layout(same_length[0], rules):
            _read_layout(same_length, layout, rows, walls)
    return walls


def _distinct(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    if len(lengths) and lengths.min() == lengths.max():  # much faster than sorting, and almost always the case
        return lengths[:1]
    return np.unique(lengths)


def _layout(text: str, rules: TimeRules) -> re.Match[str] | None:
    match = YEAR_FIRST.fullmatch(text)
    if match is None and rules.day_order is not DayOrder.UNDECIDED:
        match = DATE_PATTERNS[rules.day_order].fullmatch(text)
    if (
        match is None
        or match.groupdict().get("meridiem")
        or len(match.groupdict().get("offset") or "") not in (0, 1, 6)
    ):
        return None
    return match


def _read_layout(texts: pl.Series, layout: re.Match[str], rows: NDArray[np.int64], walls: WallTimes) -> None:
    length = len(layout.string)
    positions = np.ascontiguousarray(joined_bytes(texts).reshape(-1, length).T)
    digits = positions - ord("0")  # wraps around below "0", so that one comparison identifies digits
    is_valid = np.ones(len(rows), np.bool_)
    for position, char in enumerate(layout.string):
        if char.isdigit():
            is_valid &= digits[position] < 10
        else:
            is_valid &= positions[position] == ord(char)
    number = {name: _number(digits, *layout.span(name)) for name in ("year", "month", "day", "hour", "minute")}
    number["second"] = _number(digits, *layout.span("second"))
    if len(layout["year"]) == 2:
        number["year"] += 2000
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
