"""What sealing costs while readings are stored: the registration of late ones."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from unittest.mock import patch

import numpy as np
from django.db import connection
from django.utils import timezone

from benchmarks import storing
from benchmarks.measuring.cpu_time import compared_in_turn, cpu_milliseconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from readings.storage import many_readings
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import store

ROUNDS = 40
MOST_SLOWER_PERCENT = 3.0


def run(results: Results) -> None:
    """Measure storing with and without the registration of late readings."""
    batch = storing.columns_of(10_000, make_units(storing.UNITS))
    results.title("storing 10,000 rows with and without registering late readings, CPU time in pairs")
    for name, columns, at_most in (("in time", dated_today(batch), MOST_SLOWER_PERCENT), ("all late", batch, None)):
        registering = partial(_stored, columns, registers=True)
        compared = compared_in_turn(registering, partial(_stored, columns, registers=False), ROUNDS)
        took = f"{compared.with_it:.1f} ms with, {compared.without:.1f} ms without"
        results.add(f"slower, {name}", compared.slower_percent, "%", at_most=at_most, note=took)


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
