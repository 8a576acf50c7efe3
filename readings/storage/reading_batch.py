"""Readings as columns, the form in which they are stored.

A batch is one packed array whose layout is that of PostgreSQL's binary COPY: encoding ten thousand readings
takes a millisecond, and the server parses no text.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

POSTGRES_EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"

# Each field follows its length, all big-endian, as binary COPY requires.
COPY_FIELDS = {
    "storage_unit_id": ">i4",
    "sensor_id": ">i4",
    "recorded_at": ">i8",
    "temperature_c": ">f8",
    "quality_score": ">f8",
    "equipment_status_id": ">i2",
    "scale": "S1",
    "created_at": ">i8",
}
_NULL_LENGTH = -1


def copy_layout(fields: Mapping[str, str]) -> np.dtype[np.void]:
    """Return the layout of a row of binary COPY whose fields have these types and are not null."""
    layout = [("field_count", ">i2")]
    for name, kind in fields.items():
        layout += [(f"{name}_length", ">i4"), (name, kind)]
    return np.dtype(layout)


COPY_ROW = copy_layout(COPY_FIELDS)

Rows: TypeAlias = npt.NDArray[np.intp]
Column: TypeAlias = npt.NDArray[np.generic]


class ReadingRow(NamedTuple):
    """One reading by its ids. `recorded_at` is aware; `temperature_c` None means no measurement."""

    storage_unit_id: int
    sensor_id: int
    recorded_at: datetime
    temperature_c: float | None
    scale: str = "C"
    quality_score: float = 1.0
    equipment_status_id: int = 1


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings by column, all of one length, in the order in which they were sent.

    recorded_at_us: microseconds since 1970-01-01 UTC. temperature_c: NaN where the sensor gave no measurement.
    scale: one byte a row, `C`, `F` or `K`.
    """

    storage_unit_id: npt.NDArray[np.int32]
    sensor_id: npt.NDArray[np.int32]
    recorded_at_us: npt.NDArray[np.int64]
    temperature_c: npt.NDArray[np.float64]
    scale: npt.NDArray[np.bytes_]
    quality_score: npt.NDArray[np.float64]
    equipment_status_id: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.storage_unit_id)

    @classmethod
    def of_rows(cls, rows: Iterable[ReadingRow | Sequence[object]]) -> ReadingBatch:
        """Return a batch of a few rows; large sources build the columns themselves."""
        full = [ReadingRow(*row) for row in rows]
        return cls(
            storage_unit_id=np.array([row.storage_unit_id for row in full], np.int32),
            sensor_id=np.array([row.sensor_id for row in full], np.int32),
            recorded_at_us=np.array([microseconds_of(row.recorded_at) for row in full], np.int64),
            temperature_c=np.array(
                [np.nan if row.temperature_c is None else row.temperature_c for row in full], np.float64
            ),
            scale=np.array([row.scale for row in full], "S1"),
            quality_score=np.array([row.quality_score for row in full], np.float64),
            equipment_status_id=np.array([row.equipment_status_id for row in full], np.int16),
        )

    def take(self, rows: Rows) -> ReadingBatch:
        """Return the rows at these indexes."""
        return ReadingBatch(*(getattr(self, each.name)[rows] for each in fields(self)))

    def in_key_order(self) -> tuple[Rows, Rows, Rows]:
        """Return the indexes of rows in order of unit, time and sensor.

        First those of the first row of each key, then those of the repeated ones, and for each of these the position
        of its key among the first.
        """
        order = np.lexsort((self.sensor_id, self.recorded_at_us, self.storage_unit_id))
        repeats = np.zeros(len(order), bool)
        repeats[1:] = (
            (np.diff(self.storage_unit_id[order]) == 0)
            & (np.diff(self.recorded_at_us[order]) == 0)
            & (np.diff(self.sensor_id[order]) == 0)
        )
        return order[~repeats], order[repeats], (np.cumsum(~repeats) - 1)[repeats]

    def to_copy(self, created_at: datetime) -> io.BytesIO:
        """Return the rows, which arrived at `created_at`, as a binary COPY of COPY_FIELDS."""
        return self.to_copy_of_arrivals(np.array(microseconds_of(created_at)))

    def to_copy_of_arrivals(self, created_at_us: npt.NDArray[np.int64]) -> io.BytesIO:
        """Return the rows, with the microseconds from 1970-01-01 UTC to their arrival, as a binary COPY."""
        packed = np.empty(len(self), COPY_ROW)
        packed["field_count"] = len(COPY_FIELDS)
        for field in COPY_FIELDS:
            packed[f"{field}_length"] = COPY_ROW[field].itemsize
        packed["storage_unit_id"] = self.storage_unit_id
        packed["sensor_id"] = self.sensor_id
        packed["recorded_at"] = self.recorded_at_us - POSTGRES_EPOCH_US
        packed["temperature_c"] = self.temperature_c
        packed["quality_score"] = self.quality_score
        packed["equipment_status_id"] = self.equipment_status_id
        packed["scale"] = self.scale
        packed["created_at"] = created_at_us - POSTGRES_EPOCH_US
        return io.BytesIO(COPY_HEADER + _without_missing_temperatures(packed) + COPY_TRAILER)


def _without_missing_temperatures(packed: npt.NDArray[np.void]) -> bytes:
    """Return the bytes of the rows; where the temperature is NaN its length says that it is null, and none follows."""
    is_missing = np.isnan(packed["temperature_c"])
    if not is_missing.any():
        return packed.tobytes()
    packed["temperature_c_length"][is_missing] = _NULL_LENGTH
    kept = np.full(packed.nbytes, 0xFF, np.uint8)
    kept.view(COPY_ROW)["temperature_c"][is_missing] = 0
    remaining: bytes = packed.view(np.uint8)[kept != 0].tobytes()
    return remaining


def begins_of_groups(*columns: Column) -> Rows:
    """Return the indexes at which groups of equal values begin in ordered columns."""
    if not len(columns[0]):
        return np.empty(0, np.intp)
    differs = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.append(0, np.flatnonzero(differs) + 1)


def ends_of_groups(begins: Rows, count: int) -> Rows:
    """Return the indexes at which groups end that begin at these, of `count` in all."""
    return np.append(begins[1:], count) - 1


def microseconds_of(instant: datetime) -> int:
    """Return the exact microseconds from 1970-01-01 UTC to the aware `instant`."""
    since = instant - UNIX_EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(microseconds: int) -> datetime:
    """Return the instant this many microseconds after 1970-01-01 UTC."""
    return UNIX_EPOCH + timedelta(microseconds=microseconds)


def instants_of(microseconds: npt.NDArray[np.int64]) -> list[datetime]:
    """Return `instant_of` of each, in a tenth of the time."""
    return list(map(UNIX_EPOCH.__add__, microseconds.astype("timedelta64[us]").tolist()))
