"""A simulated day at full rate: what updates and insertions leave in the tables, `python -m benchmarks --scale day`.

Each unit is measured every five minutes and stored round by round, with the refresh of the roll-ups in between. No more
than half an hour of simulated time passes in a second, in which autovacuum looks at the tables once; in production it
looks every minute. Afterwards the dead rows and the size of each table are compared with those of the same rows
rewritten.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection, transaction

from benchmarks.measuring.filling import one_minute_readings
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from readings.storage.partitions import close_partitions, ensure_partitions, month_start, partition_name
from readings.storage.rollups import refresh
from readings.storage.store import store

UNITS = 1_000
EVERY = timedelta(minutes=5)
# A month that is over, so that its partition is also frozen.
DAY = datetime(2026, 3, 10, tzinfo=UTC)
ROUNDS = timedelta(days=1) // EVERY
REFRESH_EVERY_ROUNDS = 12
AUTOVACUUM_EVERY_SECONDS = 1
ROUND_SECONDS = AUTOVACUUM_EVERY_SECONDS * (EVERY / timedelta(minutes=30))
PARTITION = partition_name(month_start(DAY))
# The tables and the percentage to which their pages are filled.
TABLES = {PARTITION: 100, "latest_reading": 50, "hourly_rollup": 80, "daily_rollup": 80}
# Dead rows as a ratio to the rows or, of a small table, in rows; the size as a ratio to that when rewritten.
MAX_DEAD, MAX_DEAD_ROWS, MAX_BLOAT = 0.25, 10_000, 2.0
STATE = """
SELECT n_live_tup, n_dead_tup, n_tup_upd, n_tup_hot_upd, autovacuum_count + vacuum_count,
    pg_total_relation_size(relid), (SELECT count(*) FROM {table})
FROM pg_stat_user_tables WHERE relid = '{table}'::regclass
"""
# With the same room on each page for updates.
REWRITTEN = """
CREATE TEMPORARY TABLE rewritten (LIKE {table} INCLUDING ALL) WITH (fillfactor = {fillfactor}) ON COMMIT DROP
"""
# With autovacuum_freeze_min_age = 0 a page becomes all-visible and frozen at the same time.
FROZEN = "SELECT relpages, relallvisible FROM pg_class WHERE oid = %s::regclass"
FROZEN_WITHIN_SECONDS = 60


class TableState(NamedTuple):
    """What a table looks like after the day."""

    live: int
    dead: int
    updated: int
    updated_in_place: int
    vacuums: int
    size_bytes: int
    rows: int


def run(results: Results) -> None:
    """Store a day and measure each table's dead rows, size and vacuums."""
    unit_sensors = make_units(UNITS)
    ensure_partitions([month_start(DAY)])
    _configure_server()
    began = time.perf_counter()
    for number in range(ROUNDS):
        time.sleep(max(began + number * ROUND_SECONDS - time.perf_counter(), 0))
        store(one_minute_readings(unit_sensors, DAY + number * EVERY, 1))
        if number % REFRESH_EVERY_ROUNDS == 0:
            refresh(deadline=None)
    seconds = time.perf_counter() - began
    rows = UNITS * ROUNDS
    results.title(f"a day of {UNITS:,} units every {EVERY.seconds // 60} minutes, {rows:,} readings in {seconds:.0f} s")
    for table, fillfactor in TABLES.items():
        _add_state(results, table, fillfactor)
    close_partitions()
    _add_frozen(results)


def _add_state(results: Results, table: str, fillfactor: int) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(STATE.format(table=table))
        state = TableState._make(cursor.fetchone())
        cursor.execute(REWRITTEN.format(table=table, fillfactor=fillfactor))
        cursor.execute(f"INSERT INTO rewritten SELECT * FROM {table}")  # noqa: S608  constants only
        cursor.execute("SELECT pg_total_relation_size('rewritten')")
        [(rewritten_bytes,)] = cursor.fetchall()
    dead, bloat = state.dead / max(state.rows, 1), state.size_bytes / rewritten_bytes
    in_place = state.updated_in_place / state.updated if state.updated else 1
    in_use = f"{state.rows:,} rows, {state.size_bytes / max(state.rows, 1):,.0f} bytes each, {state.vacuums} vacuums"
    # Of a small table the dead rows are counted, not their share.
    if state.dead > MAX_DEAD_ROWS or dead <= MAX_DEAD:
        results.add(f"{table}, dead rows", dead, "of rows", at_most=MAX_DEAD, note=in_use)
    else:
        results.add(f"{table}, dead rows", state.dead, "rows", at_most=MAX_DEAD_ROWS, note=in_use)
    updated = f"{in_place:.0%} of the updates are HOT"
    results.add(f"{table}, size", bloat, "of rewritten", at_most=MAX_BLOAT, note=updated)


def _add_frozen(results: Results) -> None:
    """Wait for autovacuum to freeze what is left of the closed partition, and add how far it got."""
    deadline = time.monotonic() + FROZEN_WITHIN_SECONDS
    while True:
        with connection.cursor() as cursor:
            cursor.execute(FROZEN, [PARTITION])
            [(pages, visible)] = cursor.fetchall()
        if visible >= pages or time.monotonic() > deadline:
            break
        time.sleep(1)
    results.add(f"{PARTITION}, frozen after closing", visible / max(pages, 1), "of pages", at_least=1.0)


def _configure_server() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER SYSTEM SET autovacuum_naptime = {AUTOVACUUM_EVERY_SECONDS}")
        cursor.execute("SELECT pg_reload_conf()")
