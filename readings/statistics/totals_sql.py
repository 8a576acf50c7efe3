"""The queries of `readings.statistics.totals`: sums by group, sensor and bucket, or what a level can't answer.

`requested` is always a relation of (unit_id, group_id, first, until, bucket): a half-open period of
one unit, the group it counts for and, below the level of days, the bucket it lies in. All statements are
prepared: an index serves them for any number of units. Those over readings are given the bounds of all their periods,
so that only the partitions between them are read.
"""

from functools import cache

from core.db.prepared import Prepared
from readings.storage.measures import (
    COUNTS_OF_READINGS,
    COUNTS_OF_ROWS,
    NO_COUNTS,
    NO_WEIGHTS,
    WEIGHTS,
    weight_sums,
)
from readings.storage.time_weighting import TIME_WEIGHTS


def _weight_sums(period: str) -> str:
    return weight_sums(f"rollup.storage_unit_id, rollup.{period}, rollup.sensor_id", "rollup")


def _requested(kind: str) -> str:
    return f"""unnest(%(unit_ids)s::int[], %(group_ids)s::int[], %(firsts)s::{kind}[], %(ends)s::{kind}[],
        %(buckets)s::date[]) AS requested (unit_id, group_id, first, until, bucket)"""


def _requested_rows(table: str, period: str, kind: str, condition: str = "true") -> str:
    """Return the rows of a roll-up that are requested.

    LATERAL with OFFSET 0, see readings.storage.time_weighting: with few units in the system the planner would read the
    whole roll-up for some of its hours.
    """
    return f"""{_requested(kind)} CROSS JOIN LATERAL (
    SELECT * FROM {table}
    WHERE storage_unit_id = unit_id AND {period} >= first AND {period} < until AND {condition}
    OFFSET 0
) AS rollup"""  # noqa: S608  constants only


# The bucket of a row of a level, by the name of the bucket.
_BUCKET_OF_DAY = {
    "": "NULL::date",
    "day": "local_date",
    "week": "date_trunc('week', local_date)::date",
    "month": "date_trunc('month', local_date)::date",
}
_HOUR = "hour"


def _grouped(sensor: bool) -> str:
    return "group_id, rollup.sensor_id" if sensor else "group_id, NULL::int"


def _rollup(table: str, period: str, kind: str, bucket: str, *, by_sensor: bool, with_weights: bool) -> Prepared:
    """Return the statement that sums a roll-up.

    With weights it leaves out what is stale and lists it, by unit and period in the first and the last column, from
    the same snapshot: what becomes stale in between must not be counted on two levels.
    """
    rows = _requested_rows(table, period, kind)
    if not with_weights:
        return Prepared(f"SELECT {_grouped(by_sensor)}, {bucket}, {COUNTS_OF_ROWS} FROM {rows} GROUP BY 1, 2, 3")  # noqa: S608
    stale_rows = _requested_rows(table, period, kind, "NOT is_settled")
    return Prepared(
        f"""
WITH stale AS MATERIALIZED (SELECT DISTINCT storage_unit_id, {period} FROM {stale_rows})
SELECT {_grouped(by_sensor)}, {bucket}, {COUNTS_OF_ROWS}, {_weight_sums(period)}, NULL AS stale
FROM {rows}
WHERE (storage_unit_id, {period}) NOT IN (SELECT * FROM stale)
GROUP BY 1, 2, 3
UNION ALL
SELECT storage_unit_id, NULL, NULL, {NO_COUNTS}, {NO_WEIGHTS}, {period} FROM stale"""  # noqa: S608  constants only
    )


@cache
def days(bucket: str, *, by_sensor: bool, with_weights: bool) -> Prepared:
    """Return the statement that sums requested days; with weights, the refreshed ones, and lists the others."""
    column = _BUCKET_OF_DAY[bucket]
    return _rollup("daily_rollup", "local_date", "date", column, by_sensor=by_sensor, with_weights=with_weights)


@cache
def hours(bucket: str, *, by_sensor: bool, with_weights: bool) -> Prepared:
    """Return the statement that sums requested hours; with weights, the refreshed ones, and lists the others."""
    column = "rollup.hour" if bucket == _HOUR else "requested.bucket"
    return _rollup("hourly_rollup", "hour", "timestamptz", column, by_sensor=by_sensor, with_weights=with_weights)


def _bucket_of_piece(bucket: str, from_at: str) -> str:
    return f"date_trunc('hour', {from_at}, 'UTC')" if bucket == _HOUR else "requested.bucket"


# LATERAL with OFFSET 0: see readings.storage.time_weighting. Each period is summed by itself, as that needs no sorting.
def _raw_counts(requested: str, bucket: str, *, by_sensor: bool, weights: str = "") -> str:
    return f"""
SELECT {_grouped(by_sensor)}, {_bucket_of_piece(bucket, "requested.first")}, {COUNTS_OF_ROWS}{weights}
FROM {requested} CROSS JOIN LATERAL (
    SELECT sensor_id, {COUNTS_OF_READINGS} FROM reading
    WHERE storage_unit_id = unit_id AND recorded_at >= first AND recorded_at < until
        AND recorded_at BETWEEN %(counted_from)s::timestamptz AND %(latest)s::timestamptz
    GROUP BY sensor_id OFFSET 0
) AS rollup
GROUP BY 1, 2, 3"""  # noqa: S608  constants only


@cache
def raw(bucket: str, *, by_sensor: bool, with_weights: bool) -> Prepared:
    """Return the statement that sums raw readings: rows of counts and, with weights, further rows of weights."""
    if not with_weights:
        return Prepared(_raw_counts(_requested("timestamptz"), bucket, by_sensor=by_sensor))
    no_weights = "".join(f", 0::double precision AS {name}" for name in WEIGHTS)
    return Prepared(
        f"""
WITH requested AS (SELECT * FROM {_requested("timestamptz")}),
piece AS (SELECT unit_id AS storage_unit_id, first AS from_at, until AS to_at FROM requested),
{TIME_WEIGHTS}
{_raw_counts("requested", bucket, by_sensor=by_sensor, weights=no_weights)}
UNION ALL
SELECT {_grouped(by_sensor)}, {_bucket_of_piece(bucket, "requested.first")}, {NO_COUNTS}, {_weight_sums("from_at")}
FROM weights AS rollup JOIN requested ON unit_id = storage_unit_id AND first = from_at
GROUP BY 1, 2, 3"""  # noqa: S608  constants only
    )
