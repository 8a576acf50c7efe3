"""The statements of `readings.storage.store`, in the order in which it runs them."""

from readings.storage.closing import KEEP_LATE
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
LOCK_UNITS = "SELECT id FROM storage_unit WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

# The table outlives its transaction and is emptied with it: creating one per batch would bloat the catalogue. A second
# batch of the same transaction finds the first one's rows, hence the TRUNCATE. The page cost is that of memory, where
# recent readings are; otherwise a batch of ten thousand would read whole partitions to find its duplicates.
PREPARE_STAGING = """
SET LOCAL random_page_cost = 1.1;
CREATE TEMPORARY TABLE IF NOT EXISTS reading_staging (
    storage_unit_id integer NOT NULL,
    sensor_id integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    temperature_c double precision NOT NULL,
    quality_score double precision NOT NULL,
    equipment_status_id smallint NOT NULL,
    scale varchar(1) NOT NULL,
    row_index integer NOT NULL
) ON COMMIT DELETE ROWS;
TRUNCATE reading_staging
"""

COPY_STAGING = "COPY reading_staging FROM STDIN (FORMAT binary)"


def _set_aside(stored: str) -> str:
    """Return SQL that removes the staged rows whose key is in `stored`, a table of readings."""
    return f"""
    DELETE FROM reading_staging AS staged USING {stored} AS stored
    WHERE stored.storage_unit_id = staged.storage_unit_id
        AND stored.recorded_at = staged.recorded_at
        AND stored.sensor_id = staged.sensor_id
        AND stored.recorded_at BETWEEN %(first)s AND %(last)s
    RETURNING row_index, stored.temperature_c AS stored_c, nullif(staged.temperature_c, 'NaN') AS sent_c"""  # noqa: S608  constants only


# Of a row whose key is stored. A difference below a millionth of a degree is the same measurement sent in another
# scale.
IS_CONTRADICTION = "((stored_c IS NULL) <> (sent_c IS NULL) OR coalesce(abs(stored_c - sent_c) > 1e-6, false))"

# Rows that are stored already are set aside and counted; contradictions are reported. The bounds let the planner leave
# other months' partitions out.
SET_ASIDE_KNOWN = f"""
WITH known_readings AS ({_set_aside("reading")}
),
known_future_readings AS ({_set_aside("future_reading")}
),
known AS (SELECT * FROM known_readings UNION ALL SELECT * FROM known_future_readings)
SELECT count(*), array_agg(row_index ORDER BY row_index) FILTER (WHERE {IS_CONTRADICTION}) FROM known
"""  # noqa: S608  constants only

# What is dated ahead waits in a table of its own, so that nothing that reads readings has to leave it out.
KEEP_FUTURE = """
WITH ahead AS (DELETE FROM reading_staging WHERE recorded_at > %(until)s RETURNING *),
kept AS (
    INSERT INTO future_reading
        (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale)
    SELECT storage_unit_id, sensor_id, recorded_at, nullif(temperature_c, 'NaN'), quality_score,
        equipment_status_id, scale
    FROM ahead
    RETURNING storage_unit_id, recorded_at
)
SELECT storage_unit_id, count(*), min(recorded_at), max(recorded_at), statement_timestamp() FROM kept GROUP BY 1
"""


def _upsert_into(table: str, period: str, rows: str) -> str:
    """Return SQL that adds `rows` of (unit, sensor, period, measures) to a roll-up and marks the changed as stale."""
    return f"""
    INSERT INTO {table} AS rollup (storage_unit_id, sensor_id, {period}, {COUNT_COLUMNS},
        {WEIGHT_COLUMNS}, is_settled)
    SELECT storage_unit_id, sensor_id, {period}, {COUNT_COLUMNS}, {NO_WEIGHTS}, false
    FROM {rows} ORDER BY storage_unit_id, {period}, sensor_id
    ON CONFLICT (storage_unit_id, {period}, sensor_id) DO UPDATE SET
        {ADD_EXCLUDED},
        is_settled = false"""  # noqa: S608  constants only


# Each sensor's readings are summed once, by quarters of an hour: since 2000 every time zone's offset is a multiple of
# 15 minutes, so quarters make up UTC hours and local days alike.
#
# The rows left in the staging table are new and unique, and their units are locked, so the insert needs no ON CONFLICT,
# which would cost a third of its speed.
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
upserted_hours AS ({_upsert_into("hourly_rollup", "hour", "hours")}
),
upserted_days AS ({_upsert_into("daily_rollup", "local_date", "days")}
),
newest AS (
    SELECT DISTINCT ON (storage_unit_id) inserted.*
    FROM inserted
    WHERE (storage_unit_id, recorded_at) IN (SELECT storage_unit_id, max(last_at) FROM quarter GROUP BY 1)
    ORDER BY storage_unit_id, sensor_id
),
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
)
SELECT storage_unit_id, sum(reading_count)::bigint, min(first_at), max(last_at), statement_timestamp()
FROM quarter GROUP BY 1
"""  # noqa: S608  constants only

UPSERT_INSERTED = f"{QUARTERS},\n{UPSERT_ROLLUPS}"

UPSERT = f"""
WITH inserted AS (
    INSERT INTO reading
        (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale)
    SELECT storage_unit_id, sensor_id, recorded_at, nullif(temperature_c, 'NaN'), quality_score,
        equipment_status_id, scale
    FROM reading_staging
    RETURNING *
),
{QUARTERS},
{KEEP_LATE},
{UPSERT_ROLLUPS}
"""  # noqa: S608  constants only

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
