"""How storing and the size of a reading grow with what is stored: `python -m benchmarks --scale growth`.

The endpoints' growth is measured by `rest_api`. BENCH_READINGS names other sizes, separated by commas; a hundred
million readings take 15 GB.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

from django.db import connection

from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.filling import fill, one_minute_readings
from benchmarks.measuring.results import Results
from benchmarks.rest_api import CUSTOMERS, UNITS_EACH, customers_units, prepare_customers
from readings.storage.store import store

SIZES = (1_000_000, 10_000_000, 100_000_000)
# Minutes of a batch of all units, and how many batches are stored.
BATCHES = {1: 60, 10: 30, 100: 8}
# Nothing that is stored may be dated ahead.
DAYS_BEFORE_NOW = 3
MAX_TIMES_SLOWER = 1.5
SIZE_OF_READINGS = """
SELECT sum(pg_total_relation_size(inhrelid)), (SELECT count(*) FROM reading) FROM pg_inherits
WHERE inhparent = 'reading'::regclass
"""


def run(results: Results) -> None:
    """Store batches on top of each number of readings, later than all of them, and compare with the fewest."""
    sizes = [int(size) for size in os.environ.get("BENCH_READINGS", "").split(",") if size] or SIZES
    units = CUSTOMERS * UNITS_EACH
    results.title("batches stored on top of many readings, medians, as multiples of those on top of the fewest")
    fewest: dict[int, float] = {}
    for size in sizes:
        milliseconds = _milliseconds_on_top_of(size)
        fewest = fewest or milliseconds
        for minutes, took in milliseconds.items():
            slower = took / fewest[minutes]
            line = f"{minutes * units:,} rows on top of {size:,}"
            results.add(line, slower, "times", at_most=MAX_TIMES_SLOWER, note=f"{took:.1f} ms")
        results.add(f"a reading of {size:,}", _bytes_a_reading(), "bytes")


def _milliseconds_on_top_of(size: int) -> dict[int, float]:
    """Store this many readings; return the median milliseconds of a further batch, by its minutes."""
    prepare_customers()
    after = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=DAYS_BEFORE_NOW)
    unit_sensors = customers_units()
    fill(unit_sensors, size, after)
    found = {}
    for minutes, rounds in BATCHES.items():
        seconds = []
        for _ in range(rounds):
            seconds.append(elapsed_seconds(partial(store, one_minute_readings(unit_sensors, after, minutes))))
            after += timedelta(minutes=minutes)
        found[minutes] = median(seconds[rounds // 4 :]) * 1e3
    return found


def _bytes_a_reading() -> float:
    with connection.cursor() as cursor:
        cursor.execute(SIZE_OF_READINGS)
        [(size, count)] = cursor.fetchall()
    return float(size) / int(count)
