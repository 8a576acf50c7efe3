"""The statements of `readings.storage.store`, in the order in which it runs them."""

from readings.storage.time_weighting import STALENESS_LIMIT

# Serialises those who store for the same unit, always in the order of ids, so that two batches can't deadlock over
# the roll-ups. NO KEY leaves the foreign-key checks of others alone.
LOCK_UNITS = "SELECT id FROM storage_unit WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"

# The table outlives its transaction and is emptied with it: making one for every batch would bloat the catalogue. A
# second batch of the same transaction finds the first one's rows, hence the TRUNCATE. The cost of a page is that of
# one in memory, where recent readings are: else a batch of ten thousand has whole partitions read for its duplicates.
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

# What is stored already is set aside and counted; what contradicts it is told. A difference below a millionth of a
# degree is the same measurement sent in another scale. The bounds let the planner leave other months' partitions out.
SET_KNOWN_ASIDE = """
WITH known AS (
    DELETE FROM reading_staging AS staged USING reading
    WHERE reading.storage_unit_id = staged.storage_unit_id
        AND reading.recorded_at = staged.recorded_at
        AND reading.sensor_id = staged.sensor_id
        AND reading.recorded_at BETWEEN %(first)s AND %(last)s
    RETURNING row_index, reading.temperature_c AS stored_c, nullif(staged.temperature_c, 'NaN') AS sent_c
)
SELECT count(*), array_agg(row_index ORDER BY row_index) FILTER (
    WHERE (stored_c IS NULL) <> (sent_c IS NULL) OR abs(stored_c - sent_c) > 1e-6
) FROM known
"""

# What each sensor's readings add up to is gathered once, by quarters of an hour: since 2000 every time zone's offset
# is a multiple of 15 minutes, so quarters make up UTC hours and the facilities' local days alike.
MEASURES = """
        count(*) AS reading_count,
        count(*) - count(temperature_c) AS fault_count,
        count(*) FILTER (WHERE equipment_status_id = 1) AS normal_count,
        count(*) FILTER (WHERE equipment_status_id = 2) AS warning_count,
        count(*) FILTER (WHERE equipment_status_id = 3) AS error_count,
        count(*) FILTER (WHERE quality_score >= 0.8) AS good_count,
        min(temperature_c) AS min_c,
        max(temperature_c) AS max_c,
        coalesce(sum((temperature_c * 1e6)::bigint), 0)::bigint AS sum_micro_c"""
ADDED_UP = """
        sum(reading_count) AS reading_count, sum(fault_count) AS fault_count, sum(normal_count) AS normal_count,
        sum(warning_count) AS warning_count, sum(error_count) AS error_count, sum(good_count) AS good_count,
        min(min_c) AS min_c, max(max_c) AS max_c, sum(sum_micro_c) AS sum_micro_c"""
MEASURE_COLUMNS = """
        reading_count, fault_count, normal_count, warning_count, error_count, good_count, min_c, max_c, sum_micro_c"""


def _fold_into(table: str, span: str, rows: str) -> str:
    """Add `rows` of (unit, sensor, span, measures) to a roll-up, and mark what they touch unsettled."""
    return f"""
    INSERT INTO {table} AS rollup (storage_unit_id, sensor_id, {span}, {MEASURE_COLUMNS},
        weighted_seconds, weighted_sum_c, weighted_arrhenius, covered_seconds, is_settled)
    SELECT storage_unit_id, sensor_id, {span}, {MEASURE_COLUMNS}, 0, 0, 0, 0, false
    FROM {rows} ORDER BY storage_unit_id, {span}, sensor_id
    ON CONFLICT (storage_unit_id, {span}, sensor_id) DO UPDATE SET
        reading_count = rollup.reading_count + excluded.reading_count,
        fault_count = rollup.fault_count + excluded.fault_count,
        normal_count = rollup.normal_count + excluded.normal_count,
        warning_count = rollup.warning_count + excluded.warning_count,
        error_count = rollup.error_count + excluded.error_count,
        good_count = rollup.good_count + excluded.good_count,
        min_c = least(rollup.min_c, excluded.min_c),
        max_c = greatest(rollup.max_c, excluded.max_c),
        sum_micro_c = rollup.sum_micro_c + excluded.sum_micro_c,
        is_settled = false"""  # noqa: S608  names of ours, no input


