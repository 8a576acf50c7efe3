"""The detection of excursions in readings of which a third are outside, and what the evaluation of such a file takes.

Rates are per second of this process's CPU, which other work on the machine affects least.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from alarms.evaluation.evaluate import evaluate
from alarms.excursions.detected import EffectiveLimits
from alarms.excursions.detector import Detector
from alarms.excursions.runs import advance
from alarms.excursions.sensor_readings import SensorReadings
from alarms.models import Excursion
from alarms.thresholds import Limits
from benchmarks import storing
from benchmarks.measuring.results import Results
from readings.storage.reading_batch import ReadingBatch, instant_of, microseconds_of
from readings.storage.store import store

READINGS, UNITS, EXCURSIONS = 1_000_000, 10, 500
STEPPED = 20_000
MIN_READINGS_A_SECOND = 1_500_000
# Of the whole evaluation: readings are fetched from the database, excursions and alarms are stored in it.
STORED_READINGS, STORED_EXCURSIONS = 300_000, 150
WARM_C, COLD_C = 9.0, 5.0
LIMITS = Limits(low_warning_c=2.0, high_warning_c=8.0, high_critical_c=15.0)


@dataclass(frozen=True, slots=True)
class _Detected:
    """How many excursions were found in how many seconds of CPU."""

    count: int
    seconds: float


def run_detection(results: Results) -> None:
    """Print the rate of detection by runs, and its ratio to stepping through the readings."""
    units = [_readings(READINGS // UNITS, EXCURSIONS, seed) for seed in range(UNITS)]
    runs = _detect(units, by_runs=True)
    stepped = _detect([units[0][:STEPPED]], by_runs=False)
    rate, stepped_rate = READINGS / runs.seconds, STEPPED / stepped.seconds
    results.title(f"detection: {UNITS} units, {READINGS:,} readings, a third outside, {runs.count:,} excursions")
    stepping = f"{rate / stepped_rate:.0f} times those by stepping, {stepped_rate:,.0f}/s"
    results.add("detected by runs", rate, "readings/s", at_least=MIN_READINGS_A_SECOND, note=stepping)


def run_evaluation(results: Results, unit_sensors: Sequence[tuple[int, int]]) -> None:
    """Print how long readings of these units take to store and to evaluate with the limits LIMITS."""
    batch = _batch(unit_sensors)
    began, cpu_began = time.perf_counter(), time.process_time()
    with transaction.atomic():
        spans = store(batch).new_spans
        stored, cpu_stored = time.perf_counter(), time.process_time()
        evaluate(spans, batch, now=instant_of(int(batch.recorded_at_us[-1])))
        evaluated, cpu_evaluated = time.perf_counter(), time.process_time()
    count = Excursion.objects.filter(storage_unit__in=[unit_id for unit_id, _ in unit_sensors]).count()
    results.title(
        f"evaluation: {len(unit_sensors)} units, {len(batch):,} readings, a third outside, {count:,} excursions stored"
    )
    share = (evaluated - stored) / (evaluated - began)
    results.add("stored", stored - began, "s", note=f"{cpu_stored - cpu_began:.1f} s of it CPU of this process")
    results.add(
        "evaluated",
        evaluated - stored,
        "s",
        note=f"{cpu_evaluated - cpu_stored:.1f} s of it CPU of this process; {share:.0%} of the time is evaluation",
    )


def _detect(units: Sequence[SensorReadings], *, by_runs: bool) -> _Detected:
    in_force, count = [EffectiveLimits(storing.START, LIMITS)], 0
    began = time.process_time()
    for readings in units:
        detector = Detector(in_force)
        if by_runs:
            advance(detector, readings)
        else:
            for instant, taken in readings.instants():
                detector.step(instant, taken)
        count += len(detector.all_excursions())
    return _Detected(count, time.process_time() - began)


def _readings(count: int, excursions: int, seed: int) -> SensorReadings:
    instants = microseconds_of(storing.START) + np.arange(count, dtype=np.int64) * 60_000_000
    return SensorReadings(instants, np.ones(count, np.int64), _temperatures(count, excursions, seed))


def _temperatures(count: int, excursions: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return temperatures that are above the limits for a third of the time, `excursions` times."""
    is_warm = np.arange(count) * excursions % count < count / 3
    spread: np.ndarray[tuple[int], np.dtype[np.float64]] = np.random.default_rng(seed).normal(0, 0.2, count)
    return np.round(np.where(is_warm, WARM_C, COLD_C) + spread, 2)


def _batch(unit_sensors: Sequence[tuple[int, int]]) -> ReadingBatch:
    """Return the readings of these units, in order of time."""
    each = STORED_READINGS // len(unit_sensors)
    columns = storing.columns_of(each * len(unit_sensors), list(unit_sensors))
    temperature_c = np.stack([_temperatures(each, STORED_EXCURSIONS, seed) for seed, _ in enumerate(unit_sensors)])
    columns.temperature_c[:] = temperature_c.T.ravel()
    return columns
