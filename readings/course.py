"""The course of one unit's temperature over any range, in at most so many points, for bounded work.

A short range is read from the readings themselves, a longer one from the hourly roll-up, and years from the daily one:
whatever the range, a few thousand rows are looked at. The counts and extremes of the roll-ups are always true, settled
or not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from math import ceil
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from readings.spans import Span

MAX_POINTS = 1_000
# As many readings are looked at one by one as can be in a few milliseconds; in a day or two even a reading a second.
MOST_READINGS = 15_000
ALWAYS_RAW = timedelta(days=2)
# Beyond this the hourly roll-up has more rows than it takes, and a day is narrower than a point.
LONGEST_HOURLY = timedelta(days=400)
_HOUR_SECONDS, _DAY_SECONDS = 3_600, 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Level(StrEnum):
    """What a course is made from. Points of hours and days may reach beyond the ends of the range by one of those."""

    READINGS = "readings"
    HOURS = "hours"
    DAYS = "days"


class Point(NamedTuple):
    """The readings of one stretch of time, from `first_at` to `last_at`.

    The temperatures are None where no sensor gave a measurement; mean_c is weighted by count. Times are kept in
    microseconds since 1970: to make thousands of datetimes costs as much as the query.
    """

    first_us: int
    last_us: int
    min_c: float | None
    mean_c: float | None
    max_c: float | None
    reading_count: int
    fault_count: int

    @property
    def first_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.first_us)

    @property
    def last_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.last_us)

    @property
    def middle_us(self) -> int:
        """Where to draw it: the reading's own time where there is but one."""
        return (self.first_us + self.last_us) // 2

    @property
    def middle_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.middle_us)


def level_of(span: Span, interval_seconds: int) -> Level:
    """What the course of a unit with that interval is made from."""
    duration = span.end - span.start
    is_few = duration.total_seconds() / interval_seconds <= MOST_READINGS
    if duration <= ALWAYS_RAW or (is_few and duration < timedelta(hours=MAX_POINTS)):
        return Level.READINGS
    return Level.HOURS if duration <= LONGEST_HOURLY else Level.DAYS


def points(
    unit_id: int, span: Span, *, zone: ZoneInfo, interval_seconds: int, most: int = MAX_POINTS
) -> tuple[Level, list[Point]]:
    """The course in `span`, in at most `most` points of equal width, and what it was made from. One query."""
    level = level_of(span, interval_seconds)
    seconds = (span.end - span.start).total_seconds()
    parameters: dict[str, Any] = {"unit_id": unit_id, "start": span.start, "end": span.end, "zone": zone.key}
    if level is Level.READINGS:
        sql, parameters["width"] = OF_READINGS, max(1, ceil(seconds / most))
    elif level is Level.HOURS:
        # One more than fits: the first hour begins before the range.
        sql, parameters["width"] = OF_HOURS, ceil((seconds / _HOUR_SECONDS + 1) / most) * _HOUR_SECONDS
    else:
        sql, parameters["width"] = OF_DAYS, ceil((seconds / _DAY_SECONDS + 2) / most)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return level, [Point(*row) for row in cursor.fetchall()]


def gaps(course: list[Point], gap_limit: timedelta) -> list[tuple[datetime, datetime]]:
    """Where two points that follow each other are further apart than the unit's gap limit.

    What is missing within a point can't be seen here; the coverage of the range tells it.
    """
    limit_us = gap_limit // timedelta(microseconds=1)
    return [
        (before.last_at, after.first_at)
        for before, after in pairwise(course)
        if after.first_us - before.last_us > limit_us
    ]


def _microseconds(instant: str) -> str:
    """An instant in whole microseconds since 1970; a double holds them exactly until the year 2255."""
    return f"(date_part('epoch', {instant}) * 1000000)::bigint"


# The bounds let the planner leave other months' partitions out.
OF_READINGS = f"""
SELECT {_microseconds("min(recorded_at)")}, {_microseconds("max(recorded_at)")},
    min(temperature_c), avg(temperature_c), max(temperature_c), count(*), count(*) - count(temperature_c)
FROM reading
WHERE storage_unit_id = %(unit_id)s AND recorded_at >= %(start)s AND recorded_at < %(end)s
GROUP BY date_bin(make_interval(secs => %(width)s), recorded_at, %(start)s)
ORDER BY 1
"""  # noqa: S608  names of ours, no input
# Whole numbers below 2^53 add up exactly as doubles, and several times as fast as PostgreSQL's numeric.
_MEASURES = """min(min_c), sum(sum_micro_c::float8) / nullif(sum(reading_count - fault_count), 0) / 1000000, max(max_c),
    sum(reading_count), sum(fault_count)"""
OF_HOURS = f"""
SELECT {_microseconds("min(hour)")}, {_microseconds("max(hour) + interval '1 hour'")}, {_MEASURES}
FROM hourly_rollup
WHERE storage_unit_id = %(unit_id)s AND hour >= date_trunc('hour', %(start)s, 'UTC') AND hour < %(end)s
GROUP BY date_bin(make_interval(secs => %(width)s), hour, date_trunc('hour', %(start)s, 'UTC'))
ORDER BY 1
"""  # noqa: S608  names of ours, no input
OF_DAYS = f"""
SELECT {_microseconds("min(local_date)::timestamp AT TIME ZONE %(zone)s")},
    {_microseconds("(max(local_date) + 1)::timestamp AT TIME ZONE %(zone)s")}, {_MEASURES}
FROM daily_rollup
WHERE storage_unit_id = %(unit_id)s AND local_date >= (%(start)s AT TIME ZONE %(zone)s)::date
    AND local_date <= (%(end)s AT TIME ZONE %(zone)s - interval '1 microsecond')::date
GROUP BY (local_date - (%(start)s AT TIME ZONE %(zone)s)::date) / %(width)s
ORDER BY min(local_date)
"""  # noqa: S608  names of ours, no input
