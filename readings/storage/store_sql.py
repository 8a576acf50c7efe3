"""The statements that add readings to the roll-ups and the latest readings, and the parts they are made of."""

from core.db.prepared import Prepared
from readings.storage.local_days import day_of_sql
from readings.storage.measures import (
    ADD_EXCLUDED,
    COUNT_COLUMNS,
    COUNTS_OF_READINGS,
    COUNTS_OF_ROWS,
    NO_COUNTS,
    NO_WEIGHTS,
    WEIGHT_COLUMNS,
)
from readings.storage.time_weighting import longest_staleness_limit_sql

# Serialises transactions that store for the same unit, in the order of ids, so that two batches cannot deadlock over
# the roll-ups. NO KEY does not block foreign-key checks.
LOCK_UNITS = Prepared("SELECT id FROM storage_unit WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE")
# As LOCK_UNITS, and whether a partition exists: one statement less in each store. A partition is created and attached
# in one transaction, and renamed in the one that detaches it.
LOCK_UNITS_TO_STORE = Prepared("""
SELECT id, to_regclass(%(partition)s) IS NOT NULL FROM storage_unit
WHERE id = ANY(%(unit_ids)s) ORDER BY id FOR NO KEY UPDATE
""")
LOCK_FREE_UNITS = "SELECT id FROM storage_unit WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"


def upsert_into(table: str, period: str, rows: str) -> str:
    """Return SQL that adds `rows` of (unit, sensor, period, measures) to a roll-up and marks the changed as stale.

    A period without readings of its own that is stale already is not written again.
    """
    return f"""
    INSERT INTO {table} AS rollup (storage_unit_id, sensor_id, {period}, {COUNT_COLUMNS},
        {WEIGHT_COLUMNS}, is_settled)
    SELECT storage_unit_id, sensor_id, {period}, {COUNT_COLUMNS}, {NO_WEIGHTS}, false
    FROM {rows} ORDER BY storage_unit_id, {period}, sensor_id
    ON CONFLICT (storage_unit_id, {period}, sensor_id) DO UPDATE SET
        {ADD_EXCLUDED},
        is_settled = false
        WHERE rollup.is_settled OR excluded.reading_count > 0"""  # noqa: S608  constants only


# `newest` holds a reading of each unit, with `created_at`.
UPSERT_LATEST = """
latest AS (
    INSERT INTO latest_reading (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score,
        equipment_status_id, scale, created_at)
    SELECT storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale, created_at
    FROM newest ORDER BY storage_unit_id
    ON CONFLICT (storage_unit_id) DO UPDATE SET
        sensor_id = excluded.sensor_id, recorded_at = excluded.recorded_at, temperature_c = excluded.temperature_c,
        quality_score = excluded.quality_score, equipment_status_id = excluded.equipment_status_id,
        scale = excluded.scale, created_at = excluded.created_at
    WHERE (excluded.recorded_at, -excluded.sensor_id) > (latest_reading.recorded_at, -latest_reading.sensor_id)
)"""

# Each sensor's readings are summed once, by quarters of an hour: since 2000 every time zone's offset is a multiple of
# 15 minutes, so quarters make up UTC hours and local days alike.
#
# A reading remains valid after its own hour, up to the unit's staleness limit, the longest since the first of these
# readings: the hours and days it extends into get a row without readings, whose time-weighted columns `rollups.refresh`
# then fills.
QUARTERS = f"""
quarter AS (
    SELECT storage_unit_id, sensor_id, date_bin('15 minutes', recorded_at, '2000-01-01 00:00+00') AS starts_at,
        min(recorded_at) AS first_at, max(recorded_at) AS last_at,
        {COUNTS_OF_READINGS}
    FROM inserted GROUP BY 1, 2, 3
)"""  # noqa: S608  constants only

UPSERT_ROLLUPS = f"""
unit AS (
    SELECT storage_unit.id AS storage_unit_id, facility.time_zone,
        {longest_staleness_limit_sql("storage_unit.id", "began.first_at")} AS staleness_limit
    FROM (SELECT storage_unit_id, min(first_at) AS first_at FROM quarter GROUP BY 1) AS began
    JOIN storage_unit ON storage_unit.id = began.storage_unit_id
    JOIN facility ON facility.id = storage_unit.facility_id
),
located AS (
    SELECT quarter.*, date_trunc('hour', starts_at, 'UTC') AS hour,
        {day_of_sql("starts_at", "time_zone")} AS local_date,
        last_at + staleness_limit - interval '1 microsecond' AS valid_until, time_zone
    FROM quarter JOIN unit USING (storage_unit_id)
),
hours AS (
    SELECT storage_unit_id, sensor_id, hour,
        {COUNTS_OF_ROWS}
     FROM (
        SELECT storage_unit_id, sensor_id, hour, {COUNT_COLUMNS} FROM located
        UNION ALL
        SELECT storage_unit_id, sensor_id, reached.hour, {NO_COUNTS}
        FROM (
            SELECT storage_unit_id, sensor_id, hour, max(valid_until) AS valid_until FROM located GROUP BY 1, 2, 3
        ) AS own, generate_series(own.hour + interval '1 hour', own.valid_until, interval '1 hour') AS reached (hour)
    ) AS touched GROUP BY 1, 2, 3
),
days AS (
    SELECT storage_unit_id, sensor_id, local_date,
        {COUNTS_OF_ROWS}
     FROM (
        SELECT storage_unit_id, sensor_id, local_date, {COUNT_COLUMNS} FROM located
        UNION ALL
        SELECT storage_unit_id, sensor_id, reached.day::date, {NO_COUNTS}
        FROM (
            SELECT storage_unit_id, sensor_id, local_date, time_zone, max(valid_until) AS valid_until
            FROM located GROUP BY 1, 2, 3, 4
        ) AS own,
            generate_series(
                own.local_date + interval '1 day', {day_of_sql("own.valid_until", "time_zone")}, interval '1 day'
            ) AS reached (day)
    ) AS touched GROUP BY 1, 2, 3
),
upserted_hours AS ({upsert_into("hourly_rollup", "hour", "hours")}
),
upserted_days AS ({upsert_into("daily_rollup", "local_date", "days")}
),
newest AS (
    SELECT DISTINCT ON (storage_unit_id) inserted.*
    FROM inserted
    WHERE (storage_unit_id, recorded_at) IN (SELECT storage_unit_id, max(last_at) FROM quarter GROUP BY 1)
    ORDER BY storage_unit_id, sensor_id
),
{UPSERT_LATEST}
"""  # noqa: S608  constants only
# Of each unit its id, the number of its readings, the first and the last of their times, and when they were stored.
SUMS_OF_UNITS = """
SELECT storage_unit_id, sum(reading_count)::bigint, min(first_at), max(last_at), statement_timestamp()
FROM quarter GROUP BY 1
"""

UPSERT_INSERTED = f"{QUARTERS},\n{UPSERT_ROLLUPS}{SUMS_OF_UNITS}"

# Readings keep the instant at which they arrived. None of them is late: no day is sealed while readings wait for it.
STORE_DUE = f"""
WITH due AS (
    DELETE FROM future_reading WHERE storage_unit_id = %(unit_id)s AND recorded_at <= %(until)s RETURNING *
),
inserted AS (
    INSERT INTO reading
        (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale, created_at)
    SELECT storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale, created_at
    FROM due
    RETURNING *
),
{UPSERT_INSERTED}
"""  # noqa: S608  constants only
