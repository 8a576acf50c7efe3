"""The gaps of a unit: the parts of a period, up to now, in which no reading of any of its sensors is valid.

A gap begins when the last reading goes stale, or with a sensor's fault, and ends with the next measurement; it may lie
within a point of the series, before the first reading or after the last. So the gaps are exactly what the coverage of
the period lacks.

Roll-ups show which days and hours are covered completely. Only the readings of the other hours are read, and if
there are more of them than MAX_READINGS, an hour with any measurement is not a gap.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from core.db.prepared import Parameters
from readings.storage.local_days import day_of, starts_of_days_us
from readings.storage.sql_arrays import array_of
from readings.storage.time_weighting import LONGEST_GAP, WEIGHTED
from readings.time_ranges import DAY, MICROSECOND, TimeRange

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray


# Of more gaps than a chart can show, the longest are returned.
MAX_GAPS = 1_000
MAX_READINGS = 50_000
# Sums of seconds are off by less.
_ROUNDING_SECONDS = 5e-7
# The columns of the query, in microseconds since 1970.
GAP = np.dtype([("start", np.int64), ("end", np.int64)])


def gap_parameters(time_range: TimeRange, zone: ZoneInfo, now: datetime) -> Parameters:
    """Return the parameters of the statement for a unit of a facility in `zone`, except the unit's id."""
    until = max(min(time_range.end, now), time_range.start)
    first_day = day_of(time_range.start, zone)
    last_day = day_of(max(until - MICROSECOND, time_range.start), zone)
    return {
        "start": time_range.start,
        "until": until,
        "first_day": first_day,
        "last_day": last_day,
        "day_starts": array_of(_starts_of_days(first_day, last_day + DAY, zone)),
        "earliest": time_range.start - LONGEST_GAP,
        "latest": until,
        "max_readings": MAX_READINGS,
    }


def _starts_of_days(first: date, last: date, zone: ZoneInfo) -> NDArray[np.int64]:
    """Return when each day from `first` to `last` begins, in seconds since 1970."""
    days = np.arange(np.datetime64(first), np.datetime64(last + DAY)).astype(np.int64)
    return starts_of_days_us(days, zone) // 1_000_000


# The days to search hour by hour, and those that are covered completely. When days begin is a parameter: PostgreSQL
# spent half the time of the query on computing it.
_DAYS = f"""
day AS (
    SELECT to_timestamp(starts[number]) AS starts_at, to_timestamp(starts[number + 1]) AS ends_at,
        covered_seconds, is_settled
    FROM (
        SELECT local_date - %(first_day)s::date + 1 AS number, sum(covered_seconds) AS covered_seconds,
            bool_and(is_settled) AS is_settled
        FROM daily_rollup
        WHERE storage_unit_id = %(unit_id)s AND local_date BETWEEN %(first_day)s AND %(last_day)s GROUP BY 1
    ) AS total, (SELECT %(day_starts)s::bigint[] AS starts) AS given
),
complete_day AS (
    SELECT * FROM day
    WHERE is_settled AND covered_seconds >= date_part('epoch', ends_at - starts_at) - {_ROUNDING_SECONDS}
),
span AS (SELECT starts_at, ends_at FROM day EXCEPT ALL SELECT starts_at, ends_at FROM complete_day)
"""  # noqa: S608  constants only
_WHOLE_RANGE = """
complete_day AS (SELECT NULL::timestamptz AS starts_at, NULL::timestamptz AS ends_at LIMIT 0),
span AS (SELECT %(start)s::timestamptz AS starts_at, %(until)s::timestamptz AS ends_at)
"""


def microseconds_sql(instant: str) -> str:
    """Return SQL for an instant in microseconds since 1970; a double holds them exactly until the year 2255."""
    return f"(date_part('epoch', {instant}) * 1000000)::bigint"


def pieces_sql(*, with_days: bool) -> str:
    """Return the query of the periods of which the query of the gaps reads readings."""
    return f"WITH {_pieces_sql(with_days)} SELECT from_at, to_at FROM piece"  # noqa: S608  constants only


def _pieces_sql(with_days: bool) -> str:
    return f"""{_DAYS if with_days else _WHOLE_RANGE},
hour AS (
    SELECT hourly.*, is_settled AND covered_seconds >= 3600 - {_ROUNDING_SECONDS} AS is_complete
    FROM span CROSS JOIN LATERAL (
        SELECT hour AS starts_at, hour + interval '1 hour' AS ends_at, bool_and(is_settled) AS is_settled,
            sum(covered_seconds) AS covered_seconds, sum(reading_count) AS reading_count,
            sum(reading_count - fault_count) AS measured_count
        FROM hourly_rollup
        WHERE storage_unit_id = %(unit_id)s AND hour >= date_trunc('hour', span.starts_at, 'UTC')
            AND hour < span.ends_at
        GROUP BY hour OFFSET 0
    ) AS hourly
),
bounds AS (
    SELECT coalesce(sum(reading_count), 0) <= %(max_readings)s AS is_few FROM hour WHERE NOT is_complete
),
piece AS (
    SELECT %(unit_id)s::int AS storage_unit_id, lower(period) AS from_at, upper(period) AS to_at
    FROM (
        SELECT range_agg(tstzrange(starts_at, ends_at)) AS periods FROM hour, bounds WHERE NOT is_complete AND is_few
    ) AS incomplete CROSS JOIN unnest(periods) AS period
)"""  # noqa: S608  constants only


def gaps_sql(*, with_days: bool) -> str:
    """Return the query of the columns of GAP, in order of time.

    with_days: look only at the hours of days that are not covered completely.
    """
    return f"""
WITH {_pieces_sql(with_days)},
{WEIGHTED},
covered AS (
    SELECT range_agg(period) AS periods FROM (
        SELECT tstzrange(starts_at, ends_at) AS period FROM complete_day
        UNION ALL
        SELECT tstzrange(starts_at, ends_at) FROM hour, bounds
        WHERE is_complete OR (NOT is_few AND CASE WHEN is_settled THEN covered_seconds ELSE measured_count END > 0)
        UNION ALL
        SELECT tstzrange(valid_from, valid_until) FROM weighted
    ) AS part
)
SELECT {microseconds_sql("lower(gap)")}, {microseconds_sql("upper(gap)")}
FROM (
    SELECT gap FROM covered
    CROSS JOIN unnest(tstzmultirange(tstzrange(%(start)s, %(until)s)) - coalesce(periods, '{{}}')) AS gap
    ORDER BY upper(gap) - lower(gap) DESC, lower(gap) LIMIT {MAX_GAPS}
) AS longest ORDER BY lower(gap)
"""  # noqa: S608  constants only
