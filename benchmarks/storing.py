"""The store function, from ready columns to commit, against a bare COPY of the same rows.

The COPY goes, from the same columns, into an empty table of the same definition: partitioned, keyed, checked. It is
the most that PostgreSQL can do with one connection, so the ratio tells what the roll-ups, the latest readings and the
search for duplicates cost. Each mechanism is measured against the store without it.
"""

from __future__ import annotations

import statistics
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from unittest.mock import patch

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from readings.storage import store as store_module
from readings.storage.known_readings import look_up
from readings.storage.reading_batch import COPY_FIELDS, ReadingBatch, microseconds_of
from readings.storage.store import store

# The least permitted ratios to COPY, by what is stored and the rows of a batch.
TARGETS = {
    ("new", 1_000): 0.45,
    ("new", 10_000): 0.65,
    ("new", 100_000): 1.0,
    ("duplicates", 10_000): 1.0,
    ("half and half", 10_000): 0.6,
}
# The highest permitted time with a mechanism, as a ratio to the time without it.
MAX_RATIO = 0.85
START = datetime(2026, 3, 1, tzinfo=UTC)
# Small batches, which follow the longest of the others, are as recent as in daily work: for readings of months ago
# the archive is looked at, for those of days ago whether their day is sealed.
AGE = timedelta(hours=32)
UNITS = 60
ROUNDS = {1_000: 25, 10_000: 11, 100_000: 3}
MECHANISM_ROUNDS = 9
# Rows and units of small batches, and the largest permitted milliseconds.
SMALL = {(6, 6): 2.0, (60, 60): 4.0}
SMALL_ROUNDS = 60
BARE_COPY = f"COPY bare_reading ({', '.join(COPY_FIELDS)}) FROM STDIN (FORMAT binary)"
MAKE_BARE = """
DROP TABLE IF EXISTS bare_reading;
CREATE TABLE bare_reading (LIKE reading INCLUDING ALL) PARTITION BY RANGE (recorded_at);
CREATE TABLE bare_reading_all PARTITION OF bare_reading DEFAULT
"""
EMPTY = "TRUNCATE reading, hourly_rollup, daily_rollup, latest_reading, reading_count"
DAY_US = 86_400_000_000


def run(results: Results) -> None:
    """Measure storing as ratios to a bare COPY, small batches, and what each mechanism saves."""
    unit_sensors, start = make_units(UNITS), timezone.now() - AGE
    results.title(f"{UNITS} units, one-minute readings, one connection; medians, as ratios to a COPY of the same rows")
    for rows, rounds in ROUNDS.items():
        seconds = _measure(columns_of(rows, unit_sensors, start), rounds)
        copy = statistics.median(seconds.pop("copy"))
        for what, measured in seconds.items():
            ratio = copy / statistics.median(measured)
            speed = f"{rows * ratio / copy:,.0f} rows/s"
            results.add(f"{rows:,} rows, {what}", ratio, "of COPY", at_least=TARGETS.get((what, rows)), note=speed)
    _run_small(results, unit_sensors, start)
    _run_mechanisms(results, columns_of(10_000, unit_sensors, start))


def _run_mechanisms(results: Results, columns: ReadingBatch) -> None:
    """Measure storing with and without each mechanism of large batches, in turn."""
    by_arrays = patch.object(store_module, "FEW_ROWS", len(columns))
    looked_up = patch.object(store_module, "find_known", look_up)
    for name, is_stored, without in (("COPY and sums by NumPy", False, by_arrays), ("fetching", True, looked_up)):
        on: list[float] = []
        off: list[float] = []
        for _ in range(MECHANISM_ROUNDS):
            for measured, context in ((on, nullcontext()), (off, without)):
                _empty_tables(columns)
                if is_stored:
                    store(columns)
                with context:
                    measured.append(elapsed_seconds(lambda: store(columns)))
        ratio = statistics.median(on[1:]) / statistics.median(off[1:])
        results.add(name, ratio, "of time without", at_most=MAX_RATIO)


def _run_small(results: Results, unit_sensors: list[tuple[int, int]], start: datetime) -> None:
    """Measure small batches as they occur: each later than the one before, into tables that are not empty."""
    # Later than what the rounds before have stored.
    minute = max(ROUNDS) // UNITS + 1
    readings = columns_of((minute + SMALL_ROUNDS * len(SMALL)) * UNITS, unit_sensors, start)
    for (rows, units), target in SMALL.items():
        seconds = []
        for _ in range(SMALL_ROUNDS):
            first = minute * UNITS
            batch = readings.take(np.arange(first, first + rows))
            seconds.append(elapsed_seconds(partial(store, batch)))
            minute += 1
        results.add(f"{rows} new rows of {units} units", statistics.median(seconds[10:]) * 1e3, "ms", at_most=target)


def columns_of(rows: int, unit_sensors: list[tuple[int, int]], start: datetime = START) -> ReadingBatch:
    """Return `rows` readings of the units in turn, a minute apart from `start` on, two decimals around −70 °C."""
    minutes = rows // len(unit_sensors) + 1
    units, sensors = np.array(unit_sensors, np.int32).T
    instants = microseconds_of(start) + np.arange(minutes, dtype=np.int64) * 60_000_000
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
    """Return the seconds of each round: COPY, new rows, duplicates, and half of each in turn, after a warm-up round."""
    seconds: dict[str, list[float]] = {"copy": [], "new": [], "duplicates": [], "half and half": []}
    half = columns.take(np.flatnonzero(columns.recorded_at_us // 60_000_000 % 2))
    for _ in range(rounds + 1):
        _empty_tables(columns)
        seconds["copy"].append(elapsed_seconds(lambda: bare_copy(columns)))
        seconds["new"].append(elapsed_seconds(lambda: store(columns)))
        seconds["duplicates"].append(elapsed_seconds(lambda: store(columns)))
        _empty_tables(columns)
        store(half)
        seconds["half and half"].append(elapsed_seconds(lambda: store(columns)))
    return {what: measured[1:] for what, measured in seconds.items()}


def _empty_tables(columns: ReadingBatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MAKE_BARE)
        cursor.execute(EMPTY)
    before = of_the_day_before(columns)
    bare_copy(before)
    store(before)


def of_the_day_before(columns: ReadingBatch) -> ReadingBatch:
    """Return a few rows of the day before, which are stored like many.

    Store them in emptied tables: TRUNCATE makes PostgreSQL plan prepared statements again, which no store in use does.
    """
    few = columns.take(np.arange(store_module.FEW_ROWS + 1))
    return replace(few, recorded_at_us=few.recorded_at_us - DAY_US)


def bare_copy(columns: ReadingBatch) -> None:
    """Copy the rows into a plain partitioned table, as the reference."""
    in_order = columns.take(columns.in_key_order()[0])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.copy_expert(BARE_COPY, in_order.to_copy(timezone.now()))
