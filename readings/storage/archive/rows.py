"""Readings with the instants of their arrival as a table of columns: what files hold and the table is filled from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
from django.db import connection

from readings.storage.measures import NINTH_MICRO
from readings.storage.reading_batch import (
    COPY_FIELDS,
    COPY_HEADER,
    COPY_ROW,
    COPY_TRAILER,
    POSTGRES_EPOCH_US,
    ReadingBatch,
    microseconds_of,
)

KEY = ("storage_unit_id", "recorded_at", "sensor_id")
INSTANT = pl.Datetime("us", "UTC")
# The columns of a file, in this order.
SCHEMA = pl.Schema(
    {
        "storage_unit_id": pl.Int32(),
        "recorded_at": INSTANT,
        "sensor_id": pl.Int32(),
        "temperature_c": pl.Float64(),
        "scale": pl.String(),
        "quality_score": pl.Float64(),
        "equipment_status_id": pl.Int16(),
        "created_at": INSTANT,
    }
)
FILL = f"COPY reading ({', '.join(COPY_FIELDS)}) FROM STDIN (FORMAT binary)"
# A missing temperature is NaN on its way, as nulls would give rows of two lengths.
_FETCHED = ", ".join("coalesce(temperature_c, 'NaN')" if name == "temperature_c" else name for name in COPY_FIELDS)


@dataclass(frozen=True, slots=True)
class Sums:
    """What is compared between a file and the table."""

    reading_count: int
    fault_count: int
    sum_ninth_micro_c: int


def fetch(condition: str, parameters: Sequence[int | datetime]) -> pl.DataFrame:
    """Return the rows of the table `reading` that fulfil an SQL condition, in order of their key."""
    copied = io.BytesIO()
    with connection.cursor() as cursor, connection.wrap_database_errors:
        query = f"SELECT {_FETCHED} FROM reading WHERE {condition} ORDER BY {', '.join(KEY)}"  # noqa: S608  constants only
        cursor.copy_expert(cursor.mogrify(f"COPY ({query}) TO STDOUT (FORMAT binary)", parameters).decode(), copied)
    packed = np.frombuffer(copied.getbuffer()[len(COPY_HEADER) : -len(COPY_TRAILER)], COPY_ROW)
    return pl.DataFrame({name: _column(name, packed) for name in SCHEMA.names()}, schema=SCHEMA)


def _column(name: str, packed: np.ndarray) -> pl.Series:
    if name == "scale":
        return pl.Series(name, packed[name].astype("U1"), pl.String)
    if name in {"recorded_at", "created_at"}:
        return pl.Series(name, packed[name].astype(np.int64) + POSTGRES_EPOCH_US).cast(INSTANT)
    values = pl.Series(name, packed[name].astype(packed[name].dtype.newbyteorder("=")))
    return values.fill_nan(None) if name == "temperature_c" else values


def sort(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows in order of their key."""
    return rows.sort(KEY)


@dataclass(frozen=True, slots=True)
class ArrivedBatch:
    """Readings with the microseconds from 1970-01-01 UTC to their arrival, as they are copied into the table."""

    readings: ReadingBatch
    created_at_us: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.readings)

    @classmethod
    def of(cls, rows: pl.DataFrame) -> ArrivedBatch:
        """Return rows of SCHEMA."""
        readings = ReadingBatch(
            storage_unit_id=rows["storage_unit_id"].to_numpy(),
            sensor_id=rows["sensor_id"].to_numpy(),
            recorded_at_us=rows["recorded_at"].to_physical().to_numpy(),
            temperature_c=rows["temperature_c"].fill_null(float("nan")).to_numpy(),
            scale=rows["scale"].to_numpy().astype("S1"),
            quality_score=rows["quality_score"].to_numpy(),
            equipment_status_id=rows["equipment_status_id"].to_numpy(),
        )
        return cls(readings, rows["created_at"].to_physical().to_numpy())

    def between(self, first: datetime, last: datetime) -> ArrivedBatch:
        """Return the readings between these instants, both included."""
        recorded_at_us = self.readings.recorded_at_us
        within = (recorded_at_us >= microseconds_of(first)) & (recorded_at_us <= microseconds_of(last))
        found = np.flatnonzero(within)
        return ArrivedBatch(self.readings.take(found), self.created_at_us[found])

    def to_copy(self) -> io.BytesIO:
        """Return the rows as a binary COPY of COPY_FIELDS."""
        return self.readings.to_copy_of_arrivals(self.created_at_us)


def fill(rows: ArrivedBatch) -> None:
    """Copy rows into the table `reading` and nothing else. Raise IntegrityError if one is there."""
    if not len(rows):
        return
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(FILL, rows.to_copy())


def content_hash(rows: pl.DataFrame) -> str:
    """Return a hash of the values of rows in this order, however they were stored."""
    return hashlib.sha256(ArrivedBatch.of(rows).to_copy().getbuffer()).hexdigest()


def sums(rows: pl.DataFrame) -> Sums:
    """Return the sums of these rows."""
    temperature_c = rows["temperature_c"]
    total = (temperature_c * NINTH_MICRO).round(mode="half_to_even").cast(pl.Int64).sum()
    return Sums(len(rows), temperature_c.null_count(), int(total))
