"""Downsampled series: a unit's temperatures over any range in a bounded number of points, for bounded work.

A short range is read from the readings themselves, a longer one from the hourly roll-up, and years from the daily one;
the parts of hours and days at its ends are read from the level below, so no point reaches outside the range. Whatever
the range, a few thousand rows are read. The counts and extremes of the roll-ups are always exact, stale or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from django.utils import timezone

from core.db.prepared import Parameters, Prepared
from customers.models import StorageUnit
from readings.series.gaps import GAP, gap_parameters, gaps_sql, microseconds_sql, pieces_sql
from readings.storage.archive.reading import with_archived
from readings.storage.local_days import day_of, starts_of_days_us
from readings.storage.measures import NINTH_MICRO
from readings.storage.reading_batch import instants_of, microseconds_of
from readings.time_ranges import TimeRange, cut_days, cut_hours, hour_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_POINTS = 1_000
# Raw readings are read up to what takes a few milliseconds; a day or two always, even at a reading per second.
MAX_RAW_READINGS = 15_000
ALWAYS_RAW = timedelta(days=2)
# Beyond this a point would be a quarter of a day or more, and show the time of day instead of the days.
LONGEST_HOURLY = timedelta(days=200)
_HOUR_SECONDS, _DAY_SECONDS = 3_600, 86_400


class Level(StrEnum):
    """The source of a series."""

    READINGS = "readings"
    HOURS = "hours"
    DAYS = "days"


# The columns of the statements below. NaN means no temperature.
_POINT = np.dtype(
    [
        ("first", np.int64),
        ("last", np.int64),
        ("min_c", np.float64),
        ("average_c", np.float64),
        ("max_c", np.float64),
        ("reading_count", np.int64),
        ("fault_count", np.int64),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class DownsampledSeries:
    """Points as columns of equal length; times in microseconds since 1970, NaN for no temperature.

    gap_start_us, gap_end_us: the gaps in the range, see `readings.series.gaps`.
    """

    level: Level
    first_us: NDArray[np.int64]
    last_us: NDArray[np.int64]
    min_c: NDArray[np.float64]
    average_c: NDArray[np.float64]
    max_c: NDArray[np.float64]
    reading_count: NDArray[np.int64]
    fault_count: NDArray[np.int64]
    gap_start_us: NDArray[np.int64]
    gap_end_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first_us)

    @property
    def middle_us(self) -> NDArray[np.int64]:
        """The times at which to draw the points: a single reading's own time."""
        return (self.first_us + self.last_us) // 2

    def gaps(self) -> list[TimeRange]:
        """Return the gaps in order of time."""
        return _time_ranges(self.gap_start_us, self.gap_end_us)

    def breaks(self) -> list[TimeRange]:
        """Return, in order of time, the parts of gaps that lie between two points: a line must not cross them."""
        if not len(self.gap_start_us):
            return []
        lefts, rights = self.last_us[:-1], self.first_us[1:]
        # The last gap that begins before the right point; an earlier one is separated from it by covered time.
        nth = np.maximum(np.searchsorted(self.gap_start_us, rights) - 1, 0)
        starts, ends = np.maximum(self.gap_start_us[nth], lefts), np.minimum(self.gap_end_us[nth], rights)
        return _time_ranges(starts[starts < ends], ends[starts < ends])


def _time_ranges(starts_us: NDArray[np.int64], ends_us: NDArray[np.int64]) -> list[TimeRange]:
    return list(map(TimeRange, instants_of(starts_us), instants_of(ends_us)))


def _choose_level(unit: StorageUnit, time_range: TimeRange) -> Level:
    """Return what the series of `unit` is computed from; at most one query.

    The stored readings are counted: a unit may send far more than its interval makes expect.
    """
    duration = time_range.end - time_range.start
    if duration <= ALWAYS_RAW:
        return Level.READINGS
    if duration < timedelta(hours=MAX_POINTS) and _count_readings(unit, time_range) <= MAX_RAW_READINGS:
        return Level.READINGS
    return Level.HOURS if duration <= LONGEST_HOURLY else Level.DAYS


def _count_readings(unit: StorageUnit, time_range: TimeRange) -> int:
    """Return the number of readings in all local days that the range touches."""
    zone = unit.facility.zone
    [(count,)] = _READINGS_OF_DAYS.rows([unit.pk, day_of(time_range.start, zone), day_of(time_range.end, zone)])
    return int(count)


