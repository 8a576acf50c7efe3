"""The store function, from ready columns to commit, against a bare COPY of the same rows.

The COPY goes, from the same columns, into an empty table of the same definition: partitioned, keyed, checked. It is
the most that PostgreSQL can do with one connection, so the ratio tells what the roll-ups, the latest readings and the
search for duplicates cost.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.fleet import make_units
from readings.storage.reading_batch import COPY_FIELDS, ReadingBatch, microseconds_of
from readings.storage.store import store

TARGETS = {"new": 0.30, "duplicates": 0.80}
TARGET_ROWS = 10_000
START = datetime(2026, 3, 1, tzinfo=UTC)
UNITS = 60
ROUNDS = {60: 40, 1_000: 15, 10_000: 9, 100_000: 3}
# Rows and units of small batches, and the largest permitted milliseconds.
SMALL = {(6, 6): 2.0, (60, 60): 4.0}
SMALL_ROUNDS = 60
BARE_COPY = f"COPY bare_reading ({', '.join(COPY_FIELDS)}) FROM STDIN (FORMAT binary)"
MAKE_BARE = """
DROP TABLE IF EXISTS bare_reading;
CREATE TABLE bare_reading (LIKE reading INCLUDING ALL) PARTITION BY RANGE (recorded_at);
CREATE TABLE bare_reading_2026 PARTITION OF bare_reading FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
"""
EMPTY = "TRUNCATE reading, hourly_rollup, daily_rollup, latest_reading"


def run() -> None:
    """Measure both storing paths as ratios to a bare COPY."""
    unit_sensors = make_units(UNITS)
    print(
        f"Storing: {UNITS} units, one-minute readings, medians, one connection; ratios to a bare COPY of the same rows"
    )
    print(f"{'rows a batch':>14}{'COPY rows/s':>14}{'new rows/s':>14}{'ratio':>8}{'dup. rows/s':>14}{'ratio':>8}")
    for rows, rounds in ROUNDS.items():
        seconds = _measure(columns_of(rows, unit_sensors), rounds)
        copy, new, duplicates = (statistics.median(seconds[what]) for what in ("copy", "new", "duplicates"))
        print(
            f"{rows:>14,}{rows / copy:>14,.0f}{rows / new:>14,.0f}{copy / new:>8.2f}"
            f"{rows / duplicates:>14,.0f}{copy / duplicates:>8.2f}"
            + (f"   targets {TARGETS['new']:.2f} and {TARGETS['duplicates']:.2f}" if rows == TARGET_ROWS else "")
        )
    _run_small(unit_sensors)


def _run_small(unit_sensors: list[tuple[int, int]]) -> None:
    """Measure small batches as they occur: each later than the one before, into tables that are not empty."""
    readings = columns_of(SMALL_ROUNDS * len(SMALL) * UNITS, unit_sensors)
    minute = 0
    for (rows, units), target in SMALL.items():
        seconds = []
        for _ in range(SMALL_ROUNDS):
            first = minute * UNITS
            batch = ReadingBatch(*(getattr(readings, each.name)[first : first + rows] for each in fields(readings)))
            seconds.append(timed(partial(store, batch)))
            minute += 1
        milliseconds = statistics.median(seconds[10:]) * 1e3
        verdict = "pass" if milliseconds <= target else "short"
        print(f"  {rows} new rows of {units} units: {milliseconds:.1f} ms, target {target:.1f}: {verdict}")


def columns_of(rows: int, unit_sensors: list[tuple[int, int]]) -> ReadingBatch:
    """Return `rows` readings of the units in turn, a minute apart, with two decimals around −70 °C."""
    minutes = rows // len(unit_sensors) + 1
    units, sensors = np.array(unit_sensors, np.int32).T
    instants = microseconds_of(START) + np.arange(minutes, dtype=np.int64) * 60_000_000
    return ReadingBatch(
        storage_unit_id=np.tile(units, minutes)[:rows],
        sensor_id=np.tile(sensors, minutes)[:rows],
        recorded_at_us=np.repeat(instants, len(unit_sensors))[:rows],
        temperature_c=np.round(np.random.default_rng(1).normal(-70, 1, rows), 2),
        scale=np.full(rows, b"C", "S1"),
        quality_score=np.full(rows, 0.97),
        equipment_status_id=np.full(rows, 1, np.int16),
    )


def _measure(columns: ReadingBatch, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round: COPY, new rows and duplicates in turn, after a warm-up round."""
    seconds: dict[str, list[float]] = {"copy": [], "new": [], "duplicates": []}
    store(columns)
    for _ in range(rounds + 1):
        with connection.cursor() as cursor:
            cursor.execute(MAKE_BARE)
            cursor.execute(EMPTY)
        seconds["copy"].append(timed(lambda: bare_copy(columns)))
        seconds["new"].append(timed(lambda: store(columns)))
        seconds["duplicates"].append(timed(lambda: store(columns)))
    return {what: measured[1:] for what, measured in seconds.items()}


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bare_copy(columns: ReadingBatch) -> None:
    """Copy the rows into a plain partitioned table, as the reference."""
    in_order = columns.take(columns.in_key_order()[0])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.copy_expert(BARE_COPY, in_order.to_copy(timezone.now()))
