"""The time that a unit was outside its limits: exact, and computed only where needed.

Roll-ups do not contain it: an hour's maximum says whether it was too warm, not for how long. So the hourly roll-up
gives the hours with a temperature outside the limits, and only the readings of those hours, and of the time for which
they stayed valid, are weighted. If that is more than MAX_WEIGHTED_RANGE the result is unknown; a shorter range has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from core.db.prepared import Parameters
from readings.storage.rollups import LONGEST_GAP
from readings.storage.time_weighting import STALENESS_LIMIT, TIME_WEIGHTS
from readings.time_ranges import TimeRange
from readings.units.condition import LimitsInForce

# A month of readings, even one per minute, is weighted within some hundredths of a second.
MAX_WEIGHTED_RANGE = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class TimeOutside:
    """The time beyond a warning limit, and the part of it beyond a critical limit."""

    outside: timedelta
    critical: timedelta


def time_outside(unit_id: int, time_range: TimeRange, limits: LimitsInForce) -> TimeOutside | None:
    """Return the time in `time_range` in which a valid reading of any sensor was outside `limits`.

    None where it is not known: there are no limits, or it was outside in too much of the range. At most two queries.
    """
    if not limits or time_range.is_empty:
        return None
    parameters: Parameters = {"unit_id": unit_id, "start": time_range.start, "end": time_range.end}
    parameters["low"], parameters["high"] = limits.widened(limits.lowest_and_highest)
    parameters["low_critical"], parameters["high_critical"] = limits.widened(limits.critical)
    with connection.cursor() as cursor:
        cursor.execute(INTERVALS, parameters)
        periods: list[tuple[datetime, datetime]] = cursor.fetchall()
        if not periods:
            return TimeOutside(timedelta(), timedelta())
        if sum((until - since for since, until in periods), timedelta()) > MAX_WEIGHTED_RANGE:
            return None
        since, until = zip(*periods, strict=True)
        bounds = {
            "earliest": min(since) - LONGEST_GAP,
            "latest": max(until),
            "since": list(since),
            "until": list(until),
        }
        cursor.execute(SECONDS_OUTSIDE, parameters | bounds)
        outside, critical = cursor.fetchone()
    return TimeOutside(timedelta(seconds=outside), timedelta(seconds=critical))


# A reading remains valid for the staleness limit: the one valid when the range begins may precede it.
INTERVALS = f"""
WITH unit AS (SELECT id, {STALENESS_LIMIT} AS staleness_limit FROM storage_unit WHERE id = %(unit_id)s),
candidate AS (
    SELECT range_agg(tstzrange(hour, hour + interval '1 hour' + staleness_limit))
        * tstzmultirange(tstzrange(%(start)s, %(end)s)) AS outside_hours
    FROM unit JOIN hourly_rollup ON storage_unit_id = unit.id
        AND hour > %(start)s - staleness_limit - interval '1 hour' AND hour < %(end)s
    WHERE max_c > %(high)s OR min_c < %(low)s
)
SELECT lower(period), upper(period) FROM candidate CROSS JOIN unnest(outside_hours) AS period
"""  # noqa: S608  constants only
# Where there is no limit, nothing is above or below it.
_SECONDS = """
    (SELECT coalesce(sum(date_part('epoch', upper(period) - lower(period))), 0)
     FROM unnest(
        range_agg(tstzrange(valid_from, valid_until))
            FILTER (WHERE temperature_c > %(high{kind})s OR temperature_c < %(low{kind})s)
     ) AS period)"""
SECONDS_OUTSIDE = f"""
WITH piece AS (
    SELECT %(unit_id)s::int AS storage_unit_id, from_at, to_at
    FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) AS period (from_at, to_at)
),
{TIME_WEIGHTS}
SELECT {_SECONDS.format(kind="")}, {_SECONDS.format(kind="_critical")}
FROM weighted
"""  # noqa: S608  constants only
