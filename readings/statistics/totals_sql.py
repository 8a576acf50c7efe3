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
    counts_of_readings,
    weight_sums,
)
from readings.storage.time_weighting import time_weights


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


def _sensor(by_sensor: bool) -> str:
    return "sensor_id" if by_sensor else "NULL::int"


def _rollup(table: str, period: str, kind: str, bucket: str, *, by_sensor: bool, with_weights: bool) -> Prepared:
    """Return the statement that sums a roll-up.

    With weights it leaves out what is stale and lists it, by unit and period in the first and the last column, from
    the same snapshot: what becomes stale in between must not be counted on two levels. Each period is summed by itself,
    since the index has its rows in the order in which weights are summed.
    """
    sensor = _sensor(by_sensor)
    if not with_weights:
        rows = _requested_rows(table, period, kind)
        return Prepared(f"SELECT group_id, {sensor}, {bucket}, {COUNTS_OF_ROWS} FROM {rows} GROUP BY 1, 2, 3")  # noqa: S608
    return Prepared(
        f"""
WITH stale AS MATERIALIZED (
    SELECT DISTINCT storage_unit_id, {period} FROM {_requested_rows(table, period, kind, "NOT is_settled")}
)
SELECT group_id, rollup.sensor_id, rollup.bucket, {COUNTS_OF_ROWS},
    {weight_sums("unit_id, first, rollup.bucket, rollup.sensor_id")}, NULL AS stale
FROM {_requested(kind)} CROSS JOIN LATERAL (
    SELECT {sensor} AS sensor_id, {bucket} AS bucket, {COUNTS_OF_ROWS}, {weight_sums(f"{period}, sensor_id")}
    FROM {table}
    WHERE storage_unit_id = unit_id AND {period} >= first AND {period} < until
        AND (storage_unit_id, {period}) NOT IN (SELECT * FROM stale)
    GROUP BY 1, 2 OFFSET 0
) AS rollup
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
    column = "hour" if bucket == _HOUR else "requested.bucket"
    return _rollup("hourly_rollup", "hour", "timestamptz", column, by_sensor=by_sensor, with_weights=with_weights)


@cache
def raw(bucket: str, *, by_sensor: bool, with_weights: bool) -> Prepared:
    """Return the statement that sums raw readings, with weights if requested."""
    column = "date_trunc('hour', from_at, 'UTC')" if bucket == _HOUR else "bucket"
    piece = f"""piece AS (
    SELECT unit_id AS storage_unit_id, first AS from_at, until AS to_at, group_id, bucket
    FROM {_requested("timestamptz")}
)"""  # noqa: S608  constants only
    groups = f"SELECT group_id, {_sensor(by_sensor)}, {column}, {COUNTS_OF_ROWS}"
    if not with_weights:
        return Prepared(f"WITH {piece} {groups} FROM piece CROSS JOIN {_COUNTS_OF_PIECE} GROUP BY 1, 2, 3")
    weights = weight_sums("storage_unit_id, from_at, sensor_id")
    counted = counts_of_readings("is_recorded_in_piece")
    return Prepared(f"WITH {piece}, {time_weights(counted)} {groups}, {weights} FROM weights GROUP BY 1, 2, 3")


# LATERAL with OFFSET 0: see readings.storage.time_weighting. Each piece is summed by itself, as that needs no sorting.
_COUNTS_OF_PIECE = f"""LATERAL (
    SELECT sensor_id, {COUNTS_OF_READINGS} FROM reading
    WHERE storage_unit_id = piece.storage_unit_id AND recorded_at >= from_at AND recorded_at < to_at
        AND recorded_at BETWEEN %(earliest)s::timestamptz AND %(latest)s::timestamptz
    GROUP BY sensor_id OFFSET 0
) AS counted"""  # noqa: S608  constants only