# What is left in the staging table is new and there once, and its units are locked, so the insert needs no ON CONFLICT:
# that would cost a third of its speed.
#
# A reading goes on standing after its own hour, for as long as the unit's gap limit: the hours and days it reaches
# into get a row of their own, with no readings, whose time-weighted columns `rollups.settle` then fills.
FOLD_INSERTED = f"""
quarter AS (
    SELECT storage_unit_id, sensor_id, date_bin('15 minutes', recorded_at, '2000-01-01 00:00+00') AS starts_at,
        min(recorded_at) AS first_at, max(recorded_at) AS last_at, {MEASURES}
    FROM inserted GROUP BY 1, 2, 3
),
unit AS (
    SELECT storage_unit.id AS storage_unit_id, facility.time_zone,
        {STALENESS_LIMIT} AS staleness_limit
    FROM storage_unit JOIN facility ON facility.id = storage_unit.facility_id
    WHERE storage_unit.id IN (SELECT storage_unit_id FROM quarter)
),
placed AS (
    SELECT quarter.*, date_trunc('hour', starts_at, 'UTC') AS hour,
        (starts_at AT TIME ZONE time_zone)::date AS local_date,
        last_at + staleness_limit - interval '1 microsecond' AS stands_until, time_zone
    FROM quarter JOIN unit USING (storage_unit_id)
),
hours AS (
    SELECT storage_unit_id, sensor_id, hour, {ADDED_UP} FROM (
        SELECT storage_unit_id, sensor_id, hour, {MEASURE_COLUMNS} FROM placed
        UNION ALL
        SELECT storage_unit_id, sensor_id, reached.hour, 0, 0, 0, 0, 0, 0, NULL, NULL, 0
        FROM (
            SELECT storage_unit_id, sensor_id, hour, max(stands_until) AS stands_until FROM placed GROUP BY 1, 2, 3
        ) AS own, generate_series(own.hour + interval '1 hour', own.stands_until, interval '1 hour') AS reached (hour)
    ) AS touched GROUP BY 1, 2, 3
),
days AS (
    SELECT storage_unit_id, sensor_id, local_date, {ADDED_UP} FROM (
        SELECT storage_unit_id, sensor_id, local_date, {MEASURE_COLUMNS} FROM placed
        UNION ALL
        SELECT storage_unit_id, sensor_id, reached.day::date, 0, 0, 0, 0, 0, 0, NULL, NULL, 0
        FROM (
            SELECT storage_unit_id, sensor_id, local_date, max(stands_until AT TIME ZONE time_zone) AS stands_until
            FROM placed GROUP BY 1, 2, 3
        ) AS own,
            generate_series(own.local_date + interval '1 day', own.stands_until, interval '1 day') AS reached (day)
    ) AS touched GROUP BY 1, 2, 3
),
folded_hours AS ({_fold_into("hourly_rollup", "hour", "hours")}
),
folded_days AS ({_fold_into("daily_rollup", "local_date", "days")}
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
SELECT storage_unit_id, sum(reading_count)::bigint, min(first_at), max(last_at) FROM quarter GROUP BY 1
"""  # noqa: S608  names of ours, no input

FOLD = f"""
WITH inserted AS (
    INSERT INTO reading
        (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale)
    SELECT storage_unit_id, sensor_id, recorded_at, nullif(temperature_c, 'NaN'), quality_score,
        equipment_status_id, scale
    FROM reading_staging
    RETURNING *
),
{FOLD_INSERTED}
"""  # noqa: S608  names of ours, no input
