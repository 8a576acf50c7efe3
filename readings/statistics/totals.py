"""Totals of readings: of any storage units, over any period, by group, sensor and calendar period.

Whole local days are read from the daily roll-up, the remainder from the hourly one, and what then remains from the raw
readings. Counts, sums and extremes are exact on every level. The time-weighted sums of a stale day or hour are computed
from the level below, so the result is exact at any moment, nothing is written, and a replica can answer. The number of
queries is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from core.db.prepared import Parameters, Prepared, Row
from readings.statistics import totals_sql
from readings.storage.archive.reading import with_archived
from readings.storage.local_days import day_of, start_of_day
from readings.storage.measures import Totals
from readings.storage.sql_arrays import array_of_list
from readings.storage.time_weighting import LONGEST_GAP
from readings.time_ranges import DAY, HOUR, Days, TimeRange, cut_days, cut_hours, split_at_hours


class Bucket(StrEnum):
    """A calendar period. An hour is in UTC; the others are days of the facility."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def first_day(self, day: date) -> date:
        """Return the first date of the day's bucket: a Monday, or the first of a month."""
        if self is Bucket.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self is Bucket.MONTH else day


# How long each lasts at least, apart from changes of clocks.
LEAST_SECONDS = {Bucket.HOUR: 3_600, Bucket.DAY: 86_400, Bucket.WEEK: 7 * 86_400, Bucket.MONTH: 28 * 86_400}


class RequestedUnit(NamedTuple):
    """A unit whose readings are requested, and the number of the group it counts for."""

    unit_id: int
    zone: ZoneInfo
    group: int


class Key(NamedTuple):
    """What a total is of. `sensor_id` None: all sensors. `bucket` None: the whole period; an hour is a datetime."""

    group: int
    sensor_id: int | None
    bucket: date | datetime | None


class _Piece(NamedTuple):
    requested: RequestedUnit
    time_range: TimeRange
    bucket: date | None


def totals_by_key(
    requested: Sequence[RequestedUnit],
    time_range: TimeRange,
    *,
    bucket: Bucket | None = None,
    by_sensor: bool = False,
    with_weights: bool = True,
) -> dict[Key, Totals]:
    """Return the totals of the units' readings in `time_range` by group and, if requested, sensor and bucket.

    Keys without any reading may be absent. Units of one group must share their zone where days, weeks or months are
    distinguished. `with_weights` false leaves the weights 0 and costs less.
    """
    summing = _Summing(bucket, by_sensor, with_weights)
    below = summing.add_days(requested, time_range)
    below = summing.add_hours(below)
    summing.add_raw(below)
    return summing.totals


