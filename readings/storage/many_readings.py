"""Storing many readings: COPY straight into the table, and roll-ups summed by NumPy.

PostgreSQL need not read the rows again to sum them, and what it merges into the roll-ups is a row for an hour instead
of one for a reading. The tables are the same as those of `readings.storage.few_readings`; `readings.storage.store`
chooses by the number of rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection

from core.db.prepared import Parameters, Prepared, Row
from readings.models import LateReadings
from readings.storage.batch_rollups import (
    HOUR_US,
    Locations,
    RollupRows,
    late_days,
    latest_of_units,
    rollup_rows,
)
from readings.storage.measures import COUNT_TYPES
from readings.storage.reading_batch import (
    COPY_FIELDS,
    Column,
    ReadingBatch,
    begins_of_groups,
    ends_of_groups,
    instants_of,
)
from readings.storage.sql_arrays import READING_TYPES, instants, parameters_of, parameters_of_readings, rows_sql
from readings.storage.store_sql import UPSERT_LATEST, upsert_into
from readings.storage.time_weighting import longest_staleness_limit_sql

COPY = f"COPY reading ({', '.join(COPY_FIELDS)}) FROM STDIN (FORMAT binary)"

LOCATE = Prepared(f"""
SELECT facility.time_zone, {longest_staleness_limit_sql("began.storage_unit_id", "began.first_at")},
    statement_timestamp()
FROM {rows_sql("began", {"storage_unit_id": "int", "first_at": "timestamptz"})}
JOIN storage_unit ON storage_unit.id = began.storage_unit_id
JOIN facility ON facility.id = storage_unit.facility_id
ORDER BY began.storage_unit_id
""")  # noqa: S608  constants only

KEY = {"storage_unit_id": "int", "sensor_id": "int"}
HOUR = KEY | {"hour": "timestamptz"} | COUNT_TYPES
DAY = KEY | {"local_date": "date"} | COUNT_TYPES
LATE = {"storage_unit_id": "int", "day": "date", "reading_count": "int"}

MERGE = Prepared(f"""
WITH hours AS (SELECT * FROM {rows_sql("hour_row", HOUR)}),
days AS (SELECT * FROM {rows_sql("day_row", DAY)}),
newest AS (SELECT *, %(arrived_at)s::timestamptz AS created_at FROM {rows_sql("newest_row", READING_TYPES)}),
upserted_hours AS ({upsert_into("hourly_rollup", "hour", "hours")}
),
upserted_days AS ({upsert_into("daily_rollup", "local_date", "days")}
),
late AS (
    INSERT INTO {LateReadings._meta.db_table} (storage_unit_id, day, arrived_at, reading_count)
    SELECT storage_unit_id, day, %(arrived_at)s::timestamptz, reading_count FROM {rows_sql("late_row", LATE)}
),
{UPSERT_LATEST}
SELECT
""")  # noqa: S608  constants only


def insert(batch: ReadingBatch) -> list[Row]:
    """Insert new readings, in order of unit, time and sensor, and add them to the roll-ups.

    Return of each unit its id, the number of its readings, the first and the last of their times, and when they were
    stored. Raise IntegrityError for values that violate the table's constraints.
    """
    locations, arrived_at = _locate(batch)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(COPY, batch.to_copy(arrived_at))
    by_sensor = batch.take(np.lexsort((batch.sensor_id, batch.storage_unit_id)))
    hours = rollup_rows(by_sensor, locations, locations.hours)
    days = rollup_rows(by_sensor, locations, locations.local_days)
    MERGE.rows(
        {"arrived_at": arrived_at}
        | _rollup_parameters("hour_row", "hour", hours, instants(hours.period * HOUR_US))
        | _rollup_parameters("day_row", "local_date", days, days.period.astype("datetime64[D]"))
        | parameters_of_readings("newest_row", batch.take(latest_of_units(batch)))
        | _late_parameters(batch, arrived_at)
    )
    return _spans(batch, arrived_at)


def _locate(batch: ReadingBatch) -> tuple[Locations, datetime]:
    """Return the locations of the units, and the instant that counts as that of the arrival of their readings."""
    begins = begins_of_groups(batch.storage_unit_id)
    unit_ids = batch.storage_unit_id[begins]
    first_at = instants(batch.recorded_at_us[begins])
    rows = LOCATE.rows(parameters_of("began", {"storage_unit_id": unit_ids, "first_at": first_at}))
    limits = [limit // timedelta(microseconds=1) for _, limit, _ in rows]
    return Locations(unit_ids, [ZoneInfo(zone) for zone, _, _ in rows], np.array(limits, np.int64)), rows[0][2]


def _rollup_parameters(alias: str, period: str, rows: RollupRows, periods: Column) -> Parameters:
    key = {"storage_unit_id": rows.storage_unit_id, "sensor_id": rows.sensor_id, period: periods}
    return parameters_of(alias, key | rows.measures)


def _late_parameters(batch: ReadingBatch, arrived_at: datetime) -> Parameters:
    unit_ids, days, counts = late_days(batch, arrived_at)
    columns = {"storage_unit_id": unit_ids, "day": days.astype("datetime64[D]"), "reading_count": counts}
    return parameters_of("late_row", columns)


def _spans(batch: ReadingBatch, arrived_at: datetime) -> list[Row]:
    begins = begins_of_groups(batch.storage_unit_id)
    ends = ends_of_groups(begins, len(batch))
    return [
        (unit_id, last - first + 1, first_at, last_at, arrived_at)
        for unit_id, first, last, first_at, last_at in zip(
            batch.storage_unit_id[begins].tolist(),
            begins.tolist(),
            ends.tolist(),
            instants_of(batch.recorded_at_us[begins]),
            instants_of(batch.recorded_at_us[ends]),
            strict=True,
        )
    ]
