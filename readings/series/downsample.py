"""Downsampled series: a unit's temperatures over any range in a bounded number of points, for bounded work.

A short range is read from the readings themselves, a longer one from the hourly roll-up, and years from the daily one:
whatever the range, a few thousand rows are looked at. The counts and extremes of the roll-ups are always exact, stale
or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil, isnan
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection

from core.db.prepared import Prepared
from customers.models import StorageUnit
from readings.storage.local_days import day_of, starts_of_days_us
from readings.storage.reading_batch import instant_of
from readings.time_ranges import MICROSECOND, TimeRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_POINTS = 1_000
# Raw readings are read up to what takes a few milliseconds; a day or two always, even at a reading per second.
MAX_RAW_READINGS = 15_000
ALWAYS_RAW = timedelta(days=2)
# Beyond this the hourly roll-up has more rows than needed, and a day is narrower than a point.
LONGEST_HOURLY = timedelta(days=400)
_HOUR_SECONDS, _DAY_SECONDS = 3_600, 86_400


class Level(StrEnum):
    """The source of a series. Points of hours and days may extend beyond the range by one of those."""

    READINGS = "readings"
    HOURS = "hours"
    DAYS = "days"


# A point as the statements below write it. One binary value is written, sent and read in half the time of a thousand
# rows. NaN means no temperature.
_POINT = np.dtype(
    [
        ("first", ">i8"),
        ("last", ">i8"),
        ("min_c", ">f8"),
        ("mean_c", ">f8"),
        ("max_c", ">f8"),
        ("reading_count", ">i8"),
        ("fault_count", ">i8"),
    ]
)


class Point(NamedTuple):
    """The readings of one interval, from `first_at` to `last_at`.

    The temperatures are None where no sensor gave a measurement; mean_c is weighted by count.
    """

    first_at: datetime
    last_at: datetime
    middle_at: datetime
    min_c: float | None
    mean_c: float | None
    max_c: float | None
    reading_count: int
    fault_count: int


@dataclass(frozen=True, slots=True, eq=False)
class DownsampledSeries:
    """Points as columns of equal length; times in microseconds since 1970, NaN for no temperature."""

    level: Level
    first_us: NDArray[np.int64]
    last_us: NDArray[np.int64]
    min_c: NDArray[np.float64]
    mean_c: NDArray[np.float64]
    max_c: NDArray[np.float64]
    reading_count: NDArray[np.int64]
    fault_count: NDArray[np.int64]

    @classmethod
    def from_bytes(cls, level: Level, points: bytes | memoryview, zone: ZoneInfo) -> DownsampledSeries:
        """Return the series that PostgreSQL wrote as _POINT; with `Level.DAYS` its times are dates."""
        rows = np.frombuffer(points, _POINT).astype(_POINT.newbyteorder("="))
        rows = rows[rows["first"].argsort()]
        first, last, *rest = (rows[name] for name in _POINT.names or ())
        if level is Level.DAYS:
            first, last = starts_of_days_us(first, zone), starts_of_days_us(last, zone)
        return cls(level, first, last, *rest)

    def __len__(self) -> int:
        return len(self.first_us)

    @property
    def middle_us(self) -> NDArray[np.int64]:
        """The times at which to draw the points: a single reading's own time."""
        return (self.first_us + self.last_us) // 2

    def points(self) -> list[Point]:
        """Return the points one by one."""
        instants = (map(instant_of, us.tolist()) for us in (self.first_us, self.last_us, self.middle_us))
        temperatures = (map(_or_none, column.tolist()) for column in (self.min_c, self.mean_c, self.max_c))
        counts = (self.reading_count.tolist(), self.fault_count.tolist())
        return [Point(*each) for each in zip(*instants, *temperatures, *counts, strict=True)]

    def gaps(self, staleness_limit: timedelta) -> list[tuple[datetime, datetime]]:
        """Return the gaps between consecutive points that are further apart than the staleness limit.

        Gaps within a point are not visible here; the coverage of the range includes them.
        """
        lefts, rights = self.last_us[:-1], self.first_us[1:]
        is_gap = rights - lefts > staleness_limit // MICROSECOND
        ends = zip(lefts[is_gap].tolist(), rights[is_gap].tolist(), strict=True)
        return [(instant_of(left), instant_of(right)) for left, right in ends]


def _or_none(number: float) -> float | None:
    return None if isnan(number) else number


