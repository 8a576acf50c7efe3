"""The statements of `readings.storage.rollups`."""

from readings.storage.local_days import day_of_sql, start_of_day_sql
from readings.storage.measures import (
    COUNT_COLUMNS,
    COUNTS_OF_READINGS,
    NO_WEIGHTS,
    WEIGHT_COLUMNS,
    WEIGHTS,
    weight_sums,
)
from readings.storage.store_sql import UPSERT_INSERTED
from readings.storage.time_weighting import TIME_WEIGHTS, longest_staleness_limit_sql


def _refresh(table: str, period: str) -> str:
    """Return SQL that writes the sums of `part`, a relation of (unit, period, sensor, from_at, weights), to a roll-up.

    `part` holds a row of zeros for every row of the roll-up, so that all of them are refreshed, measured or not.
    """
    return f"""
total AS (
    SELECT storage_unit_id, {period}, sensor_id,
        {weight_sums("from_at")}
    FROM part GROUP BY 1, 2, 3
)
UPDATE {table} AS rollup SET
    {", ".join(f"{name} = total.{name}" for name in WEIGHTS)},
    is_settled = true
FROM total
WHERE rollup.storage_unit_id = total.storage_unit_id AND rollup.{period} = total.{period}
    AND rollup.sensor_id = total.sensor_id"""  # noqa: S608  constants only