def downsample(
    unit: StorageUnit, time_range: TimeRange, *, max_points: int = MAX_POINTS, now: datetime | None = None
) -> DownsampledSeries:
    """Return the series of `unit` in `time_range` with at most `max_points` points of equal width.

    At most three queries. now: until when a silence is a gap.
    """
    zone, level = unit.facility.zone, _choose_level(unit, time_range)
    parameters: Parameters = {"unit_id": unit.pk, "start": time_range.start, "end": time_range.end}
    parameters |= gap_parameters(time_range, zone, now or timezone.now())
    parameters |= _PARAMETERS[level](time_range, zone, max_points)
    points, gaps = _read(level, parameters, unit.pk, time_range)
    return _series(level, points, gaps, time_range, zone)


def _read(
    level: Level, parameters: Parameters, unit_id: int, time_range: TimeRange
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Return the points and the gaps. Only partitions of the range are read: its bounds are parameters."""

    def read() -> tuple[NDArray[np.void], NDArray[np.void]]:
        points, gaps = _POINTS[level].rows(parameters), _GAPS[level].rows(parameters)
        return np.array(points, _POINT), np.array(gaps, GAP)

    def narrowed() -> list[tuple[datetime, datetime]]:
        ends = zip(parameters["raw_firsts"], parameters["raw_ends"], strict=True)
        return [*((since, until) for since, until in _PIECES[level].rows(parameters)), *ends]

    whole = [(time_range.start, time_range.end)]
    return with_archived(
        [unit_id], whole, read, reaches_back=True, narrowed=None if level is Level.READINGS else narrowed
    )


def _series(
    level: Level, points: NDArray[np.void], gaps: NDArray[np.void], time_range: TimeRange, zone: ZoneInfo
) -> DownsampledSeries:
    """Return the series of these rows; the times of its points are dates with `Level.DAYS`."""
    first, last = points["first"], points["last"]
    if level is Level.DAYS:
        first, last = starts_of_days_us(first, zone), starts_of_days_us(last, zone)
    # Hours and days at the ends of the range are cut, and so are their readings.
    start_us, end_us = microseconds_of(time_range.start), microseconds_of(time_range.end)
    return DownsampledSeries(
        level=level,
        first_us=np.maximum(first, start_us),
        last_us=np.minimum(last, end_us),
        gap_start_us=gaps["start"],
        gap_end_us=gaps["end"],
        **{name: points[name] for name in ("min_c", "average_c", "max_c", "reading_count", "fault_count")},
    )


def _of_readings(time_range: TimeRange, _: ZoneInfo, max_points: int) -> Parameters:
    seconds = (time_range.end - time_range.start).total_seconds()
    return {"width_seconds": max(1, ceil(seconds / max_points))}


def _of_hours(time_range: TimeRange, _: ZoneInfo, max_points: int) -> Parameters:
    hours, rests = cut_hours(time_range)
    seconds = (time_range.end - time_range.start).total_seconds()
    return {
        "first_hour": hours.start,
        "end_hour": hours.end,
        "origin": hour_of(time_range.start),
        # One more than fits: the first hour begins before the range.
        "width_seconds": ceil((seconds / _HOUR_SECONDS + 1) / max_points) * _HOUR_SECONDS,
        **_pieces("raw", ((rest, None) for rest in rests)),
    }


def _of_days(time_range: TimeRange, zone: ZoneInfo, max_points: int) -> Parameters:
    days, rests = cut_days(time_range, zone)
    seconds = (time_range.end - time_range.start).total_seconds()
    whole_hours: list[tuple[TimeRange, date | None]] = []
    raw: list[tuple[TimeRange, date | None]] = []
    for rest in rests:
        hours, ends = cut_hours(rest)
        day = day_of(rest.start, zone)
        whole_hours.append((hours, day))
        raw += [(end, day) for end in ends]
    return {
        "first_whole_day": days.first,
        "end_day": days.end,
        "origin": day_of(time_range.start, zone),
        "width_days": ceil((seconds / _DAY_SECONDS + 2) / max_points),
        **_pieces("hours", whole_hours),
        **_pieces("raw", raw),
    }


def _pieces(name: str, pieces: Iterable[tuple[TimeRange, date | None]]) -> Parameters:
    """Return parameters of periods, each with the local date that it is a part of."""
    listed = list(pieces)
    return {
        f"{name}_firsts": [time_range.start for time_range, _ in listed],
        f"{name}_ends": [time_range.end for time_range, _ in listed],
        f"{name}_days": [day for _, day in listed],
    }


def _in_order(points: str) -> str:
    """Return SQL for the columns of _POINT, in order of time."""
    return f"""
SELECT first, last, coalesce(min_c, 'NaN'), coalesce(average_c, 'NaN'), coalesce(max_c, 'NaN'),
    reading_count, fault_count
FROM ({points}) AS point ORDER BY first
"""  # noqa: S608  constants only


_OF_READINGS = f"""
SELECT {microseconds_sql("min(recorded_at)")} AS first, {microseconds_sql("max(recorded_at)")} AS last,
    min(temperature_c) AS min_c, avg(temperature_c) AS average_c, max(temperature_c) AS max_c,
    count(*) AS reading_count, count(*) - count(temperature_c) AS fault_count
FROM reading
WHERE storage_unit_id = %(unit_id)s AND recorded_at >= %(start)s AND recorded_at < %(end)s
GROUP BY date_bin(make_interval(secs => %(width_seconds)s), recorded_at, %(start)s)
"""  # noqa: S608  constants only
_COLUMNS = "min_c, max_c, sum_ninth_micro_c, reading_count, fault_count"
# Whole numbers below 2^53 add up exactly as doubles, and several times as fast as PostgreSQL's numeric.
_MEASURES = f"""min(min_c) AS min_c,
    sum(sum_ninth_micro_c::float8) / nullif(sum(reading_count - fault_count), 0) / {NINTH_MICRO} AS average_c,
    max(max_c) AS max_c,
    sum(reading_count)::bigint AS reading_count, sum(fault_count)::bigint AS fault_count"""
# The parts of hours at the ends of a range. LATERAL with OFFSET 0, here and below: see readings.storage.time_weighting.
_RAW_PARTS = f"""
unnest(%(raw_firsts)s::timestamptz[], %(raw_ends)s::timestamptz[], %(raw_days)s::date[]) AS piece (first, until, day)
CROSS JOIN LATERAL (
    SELECT min(temperature_c) AS min_c, max(temperature_c) AS max_c,
        coalesce(sum((temperature_c * {NINTH_MICRO})::bigint), 0)::bigint AS sum_ninth_micro_c,
        count(*) AS reading_count, count(*) - count(temperature_c) AS fault_count
    FROM reading
    WHERE storage_unit_id = %(unit_id)s AND recorded_at >= piece.first AND recorded_at < piece.until
        AND recorded_at >= %(start)s AND recorded_at < %(end)s
    OFFSET 0
) AS raw"""  # noqa: S608  constants only
_OF_HOURS = f"""
SELECT {microseconds_sql("min(hour)")} AS first, {microseconds_sql("max(hour) + interval '1 hour'")} AS last,
    {_MEASURES}
FROM (
    SELECT hour, {_COLUMNS} FROM hourly_rollup
    WHERE storage_unit_id = %(unit_id)s AND hour >= %(first_hour)s AND hour < %(end_hour)s
    UNION ALL
    SELECT date_trunc('hour', piece.first, 'UTC'), {_COLUMNS} FROM {_RAW_PARTS}
) AS part
WHERE reading_count > 0
GROUP BY date_bin(make_interval(secs => %(width_seconds)s), hour, %(origin)s)
"""  # noqa: S608  constants only
# Days since 1970: PostgreSQL takes longer to find out when each begins than to read them.
_OF_DAYS = f"""
SELECT (min(day) - date '1970-01-01')::bigint AS first, (max(day) + 1 - date '1970-01-01')::bigint AS last, {_MEASURES}
FROM (
    SELECT local_date AS day, {_COLUMNS} FROM daily_rollup
    WHERE storage_unit_id = %(unit_id)s AND local_date >= %(first_whole_day)s AND local_date < %(end_day)s
    UNION ALL
    SELECT day, {_COLUMNS}
    FROM unnest(%(hours_firsts)s::timestamptz[], %(hours_ends)s::timestamptz[], %(hours_days)s::date[])
        AS piece (first, until, day)
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM hourly_rollup
        WHERE storage_unit_id = %(unit_id)s AND hour >= piece.first AND hour < piece.until
        OFFSET 0
    ) AS hourly
    UNION ALL
    SELECT day, {_COLUMNS} FROM {_RAW_PARTS}
) AS part
WHERE reading_count > 0
GROUP BY (day - %(origin)s) / %(width_days)s
"""  # noqa: S608  constants only
_READINGS_OF_DAYS = Prepared("""
SELECT coalesce(sum(reading_count), 0)::bigint FROM daily_rollup
WHERE storage_unit_id = %s AND local_date BETWEEN %s AND %s
""")
_POINTS = {
    Level.READINGS: Prepared(_in_order(_OF_READINGS)),
    Level.HOURS: Prepared(_in_order(_OF_HOURS)),
    Level.DAYS: Prepared(_in_order(_OF_DAYS)),
}
_GAPS = {level: Prepared(gaps_sql(with_days=level is not Level.READINGS)) for level in Level}
_PIECES = {level: Prepared(pieces_sql(with_days=level is not Level.READINGS)) for level in Level}
_PARAMETERS = {Level.READINGS: _of_readings, Level.HOURS: _of_hours, Level.DAYS: _of_days}
