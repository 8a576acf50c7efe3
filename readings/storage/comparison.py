"""Compare a batch with what is stored, without storing or locking anything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection

from readings.storage.reading_batch import ReadingBatch, instant_of
from readings.storage.store_sql import IS_CONTRADICTION

COMPARE = f"""
WITH sent AS (
    SELECT *
    FROM unnest(%(unit_ids)s::int[], %(sensor_ids)s::int[], %(instants)s::bigint[], %(temperatures_c)s::float8[])
        WITH ORDINALITY AS row (storage_unit_id, sensor_id, recorded_at_us, sent_c, position)
),
located AS (
    SELECT position, storage_unit_id, sensor_id, nullif(sent_c, 'NaN') AS sent_c,
        timestamptz '1970-01-01 00:00+00' + recorded_at_us * interval '1 microsecond' AS recorded_at
    FROM sent
)
SELECT position - 1, {IS_CONTRADICTION}
FROM located JOIN (
    SELECT storage_unit_id, recorded_at, sensor_id, temperature_c AS stored_c FROM reading
    WHERE storage_unit_id = ANY(%(units)s) AND recorded_at BETWEEN %(first)s AND %(last)s
    UNION ALL SELECT storage_unit_id, recorded_at, sensor_id, temperature_c FROM future_reading
    WHERE storage_unit_id = ANY(%(units)s)
) AS stored USING (storage_unit_id, recorded_at, sensor_id)
"""  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class Comparison:
    """For each row of a batch whether its key is stored, and whether with another temperature."""

    is_stored: npt.NDArray[np.bool_]
    is_contradicting: npt.NDArray[np.bool_]


def compare(columns: ReadingBatch) -> Comparison:
    """Return which rows of the batch are stored already, and which of these contradict what is stored."""
    is_stored, is_contradicting = np.zeros(len(columns), np.bool_), np.zeros(len(columns), np.bool_)
    if len(columns):
        with connection.cursor() as cursor:
            cursor.execute(
                COMPARE,
                {
                    "unit_ids": columns.storage_unit_id.tolist(),
                    "sensor_ids": columns.sensor_id.tolist(),
                    "instants": columns.recorded_at_us.tolist(),
                    "temperatures_c": columns.temperature_c.tolist(),
                    "units": np.unique(columns.storage_unit_id).tolist(),
                    "first": instant_of(int(columns.recorded_at_us.min())),
                    "last": instant_of(int(columns.recorded_at_us.max())),
                },
            )
            for position, contradicts in cursor.fetchall():
                is_stored[position] = True
                is_contradicting[position] = contradicts
    return Comparison(is_stored, is_contradicting)
