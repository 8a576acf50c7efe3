"""Storing a few readings, as most polls and pushes deliver: one prepared statement inserts and sums them.

The rows are arrays, because statements that read a temporary table cannot be prepared, and planning takes longer than
storing a few rows. The tables are the same as those of `readings.storage.many_readings`;
`readings.storage.store` chooses by the number of rows.
"""

from __future__ import annotations

from core.db.prepared import Prepared, Row
from readings.storage.closing import KEEP_LATE
from readings.storage.reading_batch import ReadingBatch
from readings.storage.sql_arrays import READING_COLUMNS, READING_TYPES, parameters_of_readings, rows_sql
from readings.storage.store_sql import QUARTERS, UPSERT_ROLLUPS

INSERT = Prepared(f"""
WITH inserted AS (
    INSERT INTO reading ({READING_COLUMNS}) SELECT {READING_COLUMNS} FROM {rows_sql("sent", READING_TYPES)}
    RETURNING *
),
{QUARTERS},
{KEEP_LATE},
{UPSERT_ROLLUPS}
""")  # noqa: S608  constants only

# What is dated ahead waits in a table of its own, so that nothing that reads readings has to leave it out.
KEEP_FUTURE = Prepared(f"""
WITH kept AS (
    INSERT INTO future_reading ({READING_COLUMNS}) SELECT {READING_COLUMNS} FROM {rows_sql("sent", READING_TYPES)}
    RETURNING storage_unit_id, recorded_at
)
SELECT storage_unit_id, count(*), min(recorded_at), max(recorded_at), statement_timestamp() FROM kept GROUP BY 1
""")  # noqa: S608  constants only


def insert(batch: ReadingBatch) -> list[Row]:
    """Insert new readings and add them to the roll-ups; return what UPSERT_ROLLUPS returns."""
    return INSERT.rows(parameters_of_readings("sent", batch))


def insert_future(batch: ReadingBatch) -> list[Row]:
    """Insert new future readings; return unit, count, first and last of their times, and when they were stored."""
    return KEEP_FUTURE.rows(parameters_of_readings("sent", batch))
