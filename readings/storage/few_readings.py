"""Storing a few readings, as most polls and pushes deliver: two prepared statements and no temporary table.

For a batch of a few rows PostgreSQL planned the statements of `readings.storage.store_sql` several times longer than it
ran them, and they cannot be prepared: emptying a temporary table discards the plans of what reads it. Here the rows are
arrays. The tables are the same for either way; `readings.storage.store` chooses by the number of rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.db.prepared import Parameters, Prepared, Row
from readings.storage.closing import KEEP_LATE
from readings.storage.reading_batch import ReadingBatch, Rows, instant_of
from readings.storage.store_sql import IS_CONTRADICTION, QUARTERS, UPSERT_ROLLUPS

_SENT = """unnest(
        %(storage_unit_id)s::int[], %(sensor_id)s::int[], %(recorded_at)s::timestamptz[], %(temperature_c)s::float8[],
        %(quality_score)s::float8[], %(equipment_status_id)s::smallint[], %(scale)s::text[], %(row_index)s::int[]
    ) AS sent (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale,
        row_index)"""


def _stored(table: str) -> str:
    """Return SQL for the rows whose key is in a table of readings: by LATERAL with OFFSET 0 one lookup per row.

    The bounds leave out the partitions of other months before any is opened.
    """
    return f"""
    SELECT row_index, stored.temperature_c AS stored_c, nullif(sent.temperature_c, 'NaN') AS sent_c
    FROM {_SENT} CROSS JOIN LATERAL (
        SELECT temperature_c FROM {table}
        WHERE storage_unit_id = sent.storage_unit_id AND recorded_at = sent.recorded_at AND sensor_id = sent.sensor_id
            AND recorded_at BETWEEN %(first)s::timestamptz AND %(last)s::timestamptz
        OFFSET 0
    ) AS stored"""  # noqa: S608  constants only


FIND_KNOWN = Prepared(f"""
SELECT row_index, {IS_CONTRADICTION}
FROM ({_stored("reading")} UNION ALL {_stored("future_reading")}) AS known
""")  # noqa: S608  constants only

INSERT = Prepared(f"""
WITH inserted AS (
    INSERT INTO reading
        (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale)
    SELECT storage_unit_id, sensor_id, recorded_at, nullif(temperature_c, 'NaN'), quality_score,
        equipment_status_id, scale
    FROM {_SENT}
    RETURNING *
),
{QUARTERS},
{KEEP_LATE},
{UPSERT_ROLLUPS}
""")  # noqa: S608  constants only


def find_known(columns: ReadingBatch, rows: Rows) -> dict[int, bool]:
    """Return the indexes of those rows whose key is stored already, and whether they contradict the stored reading."""
    instants = columns.recorded_at_us[rows]
    bounds = {"first": instant_of(int(instants.min())), "last": instant_of(int(instants.max()))}
    return dict(FIND_KNOWN.rows(_parameters(columns, rows) | bounds))


def insert(columns: ReadingBatch, rows: Rows) -> list[Row]:
    """Insert new rows and add them to the roll-ups; return what the upsert of `store_sql` returns."""
    return INSERT.rows(_parameters(columns, rows))


def _parameters(columns: ReadingBatch, rows: Rows) -> Parameters:
    return {
        "storage_unit_id": _array(columns.storage_unit_id[rows]),
        "sensor_id": _array(columns.sensor_id[rows]),
        "recorded_at": _array(
            np.datetime_as_string(columns.recorded_at_us[rows].astype("datetime64[us]"), timezone="UTC")
        ),
        "temperature_c": _array(columns.temperature_c[rows]),
        "quality_score": _array(columns.quality_score[rows]),
        "equipment_status_id": _array(columns.equipment_status_id[rows]),
        "scale": _array(columns.scale[rows].astype(str)),
        "row_index": _array(rows),
    }


def _array(values: npt.NDArray[np.generic]) -> str:
    """Return numbers, instants or letters as PostgreSQL's text of an array: one parameter, not one for each value."""
    return f"{{{','.join(map(str, values.tolist()))}}}"