class _Summing:
    """The totals so far."""

    def __init__(self, bucket: Bucket | None, by_sensor: bool, with_weights: bool) -> None:
        self.totals: dict[Key, Totals] = {}
        self._bucket = bucket
        self._name = bucket.value if bucket else ""
        self._by_sensor = by_sensor
        self._with_weights = with_weights

    def add_days(self, requested: Sequence[RequestedUnit], time_range: TimeRange) -> list[_Piece]:
        """Add what the daily roll-up answers; return the pieces left to the hourly one."""
        if self._bucket is Bucket.HOUR:
            return [] if time_range.is_empty else [_Piece(each, time_range, None) for each in requested]
        cuts = {zone: self._cut(time_range, zone) for zone in {each.zone for each in requested}}
        below = [_Piece(each, rest, day) for each in requested for rest, day in cuts[each.zone][1]]
        whole = [(each, cuts[each.zone][0]) for each in requested if cuts[each.zone][0].first < cuts[each.zone][0].end]
        if not whole:
            return below
        parameters = _parameters((each, days.first, days.end, None) for each, days in whole)
        stale = self._add_level(totals_sql.days, parameters)
        by_unit = {each.unit_id: each for each in requested}
        for unit_id, day in stale:
            each = by_unit[unit_id]
            whole_day = TimeRange(start_of_day(day, each.zone), start_of_day(day + DAY, each.zone))
            below.append(_Piece(each, whole_day, self._bucket.first_day(day) if self._bucket else None))
        return below

    def add_hours(self, pieces: list[_Piece]) -> list[_Piece]:
        """Add what the hourly roll-up answers; return the pieces left to the raw readings."""
        below: list[_Piece] = []
        whole: list[_Piece] = []
        # Units of one zone share their ends.
        cuts = {time_range: cut_hours(time_range) for time_range in {piece.time_range for piece in pieces}}
        for requested, time_range, bucket in pieces:
            hours, rests = cuts[time_range]
            below += [_Piece(requested, part, bucket) for rest in rests for part in self._parts(rest)]
            if not hours.is_empty:
                whole.append(_Piece(requested, hours, bucket))
        if not whole:
            return below
        parameters = _parameters((each, time_range.start, time_range.end, bucket) for each, time_range, bucket in whole)
        stale = self._add_level(totals_sql.hours, parameters)
        return below + list(_hours_of(whole, stale))

    def add_raw(self, pieces: list[_Piece]) -> None:
        """Add what the raw readings answer."""
        if not pieces:
            return
        parameters = _parameters(
            (each, time_range.start, time_range.end, bucket) for each, time_range, bucket in pieces
        )
        latest = max(piece.time_range.end for piece in pieces)
        earliest = min(piece.time_range.start for piece in pieces)
        # Without weights, no reading before a piece matters.
        before = LONGEST_GAP if self._with_weights else timedelta()
        bounds = {"earliest": earliest - before, "latest": latest}
        read = partial(self._statement(totals_sql.raw).table, parameters | bounds)
        spans = {(piece.time_range.start, piece.time_range.end) for piece in pieces}
        unit_ids = {piece.requested.unit_id for piece in pieces}
        self._add(*with_archived(unit_ids, spans, read, reaches_back=self._with_weights))

    def _cut(self, time_range: TimeRange, zone: ZoneInfo) -> tuple[Days, list[tuple[TimeRange, date | None]]]:
        """Return the whole days of `time_range`, and the remainders with the bucket each lies in."""
        days, rests = cut_days(time_range, zone)
        if self._bucket is None:
            return days, [(rest, None) for rest in rests]
        return days, [
            (part, self._bucket.first_day(day_of(part.start, zone)))
            for rest in rests
            for part in _within_days(rest, zone)
        ]

    def _parts(self, rest: TimeRange) -> list[TimeRange]:
        return split_at_hours(rest) if self._bucket is Bucket.HOUR else [rest]

    def _statement(self, level: Callable[..., Prepared]) -> Prepared:
        return level(self._name, by_sensor=self._by_sensor, with_weights=self._with_weights)

    def _add_level(self, level: Callable[..., Prepared], parameters: Parameters) -> list[tuple[int, Any]]:
        """Add what a roll-up answers; return the units and periods that it does not, because they are stale."""
        names, rows = self._statement(level).table(parameters)
        if not self._with_weights:
            self._add(names, rows)
            return []
        self._add(names[:-1], [row[:-1] for row in rows if row[-1] is None])
        return [(row[0], row[-1]) for row in rows if row[-1] is not None]

    def _add(self, names: list[str], rows: list[Row]) -> None:
        """Add rows of (group, sensor, bucket, measures); `names` names the measures."""
        measures = names[3:]
        for group, sensor_id, bucket, *values in rows:
            key, more = Key(group, sensor_id, bucket), Totals(**dict(zip(measures, values, strict=True)))
            if key in self.totals:
                self.totals[key].add(more)
            else:
                self.totals[key] = more


def _within_days(rest: TimeRange, zone: ZoneInfo) -> Iterator[TimeRange]:
    """Cut a period of less than two local days where the date changes."""
    change = start_of_day(day_of(rest.start, zone) + DAY, zone)
    yield TimeRange(rest.start, min(change, rest.end))
    if change < rest.end:
        yield TimeRange(change, rest.end)


def _hours_of(pieces: list[_Piece], stale: list[tuple[int, datetime]]) -> Iterator[_Piece]:
    """Yield each stale hour as a piece of its own, for the group and bucket of the piece that holds it."""
    by_unit: dict[int, list[_Piece]] = {}
    for piece in pieces:
        by_unit.setdefault(piece.requested.unit_id, []).append(piece)
    for unit_id, hour in stale:
        holder = next(each for each in by_unit[unit_id] if each.time_range.start <= hour < each.time_range.end)
        yield _Piece(holder.requested, TimeRange(hour.astimezone(UTC), hour.astimezone(UTC) + HOUR), holder.bucket)


def _parameters(rows: Iterable[tuple[RequestedUnit, date, date, date | None]]) -> Parameters:
    requested, firsts, ends, buckets = zip(*rows, strict=True)
    return {
        "unit_ids": array_of_list([each.unit_id for each in requested]),
        "group_ids": array_of_list([each.group for each in requested]),
        "firsts": array_of_list(firsts),
        "ends": array_of_list(ends),
        "buckets": array_of_list(buckets),
    }
