"""The time that a unit was outside the limits in force: exact, and computed only where needed.

Roll-ups do not contain it: an hour's maximum says whether it was too warm, not for how long. So the hourly roll-up
gives the hours with a temperature outside the limits of that time, and only the readings of those hours, and of the
time for which they stayed valid, are weighted. If that is more than MAX_WEIGHTED_RANGE there is no result; a shorter
range has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.db.prepared import Parameters
from core.db.replica import read_connection
from readings.storage.archive.reading import with_archived
from readings.storage.time_weighting import LONGEST_GAP, WEIGHTED
from readings.time_ranges import TimeRange
from readings.units.comparison import ROUNDING_K

# A month of readings, even one per minute, is weighted within a fifth of a second.
MAX_WEIGHTED_RANGE = timedelta(days=32)


class TooMuchOutside(ValueError):  # noqa: N818 - reads better where it is caught
    """The unit was outside its limits in too much of the range to add it up."""


@dataclass(frozen=True, slots=True)
class TimeOutside:
    """The time beyond a warning limit, and the part of it beyond a critical limit."""

    outside: timedelta
    critical: timedelta


def time_outside(unit_id: int, time_range: TimeRange) -> TimeOutside | None:
    """Return the time in `time_range` in which the unit's temperature is known to be outside the limits in force.

    None if there were no limits in the range, or it has no length. At most two queries. Raises TooMuchOutside.
    """
    if time_range.is_empty:
        return None
    parameters: Parameters = {"unit_id": unit_id, "start": time_range.start, "end": time_range.end}
    with read_connection().cursor() as cursor:
        cursor.execute(PIECES, parameters)
        found: list[tuple[datetime | None, datetime | None]] = cursor.fetchall()
        if not found:
            return None
        pieces = [(since, until) for since, until in found if since is not None and until is not None]
        if not pieces:
            return TimeOutside(timedelta(), timedelta())
        if sum((until - since for since, until in pieces), timedelta()) > MAX_WEIGHTED_RANGE:
            raise TooMuchOutside
        since, until = zip(*pieces, strict=True)
        bounds: Parameters = {
            "earliest": min(since) - LONGEST_GAP,
            "latest": max(until),
            "since": list(since),
            "until": list(until),
        }
    parameters |= bounds
    outside, critical = with_archived([unit_id], pieces, lambda: _row(SECONDS_OUTSIDE, parameters), reaches_back=True)
    return TimeOutside(timedelta(seconds=outside), timedelta(seconds=critical))


def _row(sql: str, parameters: Parameters) -> tuple[float, float]:
    with read_connection().cursor() as cursor:
        cursor.execute(sql, parameters)
        row: tuple[float, float] = cursor.fetchone()
    return row


# The limits with a possible rounding error, so that what is beyond is certainly outside, as in
# `readings.units.comparison`. Without a warning limit, the critical one is the lowest or highest. Where there is no
# limit, nothing is beyond it.
_PERIOD = f"""period AS MATERIALIZED (
    SELECT valid_from, valid_until, make_interval(secs => gap_limit_seconds) AS staleness_limit,
        coalesce(low_warning_c, low_critical_c) - margin_k AS low,
        coalesce(high_warning_c, high_critical_c) + margin_k AS high,
        low_critical_c - CASE WHEN is_low_critical_inclusive THEN -{ROUNDING_K} ELSE margin_k END AS low_critical,
        high_critical_c + margin_k AS high_critical,
        sensor_policy, named_sensor_id
    FROM limit_period CROSS JOIN LATERAL (
        SELECT CASE WHEN is_inclusive THEN -{ROUNDING_K} ELSE {ROUNDING_K} END AS margin_k
    ) AS rounding
    WHERE storage_unit_id = %(unit_id)s AND valid_from < %(end)s AND valid_until > %(start)s
)"""  # noqa: S608  constants only
# A row of nulls for a period of limits in which nothing was outside. A reading remains valid for the staleness limit:
# the one valid when the period begins may precede it.
PIECES = f"""
WITH {_PERIOD},
candidate AS (
    SELECT valid_from, valid_until,
        (SELECT range_agg(tstzrange(hour, hour + interval '1 hour' + staleness_limit)) FROM hourly_rollup
         WHERE storage_unit_id = %(unit_id)s AND (max_c > high OR min_c < low)
            AND hour > greatest(valid_from, %(start)s) - staleness_limit - interval '1 hour'
            AND hour < least(valid_until, %(end)s))
        * tstzmultirange(tstzrange(greatest(valid_from, %(start)s), least(valid_until, %(end)s))) AS outside_hours
    FROM period WHERE low IS NOT NULL OR high IS NOT NULL
)
SELECT lower(piece), upper(piece) FROM candidate LEFT JOIN LATERAL unnest(outside_hours) AS piece ON true
"""  # noqa: S608  constants only


def _seconds_beyond(kind: str) -> str:
    condition = f"temperature_c > high{kind} OR temperature_c < low{kind}"
    return f"""
    (SELECT coalesce(sum(date_part('epoch', upper(beyond) - lower(beyond))), 0)
     FROM unnest(range_agg(tstzrange(since, until)) FILTER (WHERE {condition})) AS beyond)"""  # noqa: S608  constants only


# Each piece lies in one period of limits. The mean of the sensors changes wherever one of them does.
SECONDS_OUTSIDE = f"""
WITH {_PERIOD},
piece AS (
    SELECT %(unit_id)s::int AS storage_unit_id, from_at, to_at
    FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) AS piece (from_at, to_at)
),
{WEIGHTED},
judged_piece AS MATERIALIZED (
    SELECT from_at, low, high, low_critical, high_critical, sensor_policy, named_sensor_id
    FROM piece JOIN period ON from_at >= valid_from AND from_at < valid_until
),
measured AS (
    SELECT weighted.from_at, sensor_id, valid_from AS since, valid_until AS until, temperature_c,
        low, high, low_critical, high_critical, sensor_policy, named_sensor_id
    FROM weighted JOIN judged_piece ON judged_piece.from_at = weighted.from_at
),
judged AS (
    SELECT since, until, temperature_c, low, high, low_critical, high_critical FROM measured
    WHERE sensor_policy = 'any' OR sensor_policy = 'named' AND sensor_id = named_sensor_id
    UNION ALL
    SELECT at, lead(at) OVER in_piece, sum(sum(change_c)) OVER in_piece / nullif(sum(sum(change)) OVER in_piece, 0),
        low, high, low_critical, high_critical
    FROM measured CROSS JOIN LATERAL (
        VALUES (since, 1, temperature_c), (until, -1, -temperature_c)
    ) AS sensor_change (at, change, change_c)
    WHERE sensor_policy = 'mean'
    GROUP BY from_at, at, low, high, low_critical, high_critical
    WINDOW in_piece AS (PARTITION BY from_at ORDER BY at)
)
SELECT {_seconds_beyond("")}, {_seconds_beyond("_critical")}
FROM judged
"""  # noqa: S608  constants only
