"""Which rows of a batch are stored already, as readings or as future readings.

A few rows are looked up by the statement that stores them. Of many, those later than everything stored of their unit
are new without a search. For the others, what is stored of each unit between the first and the last of them is fetched
by binary COPY and compared by NumPy, which costs a fraction of a lookup for every row. Where a unit has far more
readings there than the batch, its rows are looked up all the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection

from core.db.prepared import Parameters, Prepared, Row
from readings.storage.reading_batch import (
    COPY_HEADER,
    COPY_TRAILER,
    POSTGRES_EPOCH_US,
    ReadingBatch,
    Rows,
    begins_of_groups,
    copy_layout,
    ends_of_groups,
    instant_of,
    microseconds_of,
)
from readings.storage.sql_arrays import array_of, instants, parameters_of, rows_sql

# A difference below a millionth of a degree is the same measurement sent in another scale.
SAME_MEASUREMENT_K = 1e-6
# Fetching so many readings for each row of the batch takes as long as looking up the row.
FETCHED_PER_ROW, FETCHED_AT_LEAST = 4, 1_000
_NEVER = np.iinfo(np.int64).min

NEWEST = Prepared("""
SELECT greatest(latest_reading.recorded_at, (
    SELECT max(recorded_at) FROM future_reading WHERE future_reading.storage_unit_id = unit.id
))
FROM unnest(%(unit_ids)s::int[]) WITH ORDINALITY AS unit (id, number)
LEFT JOIN latest_reading ON latest_reading.storage_unit_id = unit.id
ORDER BY number
""")

SENT = {"storage_unit_id": "int", "sensor_id": "int", "recorded_at": "timestamptz", "row_index": "int"}


def look_up_sql(sent: str) -> str:
    """Return SQL for the indexes and stored temperatures of those `sent` rows that are stored."""
    return f"{_of_table('reading', sent)} UNION ALL {_of_table('future_reading', sent)}"


def _of_table(table: str, sent: str) -> str:
    """Return SQL for the rows whose key is in a table of readings: by LATERAL with OFFSET 0 one lookup per row.

    The bounds leave out the partitions of other months before any is opened.
    """
    return f"""
SELECT row_index, stored.temperature_c FROM {sent} CROSS JOIN LATERAL (
    SELECT temperature_c FROM {table}
    WHERE storage_unit_id = sent.storage_unit_id AND recorded_at = sent.recorded_at AND sensor_id = sent.sensor_id
        AND recorded_at BETWEEN %(first)s::timestamptz AND %(last)s::timestamptz
    OFFSET 0
) AS stored"""  # noqa: S608  constants only


LOOK_UP = Prepared(look_up_sql(rows_sql("sent", SENT)))

SPAN = {"storage_unit_id": "int", "first": "timestamptz", "last": "timestamptz", "most": "int"}


def _fetch(table: str) -> str:
    return f"""
SELECT stored.* FROM {rows_sql("span", SPAN)} CROSS JOIN LATERAL (
    SELECT storage_unit_id, recorded_at, sensor_id, coalesce(temperature_c, 'NaN') FROM {table}
    WHERE storage_unit_id = span.storage_unit_id AND recorded_at BETWEEN span.first AND span.last
        AND recorded_at BETWEEN %(first)s AND %(last)s
    LIMIT span.most
) AS stored"""  # noqa: S608  constants only


FETCH = f"COPY ({_fetch('reading')} UNION ALL {_fetch('future_reading')}) TO STDOUT (FORMAT binary)"
FETCHED_ROW = copy_layout({"storage_unit_id": ">i4", "recorded_at": ">i8", "sensor_id": ">i4", "temperature_c": ">f8"})


@dataclass(frozen=True, slots=True)
class Known:
    """For each row of a batch whether its key is stored, and the stored temperature; NaN without a measurement."""

    is_stored: npt.NDArray[np.bool_]
    stored_c: npt.NDArray[np.float64]

    @classmethod
    def nothing(cls, count: int) -> Known:
        """Return that none of `count` rows is stored."""
        return cls(np.zeros(count, np.bool_), np.full(count, np.nan))

    @classmethod
    def of_rows(cls, count: int, stored: Iterable[Row]) -> Known:
        """Return what look_up_sql has found of `count` rows."""
        known = cls.nothing(count)
        for index, stored_c in stored:
            known.is_stored[index] = True
            known.stored_c[index] = np.nan if stored_c is None else stored_c
        return known

    def set(self, rows: Rows, known: Known) -> None:
        """Set what is known of the rows at these indexes."""
        self.is_stored[rows] = known.is_stored
        self.stored_c[rows] = known.stored_c

    def contradicted_by(self, sent_c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Return which rows are stored with another temperature than these, which were sent."""
        return self.is_stored & is_other_measurement(sent_c, self.stored_c)