def choose_level(time_range: TimeRange, interval_seconds: int) -> Level:
    """Return what the series of a unit with that interval is computed from."""
    duration = time_range.end - time_range.start
    is_few = duration.total_seconds() / interval_seconds <= MAX_RAW_READINGS
    if duration <= ALWAYS_RAW or (is_few and duration < timedelta(hours=MAX_POINTS)):
        return Level.READINGS
    return Level.HOURS if duration <= LONGEST_HOURLY else Level.DAYS


def downsample(unit: StorageUnit, time_range: TimeRange, *, max_points: int = MAX_POINTS) -> DownsampledSeries:
    """Return the series of `unit` in `time_range` with at most `max_points` points of equal width. One query."""
    start, end, zone = time_range.start, time_range.end, unit.facility.zone
    seconds = (end - start).total_seconds()
    level = choose_level(time_range, unit.interval_seconds)
    if level is Level.READINGS:
        width = max(1, ceil(seconds / max_points))
        # Planned each time, so that only the partitions of the range are read.
        with connection.cursor() as cursor:
            cursor.execute(OF_READINGS, [unit.pk, start, end, width, start])
            rows = cursor.fetchall()
    elif level is Level.HOURS:
        first_hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        # One more than fits: the first hour begins before the range.
        width = ceil((seconds / _HOUR_SECONDS + 1) / max_points) * _HOUR_SECONDS
        rows = OF_HOURS.rows([unit.pk, first_hour, end, width, first_hour])
    else:
        first_day, last_day = (day_of(each, zone) for each in (start, end - MICROSECOND))
        width = ceil((seconds / _DAY_SECONDS + 2) / max_points)
        rows = OF_DAYS.rows([unit.pk, first_day, last_day, first_day, width])
    [[points]] = rows
    return DownsampledSeries.from_bytes(level, points or b"", zone)


def _microseconds(instant: str) -> str:
    """Return SQL for an instant in microseconds since 1970; a double holds them exactly until the year 2255."""
    return f"(date_part('epoch', {instant}) * 1000000)::bigint"


def _written(points: str) -> str:
    """Return SQL that writes the points of a query as one value in the layout of _POINT, in any order."""
    return f"""
SELECT string_agg(
    int8send(first) || int8send(last)
    || float8send(coalesce(min_c, 'NaN')) || float8send(coalesce(mean_c, 'NaN')) || float8send(coalesce(max_c, 'NaN'))
    || int8send(reading_count) || int8send(fault_count), '')
FROM ({points}) AS point
"""  # noqa: S608  statements of ours, no input


# The bounds let the planner leave other months' partitions out.
OF_READINGS = _written(
    f"""
SELECT {_microseconds("min(recorded_at)")} AS first, {_microseconds("max(recorded_at)")} AS last,
    min(temperature_c) AS min_c, avg(temperature_c) AS mean_c, max(temperature_c) AS max_c,
    count(*) AS reading_count, count(*) - count(temperature_c) AS fault_count
FROM reading
WHERE storage_unit_id = %s AND recorded_at >= %s AND recorded_at < %s
GROUP BY date_bin(make_interval(secs => %s), recorded_at, %s)
"""  # noqa: S608  names of ours, no input
)
# Whole numbers below 2^53 add up exactly as doubles, and several times as fast as PostgreSQL's numeric.
_MEASURES = """min(min_c) AS min_c,
    sum(sum_micro_c::float8) / nullif(sum(reading_count - fault_count), 0) / 1000000 AS mean_c, max(max_c) AS max_c,
    sum(reading_count) AS reading_count, sum(fault_count) AS fault_count"""
OF_HOURS = Prepared(
    _written(
        f"""
SELECT {_microseconds("min(hour)")} AS first, {_microseconds("max(hour) + interval '1 hour'")} AS last, {_MEASURES}
FROM hourly_rollup
WHERE storage_unit_id = %s AND hour >= %s AND hour < %s
GROUP BY date_bin(make_interval(secs => %s), hour, %s)
"""  # noqa: S608  names of ours, no input
    )
)
# Days since 1970: PostgreSQL takes longer to find out when each begins than to read them.
OF_DAYS = Prepared(
    _written(
        f"""
SELECT (min(local_date) - date '1970-01-01')::bigint AS first,
    (max(local_date) + 1 - date '1970-01-01')::bigint AS last, {_MEASURES}
FROM daily_rollup
WHERE storage_unit_id = %s AND local_date BETWEEN %s AND %s
GROUP BY (local_date - %s) / %s
"""  # noqa: S608  names of ours, no input
    )
)
