"""Storing a few readings, as most polls and pushes deliver: one prepared statement looks up, inserts and sums them.

The rows are arrays, because statements that read a temporary table cannot be prepared, and planning takes longer than
storing a few rows. The tables are the same as those of `readings.storage.many_readings`;
`readings.storage.store` chooses by the number of rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.db.prepared import Prepared, Row
from readings.storage.closing import KEEP_LATE
from readings.storage.known_readings import Known, bounds, look_up_sql
from readings.storage.reading_batch import ReadingBatch
from readings.storage.sql_arrays import READING_COLUMNS, READING_TYPES, array_of, parameters_of_readings, rows_sql
from readings.storage.store_sql import QUARTERS, SUMS_OF_UNITS, UPSERT_ROLLUPS

SENT = READING_TYPES | {"row_index": "int", "is_ahead": "boolean"}
# Returns SUMS_OF_UNITS of the new readings and of the rows dated ahead, and the indexes and temperatures of the stored
# rows. What is dated ahead waits in a table of its own, so that nothing that reads readings has to leave it out.
STORE = Prepared(f"""
WITH sent AS (SELECT * FROM {rows_sql("sent", SENT)}),
stored AS ({look_up_sql("sent")}),
new AS (SELECT * FROM sent WHERE row_index NOT IN (SELECT row_index FROM stored)),
inserted AS (
    INSERT INTO reading ({READING_COLUMNS}) SELECT {READING_COLUMNS} FROM new WHERE NOT is_ahead
    RETURNING *
),
kept AS (
    INSERT INTO future_reading ({READING_COLUMNS}) SELECT {READING_COLUMNS} FROM new WHERE is_ahead
    RETURNING storage_unit_id, recorded_at
),
{QUARTERS},
{KEEP_LATE},
{UPSERT_ROLLUPS}
SELECT 'readings', sums.*, NULL::int, NULL::float8 FROM ({SUMS_OF_UNITS}) AS sums
UNION ALL
SELECT 'ahead', storage_unit_id, count(*), min(recorded_at), max(recorded_at), statement_timestamp(), NULL, NULL
FROM kept GROUP BY storage_unit_id
UNION ALL
SELECT 'stored', NULL, NULL, NULL, NULL, NULL, row_index, temperature_c FROM stored
""")  # noqa: S608  constants only


class Stored(NamedTuple):
    """Which rows of a batch were stored already, and SUMS_OF_UNITS of the new readings and of the new future ones."""

    known: Known
    inserted: list[Row]
    kept: list[Row]


def store_few(batch: ReadingBatch, is_ahead: npt.NDArray[np.bool_]) -> Stored:
    """Store the rows of a batch of different keys that are not stored yet, those that are ahead as future readings."""
    parameters = parameters_of_readings("sent", batch) | bounds(batch)
    parameters |= {"sent_row_index": array_of(np.arange(len(batch))), "sent_is_ahead": array_of(is_ahead)}
    rows: dict[str, list[Row]] = {"readings": [], "ahead": [], "stored": []}
    for kind, *values in STORE.rows(parameters):
        rows[kind].append(tuple(values))
    known = Known.of_rows(len(batch), (row[5:] for row in rows["stored"]))
    return Stored(known, [row[:5] for row in rows["readings"]], [row[:5] for row in rows["ahead"]])
