"""How long an update's migrations lock large tables: `python -m benchmarks --scale updating`.

The database is that of the release in `deploy/released_migrations.txt`; what is measured are all migrations since.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import psycopg2.extensions
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from benchmarks.measuring.results import Results

READINGS = 10_000_000
DELIVERIES = 1_000_000
UNITS = 100
MAX_SECONDS = 2.0
SAMPLED_EVERY_SECONDS = 0.01
DATABASE = "bench_updating"
RELEASED = Path(settings.BASE_DIR) / "deploy" / "released_migrations.txt"

# Not by the command, after which receivers expect all tables.
MIGRATE_TO = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
MigrationExecutor(connection).migrate({})
"""
PARTITIONS = """
SELECT make_reading_partition('reading_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month')
FROM generate_series('2026-01-01 00:00+00', now(), interval '1 month') AS month
WHERE to_regclass('reading_' || to_char(month, 'YYYY_MM')) IS NULL
"""
# Without the rows of units that they refer to: no migration looks at these.
FILL = f"""
INSERT INTO reading (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale,
    created_at)
SELECT unit, unit, '2026-01-01 00:00+00'::timestamptz + minute * interval '1 minute', 5.0, 0.97, 1, 'C', now()
FROM generate_series(0, {READINGS // UNITS - 1}) AS minute, generate_series(1, {UNITS}) AS unit
"""  # noqa: S608  constants only
FILL_DELIVERIES = f"""
INSERT INTO delivery (public_id, customer_id, ingestion_type, status, started_at, ended_at, records_processed,
    records_stored, records_duplicate, records_conflicting, records_rejected, size_bytes, source_url, error_reason,
    error_message)
SELECT gen_random_uuid(), 1, 'api', 'success', at, at, 10, 10, 0, 0, 0, 1000, 'https://example.com', '', ''
FROM generate_series('2026-01-01 00:00+00'::timestamptz, '2026-01-01 00:00+00'::timestamptz
    + {DELIVERIES - 1} * interval '20 seconds', interval '20 seconds') AS at
"""  # noqa: S608  constants only
# Modes that block writing or reading. Tables that a migration creates are used by nobody yet.
LOCKS = """
SELECT virtualtransaction, relation::regclass::text, mode FROM pg_locks
WHERE granted AND relation = ANY(%s::oid[]) AND pid <> pg_backend_pid()
    AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
TABLES = "SELECT array_agg(oid) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"


def run(results: Results) -> None:
    """Apply the migrations since the release, and measure which tables were locked for longest."""
    url = _own_database()
    try:
        began = time.monotonic()
        with closing(psycopg2.connect(url)) as connection:
            _fill(connection)
        seconds = time.monotonic() - began
        results.title(f"{READINGS:,} readings and {DELIVERIES:,} deliveries, stored in {seconds:.0f} s")
        watcher = _LockWatcher(url)
        _manage(url, "migrate", "--no-input", "--verbosity", "0")
        locked = watcher.end()
        longest = max(locked.values(), default=0.0)
        results.add("longest lock of a table", longest, "s", at_most=MAX_SECONDS)
        for (table, mode), held in sorted(locked.items(), key=lambda item: -item[1])[:5]:
            results.add(f"{table}, {mode}", held * 1e3, "ms")
    finally:
        _execute(os.environ["DATABASE_URL"], f"DROP DATABASE IF EXISTS {DATABASE}")


def _own_database() -> str:
    """Create a database with the release's tables, and return its URL."""
    url = os.environ["DATABASE_URL"]
    _execute(url, f"DROP DATABASE IF EXISTS {DATABASE}")
    _execute(url, f"CREATE DATABASE {DATABASE}")
    own = urlsplit(url)._replace(path=f"/{DATABASE}").geturl()
    targets = [_target(*line.split()) for line in RELEASED.read_text().splitlines()]
    _manage(own, "shell", "--no-imports", "-c", MIGRATE_TO.format(targets))
    return own


def _target(app: str, name: str) -> tuple[str, str]:
    """Return the migration that takes an empty database as far as this one: itself, or the squashed one."""
    for key, migration in MigrationLoader(None).disk_migrations.items():
        if (app, name) in migration.replaces:
            return key
    return app, name


def _fill(connection: psycopg2.extensions.connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        # No trigger runs, so no foreign key is checked.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(FILL)
        cursor.execute(FILL_DELIVERIES)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE reading, delivery")


def _manage(url: str, *arguments: str) -> None:
    environment = os.environ | {"DATABASE_URL": url}
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=True)  # noqa: S603  our own command


def _execute(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


class _LockWatcher:
    """Looks again and again which tables are locked, until `end`."""

    def __init__(self, url: str) -> None:
        self._url = url
        # When each lock of a transaction was seen first and last.
        self._seen: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> dict[tuple[str, str], float]:
        """Return the most seconds for which each table was locked, by table and mode."""
        self._is_over.set()
        self._thread.join()
        longest: dict[tuple[str, str], float] = {}
        for (_, table, mode), (first, last) in self._seen.items():
            longest[table, mode] = max(longest.get((table, mode), 0.0), last - first)
        return longest

    def _watch(self) -> None:
        with closing(psycopg2.connect(self._url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(TABLES)
            ((tables,),) = cursor.fetchall()
            while not self._is_over.wait(SAMPLED_EVERY_SECONDS):
                cursor.execute(LOCKS, [tables])
                now = time.monotonic()
                for lock in cursor.fetchall():
                    self._seen[lock] = (self._seen.get(lock, (now, now))[0], now)