# Units that another transaction is storing to are skipped, as are those that a rebuild is to refresh; see `rollups`.
LOCK_STALE_UNITS = """
SELECT id FROM storage_unit
WHERE id >= %s
    AND (
        EXISTS (SELECT FROM hourly_rollup WHERE storage_unit_id = storage_unit.id AND NOT is_settled)
        OR EXISTS (SELECT FROM daily_rollup WHERE storage_unit_id = storage_unit.id AND NOT is_settled)
    )
    AND NOT EXISTS (SELECT FROM rollup_rebuild WHERE storage_unit_id = storage_unit.id AND attempts > 0)
ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""

STALE_HOURS = """
SELECT DISTINCT storage_unit_id, hour FROM hourly_rollup
WHERE NOT is_settled AND storage_unit_id = ANY(%(unit_ids)s)
ORDER BY storage_unit_id, hour LIMIT %(most)s
"""

REFRESH_HOURS = f"""
WITH piece AS (
    SELECT storage_unit_id, from_at, from_at + interval '1 hour' AS to_at
    FROM unnest(%(unit_ids)s, %(hours)s::timestamptz[]) AS hour (storage_unit_id, from_at)
),
{TIME_WEIGHTS},
part AS (
    SELECT storage_unit_id, from_at AS hour, sensor_id, from_at, {WEIGHT_COLUMNS} FROM weights
    UNION ALL
    SELECT rollup.storage_unit_id, hour, sensor_id, from_at, {NO_WEIGHTS} FROM piece CROSS JOIN LATERAL (
        SELECT * FROM hourly_rollup WHERE storage_unit_id = piece.storage_unit_id AND hour = from_at OFFSET 0
    ) AS rollup
),
{_refresh("hourly_rollup", "hour")}
"""  # noqa: S608  constants only

# A day can be refreshed once all its hours are. In zones with half-hour offsets its ends lie within a UTC hour.
STALE_DAYS = f"""
WITH stale AS (
    SELECT DISTINCT storage_unit_id, local_date FROM daily_rollup
    WHERE NOT is_settled AND storage_unit_id = ANY(%(unit_ids)s)
),
day AS (
    SELECT storage_unit_id, local_date,
        {start_of_day_sql("local_date", "time_zone")} AS starts_at,
        {start_of_day_sql("(local_date + 1)", "time_zone")} AS ends_at
    FROM stale
    JOIN storage_unit ON storage_unit.id = storage_unit_id
    JOIN facility ON facility.id = storage_unit.facility_id
)
SELECT storage_unit_id, local_date, starts_at, ends_at FROM day
WHERE NOT EXISTS (
    SELECT FROM hourly_rollup AS hourly
    WHERE hourly.storage_unit_id = day.storage_unit_id AND NOT is_settled
        AND hour >= date_trunc('hour', starts_at, 'UTC') AND hour < ends_at
)
ORDER BY storage_unit_id, local_date LIMIT %(most)s
"""  # noqa: S608  constants only

REFRESH_DAYS = f"""
WITH day AS (
    SELECT *, date_bin('1 hour', starts_at + interval '59:59.999999', '2000-01-01 00:00+00') AS first_hour,
        date_trunc('hour', ends_at, 'UTC') AS last_hour
    FROM unnest(%(unit_ids)s, %(local_dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS day (storage_unit_id, local_date, starts_at, ends_at)
),
piece AS (
    SELECT storage_unit_id, starts_at AS from_at, first_hour AS to_at FROM day WHERE starts_at < first_hour
    UNION ALL
    SELECT storage_unit_id, last_hour, ends_at FROM day WHERE last_hour < ends_at
),
{TIME_WEIGHTS},
part AS (
    SELECT day.storage_unit_id, local_date, sensor_id, hour AS from_at, {WEIGHT_COLUMNS}
    FROM day CROSS JOIN LATERAL (
        SELECT * FROM hourly_rollup
        WHERE storage_unit_id = day.storage_unit_id AND hour >= first_hour AND hour < last_hour OFFSET 0
    ) AS hourly
    UNION ALL
    SELECT day.storage_unit_id, local_date, sensor_id, from_at, {WEIGHT_COLUMNS}
    FROM day JOIN weights ON weights.storage_unit_id = day.storage_unit_id
        AND from_at >= starts_at AND from_at < ends_at
    UNION ALL
    SELECT rollup.storage_unit_id, day.local_date, sensor_id, starts_at, {NO_WEIGHTS} FROM day CROSS JOIN LATERAL (
        SELECT * FROM daily_rollup
        WHERE storage_unit_id = day.storage_unit_id AND local_date = day.local_date OFFSET 0
    ) AS rollup
),
{_refresh("daily_rollup", "local_date")}
"""  # noqa: S608  constants only

DROP_ROLLUPS = """
DELETE FROM hourly_rollup WHERE storage_unit_id = %(unit_id)s;
DELETE FROM daily_rollup WHERE storage_unit_id = %(unit_id)s;
DELETE FROM latest_reading WHERE storage_unit_id = %(unit_id)s
"""
UPSERT_STORED = f"WITH inserted AS (SELECT * FROM reading WHERE storage_unit_id = %(unit_id)s), {UPSERT_INSERTED}"  # noqa: S608


def _recount(table: str, period: str, starts: str, ends: str) -> str:
    return f"""
UPDATE {table} AS rollup SET ({COUNT_COLUMNS}, is_settled) = (
    SELECT {COUNTS_OF_READINGS}, false FROM reading
    WHERE storage_unit_id = rollup.storage_unit_id AND sensor_id = rollup.sensor_id
        AND recorded_at >= {starts} AND recorded_at < {ends}
)
FROM storage_unit JOIN facility ON facility.id = storage_unit.facility_id
WHERE rollup.storage_unit_id = %(unit_id)s AND sensor_id = %(sensor_id)s AND storage_unit.id = rollup.storage_unit_id
    AND {period}"""  # noqa: S608  constants only


_LONGEST_STALENESS_LIMIT = longest_staleness_limit_sql("%(unit_id)s", "%(recorded_at)s::timestamptz")
_VALID_UNTIL = f"(%(recorded_at)s::timestamptz + {_LONGEST_STALENESS_LIMIT})"
# The effects of one changed reading: its own hour and day are recounted; those it is valid in become stale.
RECOUNT = ";".join(
    [
        _recount(
            "hourly_rollup",
            "hour = date_trunc('hour', %(recorded_at)s::timestamptz, 'UTC')",
            "rollup.hour",
            "rollup.hour + interval '1 hour'",
        ),
        _recount(
            "daily_rollup",
            f"local_date = {day_of_sql('%(recorded_at)s::timestamptz', 'time_zone')}",
            start_of_day_sql("rollup.local_date", "time_zone"),
            start_of_day_sql("(rollup.local_date + 1)", "time_zone"),
        ),
        f"""
UPDATE hourly_rollup SET is_settled = false
WHERE storage_unit_id = %(unit_id)s AND hour > %(recorded_at)s::timestamptz - interval '1 hour'
    AND hour <= {_VALID_UNTIL}""",  # noqa: S608  constants only
        f"""
UPDATE daily_rollup SET is_settled = false
FROM storage_unit JOIN facility ON facility.id = storage_unit.facility_id
WHERE storage_unit_id = %(unit_id)s AND storage_unit.id = storage_unit_id
    AND local_date >= {day_of_sql("%(recorded_at)s::timestamptz", "time_zone")}
    AND local_date <= {day_of_sql(_VALID_UNTIL, "time_zone")}""",  # noqa: S608  constants only
        """
UPDATE latest_reading SET temperature_c = reading.temperature_c, scale = reading.scale,
    quality_score = reading.quality_score, equipment_status_id = reading.equipment_status_id
FROM reading
WHERE latest_reading.storage_unit_id = %(unit_id)s
    AND latest_reading.recorded_at = %(recorded_at)s AND latest_reading.sensor_id = %(sensor_id)s
    AND (reading.storage_unit_id, reading.recorded_at, reading.sensor_id)
        = (latest_reading.storage_unit_id, latest_reading.recorded_at, latest_reading.sensor_id)""",
    ]
)
