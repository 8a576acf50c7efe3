"""Tables filled with readings, by a process for each core."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime, timedelta

import django
import numpy as np
from django.db import connection

from readings.reading_counts import count_readings
from readings.storage.partitions import ensure_partitions, months_between
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.rollups import settle
from readings.storage.store import store

ROWS_A_BATCH = 100_000
# Each batch of a unit updates its roll-ups: with less than an hour in it, they would be updated again and again.
LEAST_MINUTES_A_BATCH = 60
# One process has stored fewer rows before others have started.
ROWS_OF_ONE_PROCESS = 1_000_000

UnitSensors = list[tuple[int, int]]


def fill(unit_sensors: UnitSensors, readings: int, until: datetime | None = None) -> None:
    """Store this many one-minute readings of the units up to a time, now by default; do what beat has done since."""
    minutes = readings // len(unit_sensors)
    newest = until or datetime.now(UTC).replace(second=0, microsecond=0)
    first = newest - timedelta(minutes=minutes)
    ensure_partitions(months_between(first, newest))
    if readings <= ROWS_OF_ONE_PROCESS:
        _store(unit_sensors, first, minutes)
    else:
        processes = min(os.cpu_count() or 1, len(unit_sensors))
        parts = [(unit_sensors[number::processes], first, minutes) for number in range(processes)]
        with multiprocessing.get_context("spawn").Pool(processes, initializer=django.setup) as pool:
            pool.starmap(_store, parts)
    count_readings()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _store(unit_sensors: UnitSensors, first: datetime, minutes: int) -> None:
    """Store readings of each of these minutes, and refresh the roll-ups of these units."""
    minutes_a_batch = max(ROWS_A_BATCH // len(unit_sensors), LEAST_MINUTES_A_BATCH)
    for start in range(0, minutes, minutes_a_batch):
        count = min(minutes_a_batch, minutes - start)
        store(one_minute_readings(unit_sensors, first + timedelta(minutes=start), count))
    for unit_id, _ in unit_sensors:
        settle(unit_id)


def one_minute_readings(unit_sensors: UnitSensors, first: datetime, minutes: int) -> ReadingBatch:
    """Return a reading a minute of each unit, around 5 °C."""
    units, sensors = np.array(unit_sensors, np.int32).T
    rows = minutes * len(unit_sensors)
    instants = microseconds_of(first) + np.arange(minutes, dtype=np.int64) * 60_000_000
    return ReadingBatch(
        storage_unit_id=np.tile(units, minutes),
        sensor_id=np.tile(sensors, minutes),
        recorded_at_us=np.repeat(instants, len(unit_sensors)),
        temperature_c=np.round(np.random.default_rng(minutes).normal(5, 1, rows), 2),
        scale=np.full(rows, b"C", "S1"),
        quality_score=np.full(rows, 0.97),
        equipment_status_id=np.full(rows, 1, np.int16),
    )