def is_other_measurement(sent_c: npt.NDArray[np.float64], stored_c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return where a row with a stored key contradicts the stored temperature; NaN is no measurement."""
    differs: npt.NDArray[np.bool_] = (np.isnan(sent_c) != np.isnan(stored_c)) | (
        np.abs(sent_c - stored_c) > SAME_MEASUREMENT_K
    )
    return differs


def find_known(batch: ReadingBatch) -> Known:
    """Return which rows of a batch of different keys, in order of unit, time and sensor, are stored."""
    known = Known.nothing(len(batch))
    rows = _not_later_than_stored(batch)
    if len(rows):
        known.set(rows, _compare_with_fetched(batch.take(rows)))
    return known


def look_up(batch: ReadingBatch) -> Known:
    """Return which rows of a batch are stored by looking up each of them."""
    if not len(batch):
        return Known.nothing(0)
    keys = {
        "storage_unit_id": batch.storage_unit_id,
        "sensor_id": batch.sensor_id,
        "recorded_at": instants(batch.recorded_at_us),
        "row_index": np.arange(len(batch)),
    }
    return Known.of_rows(len(batch), LOOK_UP.rows(parameters_of("sent", keys) | bounds(batch)))


def _not_later_than_stored(batch: ReadingBatch) -> Rows:
    """Return the indexes of rows that are not later than everything stored of their unit."""
    begins = begins_of_groups(batch.storage_unit_id)
    newest = NEWEST.rows({"unit_ids": array_of(batch.storage_unit_id[begins])})
    newest_us = np.array([_NEVER if at is None else microseconds_of(at) for (at,) in newest], np.int64)
    return np.flatnonzero(batch.recorded_at_us <= np.repeat(newest_us, np.diff(np.append(begins, len(batch)))))


def _compare_with_fetched(batch: ReadingBatch) -> Known:
    begins = begins_of_groups(batch.storage_unit_id)
    counts = np.diff(np.append(begins, len(batch)))
    most = FETCHED_PER_ROW * counts + FETCHED_AT_LEAST
    spans = {
        "storage_unit_id": batch.storage_unit_id[begins],
        "first": instants(batch.recorded_at_us[begins]),
        "last": instants(batch.recorded_at_us[ends_of_groups(begins, len(batch))]),
        "most": most,
    }
    stored = _fetched(parameters_of("span", spans) | bounds(batch))
    known = _compare(batch, stored)
    unit_ids, fetched = np.unique(stored["storage_unit_id"], return_counts=True)
    is_cut_off = fetched >= most[np.searchsorted(batch.storage_unit_id[begins], unit_ids)]
    cut_off = np.flatnonzero(np.isin(batch.storage_unit_id, unit_ids[is_cut_off]))
    known.set(cut_off, look_up(batch.take(cut_off)))
    return known


def _fetched(parameters: Parameters) -> npt.NDArray[np.void]:
    """Return the rows that FETCH returns, as an array of FETCHED_ROW."""
    received = io.BytesIO()
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(cursor.mogrify(FETCH, parameters).decode(), received)
    return np.frombuffer(received.getbuffer()[len(COPY_HEADER) : -len(COPY_TRAILER)], FETCHED_ROW)


def _compare(batch: ReadingBatch, stored: npt.NDArray[np.void]) -> Known:
    """Return which rows of the batch are among the stored ones."""
    unit_ids, instants_us, sensor_ids = (
        np.append(stored["storage_unit_id"], batch.storage_unit_id),
        np.append(stored["recorded_at"] + POSTGRES_EPOCH_US, batch.recorded_at_us),
        np.append(stored["sensor_id"], batch.sensor_id),
    )
    # Sorting keeps the order of equal keys, so that a stored one is followed by the same one of the batch.
    order = np.lexsort((sensor_ids, instants_us, unit_ids))
    is_same = (np.diff(unit_ids[order]) == 0) & (np.diff(instants_us[order]) == 0) & (np.diff(sensor_ids[order]) == 0)
    pairs = np.flatnonzero(is_same)
    known = Known.nothing(len(batch))
    rows = order[pairs + 1] - len(stored)
    known.is_stored[rows] = True
    known.stored_c[rows] = stored["temperature_c"][order[pairs]]
    return known


def bounds(batch: ReadingBatch) -> Parameters:
    """Return the first and the last of the rows' instants."""
    return {
        "first": instant_of(int(batch.recorded_at_us.min())),
        "last": instant_of(int(batch.recorded_at_us.max())),
    }
