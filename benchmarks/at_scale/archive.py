"""A month in files and in its table: `python -m benchmarks --scale archive`.

94 units measure every minute, a few seconds early or late, and are polled nine at a time every five minutes, so that
the readings of a delivery have the same instant of arrival. BENCH_ARCHIVE_DAYS shortens the month.
"""

from __future__ import annotations

import os
import statistics
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from django.db import connection

from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from core.api.pagination import Cursor
from core.scope import Scope
from readings.archive_models import ArchiveFile
from readings.lists.export import CHUNK_ROWS
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.restoring import restore_month
from readings.storage.archive.rows import INSTANT, SCHEMA, ArrivedBatch, fill, sort
from readings.storage.partitions import ensure_partitions, partition_name
from readings.storage.reading_batch import microseconds_of
from readings.storage.rollups import rebuild, refresh
from readings.units.unit_refs import visible_unit_refs

UNITS, UNITS_A_DELIVERY = 94, 9
MONTH = date(2024, 3, 1)
START = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 31
SECOND_US, MINUTE_US = 1_000_000, 60_000_000
DELIVERED_EVERY_US = 5 * MINUTE_US
MAX_HOT_BYTES, MAX_ARCHIVED_BYTES = 90.0, 5.0
# Of listing the month in its table.
MAX_TIMES_SLOWER = 3.0
PAGE_ROWS, PAGES = 100, 9
HOT_BYTES = "SELECT pg_total_relation_size(%s::regclass)"


def run(results: Results) -> None:
    """Measure bytes of a reading, the speed of archiving and restoring, and how long lists take."""
    days = int(os.environ.get("BENCH_ARCHIVE_DAYS") or DAYS)
    ensure_partitions([START])
    rows = month_of(make_units(UNITS, "ARCHIVE"), days)
    fill(ArrivedBatch.of(rows))
    # The lists count by the roll-ups.
    rebuild(rows["storage_unit_id"].unique().to_list())
    refresh()
    results.title(f"{UNITS} units, {len(rows):,} readings of {days} days")
    hot_bytes, hot = _hot_bytes() / len(rows), _list_seconds(days)
    seconds = elapsed_seconds(lambda: archive_month(MONTH))
    archived = _list_seconds(days)
    archived_bytes = sum(ArchiveFile.objects.filter(replaced_at=None).values_list("byte_count", flat=True)) / len(rows)
    restored = elapsed_seconds(lambda: restore_month(MONTH))
    results.add("a reading in the table", hot_bytes, "bytes", at_most=MAX_HOT_BYTES)
    results.add("an archived reading", archived_bytes, "bytes", at_most=MAX_ARCHIVED_BYTES)
    for name, took in archived.items():
        note = f"{took * 1e3:.1f} ms archived, {hot[name] * 1e3:.1f} ms in the table"
        results.add(f"listing {name}", took / hot[name], "times", at_most=MAX_TIMES_SLOWER, note=note)
    results.add("archived", len(rows) / seconds, "readings/s")
    results.add("restored", len(rows) / restored, "readings/s")


def month_of(unit_sensors: list[tuple[int, int]], days: int) -> pl.DataFrame:
    """Return the readings of the units, with the instants of their arrival."""
    rng = np.random.default_rng(8)
    start_us = int(START.timestamp()) * SECOND_US
    grid = start_us + MINUTE_US // 2 + np.arange(days * 1_440, dtype=np.int64) * MINUTE_US
    size = len(grid)
    frames = []
    arrivals = grid
    for number, (unit_id, sensor_id) in enumerate(unit_sensors):
        if number % UNITS_A_DELIVERY == 0:
            offset = int(rng.integers(0, DELIVERED_EVERY_US))
            delivery = (grid - start_us + MINUTE_US) // DELIVERED_EVERY_US
            took = rng.integers(0, 2 * SECOND_US, int(delivery[-1]) + 1)
            arrivals = start_us + (delivery + 1) * DELIVERED_EVERY_US + offset + took[delivery]
        recorded = grid + rng.integers(-3, 4, size) * SECOND_US
        frames.append(
            pl.DataFrame(
                {
                    "storage_unit_id": np.full(size, unit_id, np.int32),
                    "recorded_at": pl.Series(recorded).cast(INSTANT),
                    "sensor_id": np.full(size, sensor_id, np.int32),
                    "temperature_c": np.round(5 + np.sin(grid / (45 * MINUTE_US)) + rng.normal(0, 0.15, size), 1),
                    "scale": ["C"] * size,
                    "quality_score": np.where(rng.random(size) < 0.98, 1.0, 0.97),
                    "equipment_status_id": np.full(size, 1, np.int16),
                    "created_at": pl.Series(arrivals).cast(INSTANT),
                },
                schema=SCHEMA,
            )
        )
    return sort(pl.concat(frames))


def _hot_bytes() -> int:
    """Return the size of the month's partition with its indexes, after VACUUM."""
    name = partition_name(START)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {name}")
        cursor.execute(HOT_BYTES, [name])
        return int(cursor.fetchone()[0])


def _list_seconds(days: int) -> dict[str, float]:
    """Return how long pages and all readings of the month take to list, the median of several."""
    month = Listing(visible_unit_refs(Scope.everything()), ReadingFilter(START, START + timedelta(days=days)))

    def a_page() -> None:
        assert len(month.rows(PAGE_ROWS, counted=month.count())) == PAGE_ROWS

    def a_page_below() -> None:
        at = microseconds_of(START + timedelta(days=days / 2))
        assert len(month.rows(PAGE_ROWS, cursor=Cursor(at, 0, 0, 0), counted=month.count())) == PAGE_ROWS

    def everything() -> None:
        assert sum(map(len, month.chunks(CHUNK_ROWS))) > PAGE_ROWS

    return {
        "its first page": statistics.median(elapsed_seconds(a_page) for _ in range(PAGES)),
        "a page in the middle": statistics.median(elapsed_seconds(a_page_below) for _ in range(PAGES)),
        "all of it": elapsed_seconds(everything),
    }
