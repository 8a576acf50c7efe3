"""Readings of one unit as columns, and those stored of several units, fetched by binary COPY."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from django.db import connection

from alarms.excursions.detected import SensorReading
from readings.storage.reading_batch import COPY_HEADER, COPY_TRAILER, POSTGRES_EPOCH_US, instant_of, microseconds_of


@dataclass(frozen=True, slots=True)
class SensorReadings:
    """A unit's readings in order of time and sensor, all columns of one length.

    recorded_at_us: microseconds since 1970-01-01 UTC. temperature_c: NaN where the sensor gave no measurement.
    """

    recorded_at_us: npt.NDArray[np.int64]
    sensor_id: npt.NDArray[np.int64]
    temperature_c: npt.NDArray[np.float64]

    @classmethod
    def of_readings(cls, readings: Iterable[SensorReading]) -> SensorReadings:
        """Return these readings as columns."""
        rows = list(readings)
        return cls(
            np.array([microseconds_of(each.recorded_at) for each in rows], np.int64),
            np.array([each.sensor_id for each in rows], np.int64),
            np.array([np.nan if each.temperature_c is None else each.temperature_c for each in rows], np.float64),
        )

    def __len__(self) -> int:
        return len(self.recorded_at_us)

    def __getitem__(self, rows: slice) -> SensorReadings:
        return SensorReadings(self.recorded_at_us[rows], self.sensor_id[rows], self.temperature_c[rows])

    def rows_before(self, instant: datetime) -> int:
        """Return how many readings were taken before `instant`."""
        return int(np.searchsorted(self.recorded_at_us, microseconds_of(instant)))

    def before_retirement(self, retired: Mapping[int, datetime]) -> SensorReadings:
        """Return the readings of sensors that were not `retired` when they were taken."""
        if not retired:
            return self
        counts = np.ones(len(self), np.bool_)
        for sensor_id, since in retired.items():
            counts &= (self.sensor_id != sensor_id) | (self.recorded_at_us < microseconds_of(since))
        return SensorReadings(self.recorded_at_us[counts], self.sensor_id[counts], self.temperature_c[counts])

    def sensor_ids(self) -> list[int]:
        """Return the sensors in order of their ids."""
        if len(self) and (self.sensor_id == self.sensor_id[0]).all():
            return [int(self.sensor_id[0])]
        return [int(each) for each in np.unique(self.sensor_id)]

    def first_rows(self) -> npt.NDArray[np.intp]:
        """Return the number of the first row of each instant."""
        return np.flatnonzero(np.diff(self.recorded_at_us, prepend=self.recorded_at_us[:1] - 1))

    def instants(self) -> Iterator[tuple[datetime, list[SensorReading]]]:
        """Yield each instant with its readings."""
        ends = [*self.first_rows().tolist(), len(self)]
        for begin, end in pairwise(ends):
            readings = self.readings(begin, end)
            yield readings[0].recorded_at, readings

    def readings(self, begin: int, end: int) -> list[SensorReading]:
        """Return the readings of rows `begin` to before `end`."""
        rows = slice(begin, end)
        columns = (self.recorded_at_us[rows], self.sensor_id[rows], self.temperature_c[rows])
        return [
            SensorReading(instant_of(at_us), sensor_id, None if temperature_c != temperature_c else temperature_c)
            for at_us, sensor_id, temperature_c in zip(*(each.tolist() for each in columns), strict=True)
        ]


# The bounds let the planner leave other months' partitions out. A missing temperature is NaN, because a NULL would give
# rows of two lengths.
STORED_READINGS = """
COPY (
    SELECT requested.unit_id, reading.sensor_id, reading.recorded_at, coalesce(reading.temperature_c, 'NaN')
    FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[], %(until)s::timestamptz[])
        AS requested (unit_id, since, until)
    CROSS JOIN LATERAL (
        SELECT recorded_at, sensor_id, temperature_c FROM reading
        WHERE storage_unit_id = requested.unit_id AND recorded_at >= requested.since AND recorded_at < requested.until
            AND recorded_at >= %(earliest)s AND recorded_at < %(latest)s
        ORDER BY recorded_at, sensor_id LIMIT %(limit)s
    ) AS reading
    ORDER BY requested.unit_id, reading.recorded_at, reading.sensor_id
) TO STDOUT (FORMAT binary)
"""
# Each field follows its length, all big-endian.
STORED_ROW = np.dtype(
    [
        ("field_count", ">i2"),
        ("unit_id_length", ">i4"),
        ("unit_id", ">i4"),
        ("sensor_id_length", ">i4"),
        ("sensor_id", ">i4"),
        ("recorded_at_length", ">i4"),
        ("recorded_at", ">i8"),
        ("temperature_c_length", ">i4"),
        ("temperature_c", ">f8"),
    ]
)


def stored_readings(requested: Sequence[tuple[int, datetime, datetime]], limit: int) -> Mapping[int, SensorReadings]:
    """Return at most `limit` readings of each unit, each from an instant to before another. One query.

    Those that are in the table: of archived ones see `readings.storage.archive.reading`.
    """
    unit_ids, since, until = zip(*requested, strict=True)
    parameters: dict[str, datetime | int | list[int] | list[datetime]] = {
        "unit_ids": list(unit_ids),
        "since": list(since),
        "until": list(until),
        "earliest": min(since),
        "latest": max(until),
        "limit": limit,
    }
    copied = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(STORED_READINGS, parameters), copied)
    count = (copied.tell() - len(COPY_HEADER) - len(COPY_TRAILER)) // STORED_ROW.itemsize
    rows = np.frombuffer(copied.getbuffer(), STORED_ROW, count, len(COPY_HEADER))
    columns = SensorReadings(
        rows["recorded_at"].astype(np.int64) + POSTGRES_EPOCH_US,
        rows["sensor_id"].astype(np.int64),
        rows["temperature_c"].astype(np.float64),
    )
    ends = np.searchsorted(rows["unit_id"].astype(np.int64), unit_ids, "right").tolist()
    begins = np.searchsorted(rows["unit_id"].astype(np.int64), unit_ids, "left").tolist()
    return {unit_id: columns[begin:end] for unit_id, begin, end in zip(unit_ids, begins, ends, strict=True)}
