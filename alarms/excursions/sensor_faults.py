"""Sensors whose newest readings have no measurement, and since when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection

from readings.storage.archive.reading import recall
from readings.storage.archive.state import LOOKED_UP_AFTER, month_states
from readings.storage.rollups import EVER

# The newest reading of each sensor of these units and, if that has no measurement, the first such one since the last
# with a measurement. Read backwards in the readings' key, a few rows per sensor. Sensors with a newest reading that is
# archived are left as they are, and returned with its hour: what is stored of them is a month that was brought back.
UPDATE_FAULTS = f"""
WITH stored AS (
    SELECT sensor.id AS sensor_id, sensor.storage_unit_id, reading.recorded_at, reading.temperature_c
    FROM sensor CROSS JOIN LATERAL (
        SELECT recorded_at, temperature_c FROM reading
        WHERE reading.storage_unit_id = sensor.storage_unit_id AND reading.sensor_id = sensor.id
        ORDER BY recorded_at DESC LIMIT 1
    ) AS reading
    WHERE sensor.storage_unit_id = ANY(%(unit_ids)s)
),
archived AS MATERIALIZED (
    SELECT sensor_id, storage_unit_id, (
        SELECT hour FROM hourly_rollup AS hourly
        WHERE hourly.storage_unit_id = stored.storage_unit_id AND hourly.sensor_id = stored.sensor_id
            AND hour > stored.recorded_at AND reading_count > 0
        ORDER BY hour DESC LIMIT 1
    ) AS newest_hour
    FROM stored
    WHERE recorded_at < now() - interval '{LOOKED_UP_AFTER.days} days'
        AND EXISTS (SELECT FROM archived_month WHERE is_archived AND month > (recorded_at AT TIME ZONE 'UTC')::date)
),
newest AS (
    SELECT * FROM stored WHERE sensor_id NOT IN (SELECT sensor_id FROM archived WHERE newest_hour IS NOT NULL)
),
faulty AS (
    SELECT newest.sensor_id, newest.storage_unit_id, newest.recorded_at AS last_at, (
        SELECT min(recorded_at) FROM reading
        WHERE reading.storage_unit_id = newest.storage_unit_id AND reading.sensor_id = newest.sensor_id
            AND recorded_at > coalesce((
                SELECT max(recorded_at) FROM reading AS good
                WHERE good.storage_unit_id = newest.storage_unit_id AND good.sensor_id = newest.sensor_id
                    AND good.temperature_c IS NOT NULL
            ), '-infinity')
    ) AS since
    FROM newest WHERE temperature_c IS NULL
),
recovered AS (
    DELETE FROM sensor_fault USING newest
    WHERE sensor_fault.sensor_id = newest.sensor_id AND newest.temperature_c IS NOT NULL
),
updated AS (
    INSERT INTO sensor_fault (sensor_id, storage_unit_id, since, last_at)
    SELECT sensor_id, storage_unit_id, since, last_at FROM faulty
    ON CONFLICT (sensor_id) DO UPDATE SET since = excluded.since, last_at = excluded.last_at
    RETURNING sensor_id, storage_unit_id, since
)
SELECT sensor_id, storage_unit_id, since, false FROM updated
UNION ALL SELECT sensor_id, storage_unit_id, newest_hour, true FROM archived WHERE newest_hour IS NOT NULL
"""  # noqa: S608  constants only
LAST_GOOD_HOURS = """
SELECT faulty.storage_unit_id, faulty.since, (
    SELECT hour FROM hourly_rollup AS hourly
    WHERE hourly.storage_unit_id = faulty.storage_unit_id AND hourly.sensor_id = faulty.sensor_id
        AND reading_count > fault_count
    ORDER BY hour DESC LIMIT 1
)
FROM unnest(%(sensor_ids)s::int[], %(unit_ids)s::int[], %(since)s::timestamptz[])
    AS faulty (sensor_id, storage_unit_id, since)
"""

# The ids of a sensor and its unit, and since when it is faulty, or the hour of its newest reading.
_Sensor = tuple[int, int, datetime]


def update_faults(unit_ids: Collection[int]) -> None:
    """Update the faults of these units' sensors from their readings.

    One query, unless the newest reading of a sensor is archived, or a fault may have begun in archived months: these
    are returned to the table then.
    """
    if not unit_ids:
        return
    faulty, archived = _update(unit_ids)
    if archived:
        for _, unit_id, newest_hour in archived:
            recall([unit_id], newest_hour, newest_hour)
        faulty, _ = _update(unit_ids)
    if faulty and _recall_beginnings(faulty):
        _update(unit_ids)


def _update(unit_ids: Collection[int]) -> tuple[list[_Sensor], list[_Sensor]]:
    """Update the faults; return the faulty sensors, and those with an archived newest reading."""
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_FAULTS, {"unit_ids": sorted(unit_ids)})
        rows = cursor.fetchall()
    return [row[:3] for row in rows if not row[3]], [row[:3] for row in rows if row[3]]


def _recall_beginnings(faulty: Sequence[_Sensor]) -> bool:
    """Return to the table what is archived between the last measurement and the fault; say whether anything is."""
    sensor_ids, unit_ids, since = zip(*faulty, strict=True)
    if not month_states(EVER, max(since)):
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            LAST_GOOD_HOURS, {"sensor_ids": list(sensor_ids), "unit_ids": list(unit_ids), "since": list(since)}
        )
        found: list[tuple[int, datetime, datetime | None]] = cursor.fetchall()
    recalled = [recall([unit_id], last_good or EVER, began) for unit_id, began, last_good in found]
    return any(recalled)
