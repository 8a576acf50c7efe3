"""Readings as columns, the form in which they are stored.

A batch is one packed array whose layout is that of PostgreSQL's binary COPY: encoding ten thousand readings
takes a millisecond, and the server parses no text.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

POSTGRES_EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"

# Each field follows its length, all big-endian, as binary COPY requires. A missing temperature is NaN here, because a
# NULL would give rows of two lengths.
COPY_ROW = np.dtype(
    [
        ("field_count", ">i2"),
        ("storage_unit_id_length", ">i4"),
        ("storage_unit_id", ">i4"),
        ("sensor_id_length", ">i4"),
        ("sensor_id", ">i4"),
        ("recorded_at_length", ">i4"),
        ("recorded_at", ">i8"),
        ("temperature_c_length", ">i4"),
        ("temperature_c", ">f8"),
        ("quality_score_length", ">i4"),
        ("quality_score", ">f8"),
        ("equipment_status_id_length", ">i4"),
        ("equipment_status_id", ">i2"),
        ("scale_length", ">i4"),
        ("scale", "S1"),
        ("row_index_length", ">i4"),
        ("row_index", ">i4"),
    ]
)
COPY_FIELDS = (
    "storage_unit_id",
    "sensor_id",
    "recorded_at",
    "temperature_c",
    "quality_score",
    "equipment_status_id",
    "scale",
    "row_index",
)


Rows = npt.NDArray[np.intp]


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

    def in_key_order(self) -> tuple[Rows, Rows]:
        """Return row indexes in order of unit, time and sensor: the first row of each key, and the repeated ones."""
        order = np.lexsort((self.sensor_id, self.recorded_at_us, self.storage_unit_id))
        repeats = np.zeros(len(order), bool)
        repeats[1:] = (
            (np.diff(self.storage_unit_id[order]) == 0)
            & (np.diff(self.recorded_at_us[order]) == 0)
            & (np.diff(self.sensor_id[order]) == 0)
        )
        return order[~repeats], order[repeats]

    def to_copy(self, rows: Rows) -> io.BytesIO:
        """Return the rows at these indexes as a binary COPY, each with its index as `row_index`."""
        packed = np.empty(len(rows), COPY_ROW)
        packed["field_count"] = len(COPY_FIELDS)
        for field in COPY_FIELDS:
            packed[f"{field}_length"] = COPY_ROW[field].itemsize
        packed["storage_unit_id"] = self.storage_unit_id[rows]
        packed["sensor_id"] = self.sensor_id[rows]
        packed["recorded_at"] = self.recorded_at_us[rows] - POSTGRES_EPOCH_US
        packed["temperature_c"] = self.temperature_c[rows]
        packed["quality_score"] = self.quality_score[rows]
        packed["equipment_status_id"] = self.equipment_status_id[rows]
        packed["scale"] = self.scale[rows]
        packed["row_index"] = rows
        return io.BytesIO(COPY_HEADER + packed.tobytes() + COPY_TRAILER)


def microseconds_of(instant: datetime) -> int:
    """Return the exact microseconds from 1970-01-01 UTC to the aware `instant`."""
    since = instant - UNIX_EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant_of(microseconds: int) -> datetime:
    """Return the instant this many microseconds after 1970-01-01 UTC."""
    return UNIX_EPOCH + timedelta(microseconds=microseconds)
