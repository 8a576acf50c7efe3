"""What sealing costs: registering late readings while storing, and sealing and verifying a million readings."""

from __future__ import annotations

import resource
import time
from contextlib import nullcontext
from datetime import date, timedelta
from functools import partial
from unittest.mock import patch

import numpy as np
from django.db import connection
from django.utils import timezone

from benchmarks import storing
from benchmarks.measuring.cpu_time import compared_in_turn, cpu_milliseconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from customers.models import Customer
from readings.storage import many_readings
from readings.storage.closing import closes_at, start_of
from readings.storage.partitions import ensure_partitions, month_start
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import store
from seals.chain import ChainHead
from seals.days import DueDay, seal_day
from seals.verification.verify import Verification

UNITS = 700
MINUTES = 1_440
DAY = date(2026, 3, 2)
ROUNDS = 40
MOST_SLOWER_PERCENT = 3.0
# Each unit's reading of every minute, as if it had arrived at once.
READINGS = """
INSERT INTO reading (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale,
    created_at)
SELECT unit.id, unit.sensor_id, minute, round((-70 + random())::numeric, 2), 0.97, 1, 'C', minute
FROM generate_series(%s::timestamptz, %s, interval '1 minute') AS minute,
    unnest(%s::int[], %s::int[]) AS unit (id, sensor_id)
"""


def run(results: Results) -> None:
    """Measure storing with and without the registration of late readings, then a day of a million readings."""
    batch = storing.columns_of(10_000, make_units(storing.UNITS))
    results.title("storing 10,000 rows with and without registering late readings, CPU time in pairs")
    for name, columns, at_most in (("in time", dated_today(batch), MOST_SLOWER_PERCENT), ("all late", batch, None)):
        registering = partial(_stored, columns, registers=True)
        compared = compared_in_turn(registering, partial(_stored, columns, registers=False), ROUNDS)
        took = f"{compared.with_it:.1f} ms with, {compared.without:.1f} ms without"
        results.add(f"slower, {name}", compared.slower_percent, "%", at_most=at_most, note=took)
    _seal_a_million(results)


def dated_today(batch: ReadingBatch) -> ReadingBatch:
    """Return the batch as if its newest reading had been measured now."""
    newest = int(np.max(batch.recorded_at_us))
    shift = int(timezone.now().timestamp() * 1e6) - newest
    return ReadingBatch(**{**_columns(batch), "recorded_at_us": batch.recorded_at_us + shift})


def _columns(batch: ReadingBatch) -> dict[str, np.ndarray]:
    return {name: getattr(batch, name) for name in batch.__slots__}


def _stored(columns: ReadingBatch, *, registers: bool) -> float:
    """Store the batch into empty tables; return the milliseconds of CPU time."""
    _empty()
    with nullcontext() if registers else patch.object(many_readings, "late_days", nothing_late):
        return cpu_milliseconds(partial(store, columns))


def nothing_late(*_: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find no late readings, whatever there are."""
    nothing = np.empty(0, np.int64)
    return nothing, nothing, nothing


def _empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"{storing.EMPTY}, late_readings")


def _seal_a_million(results: Results) -> None:
    _empty()
    unit_ids, sensor_ids = zip(*make_units(UNITS), strict=True)
    first = start_of(DAY)
    ensure_partitions([month_start(first)])
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE day_seal, reading_block")
        cursor.execute(READINGS, [first, first + timedelta(minutes=MINUTES - 1), list(unit_ids), list(sensor_ids)])
        cursor.execute("VACUUM ANALYZE reading")
    customer = Customer.objects.get(customer_code="BENCH")
    before = _peak_mebibytes()
    started = time.perf_counter()
    seal = seal_day(DueDay(customer.pk, DAY, closes_at(DAY), None), ChainHead())
    sealed_after = time.perf_counter() - started
    grown = _peak_mebibytes() - before
    verification = Verification([customer], includes_system=False)
    started = time.perf_counter()
    findings = list(verification.findings())
    verified_after = time.perf_counter() - started
    of = f"{seal.reading_count:,} readings of {seal.block_count} units"
    results.add("sealing a day", sealed_after, "s", note=f"{of}, memory grown by {grown:.0f} MiB")
    results.add("verifying it", verified_after, "s", note=f"{len(findings)} findings")


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
