"""What the audit trail costs where it must cost nothing.

Storing and the endpoints of the REST API run with the trail and without it in turn: without its triggers, the context
that is sent in front of statements, and the registration of late readings for the seals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from unittest.mock import patch

from django.db import connection
from django.test import override_settings
from django.utils import timezone

from audit.triggers import audited_tables
from audit.writes import send_context
from benchmarks import storing
from benchmarks.measuring.cpu_time import compared_in_turn, cpu_milliseconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.requests import Headers, Respond, request_in_process
from benchmarks.measuring.results import Results
from benchmarks.sealing import dated_today, nothing_late
from customers.access.tokens import create_token
from customers.models import Customer, StorageUnit
from readings.storage import many_readings
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import store

CODE = "TRAIL"
MOST_SLOWER_PERCENT = 3.0
STORED_ROWS, STORING_ROUNDS = 10_000, 60
REQUEST_ROUNDS = 40
# Changing triggers has statements planned again, so requests are sent in blocks, of which the first ones do not count.
REQUESTS_A_BLOCK, UNCOUNTED = 15, 5
READ = (
    "/api/v1/facilities",
    "/api/v1/temperature/latest",
    "/api/v1/temperature?limit=100",
    "/api/v1/temperature/stats",
)
AGGREGATED = b'{"group_by": ["day"]}'


@override_settings(ALLOWED_HOSTS=["*"], SECURE_SSL_REDIRECT=False)
def run(results: Results) -> None:
    """Compare storing and requests with and without the trail, then search it."""
    results.title("CPU time of process and PostgreSQL backend with trail and chaining and without, in pairs")
    # One connection for all requests: its backend is measured.
    connection.settings_dict["CONN_MAX_AGE"] = None
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(f"{storing.EMPTY}, late_readings")
    columns = dated_today(storing.columns_of(STORED_ROWS, make_units(storing.UNITS, CODE)))
    _compare(results, f"storing {STORED_ROWS:,} rows", partial(_stored, columns), STORING_ROUNDS)
    customer = Customer.objects.get(customer_code=CODE)
    headers = {"Authorization": f"Bearer {create_token(customer, 'benchmark', ['read', 'write'])[1]}"}
    for path in READ:
        _compare(results, f"GET {path}", partial(_block, request_in_process("GET", path, headers)), REQUEST_ROUNDS)
    _compare(results, "POST /api/v1/temperature/aggregate", partial(_block, _aggregates(headers)), REQUEST_ROUNDS)
    _compare(results, "POST /api/v1/temperature", partial(_block, _pushes(headers)), REQUEST_ROUNDS)


def _compare(results: Results, name: str, work: Callable[[], float], rounds: int) -> None:
    """Compare the work with and without the trail; it returns the milliseconds of one part."""

    def work_with() -> float:
        _switch_triggers("ENABLE")  # switching has statements planned again, as it has in the runs without triggers
        return work()

    def work_without() -> float:
        with _without_trail():
            return work()

    compared = compared_in_turn(work_with, work_without, rounds)
    took = f"{compared.with_it:.2f} ms with, {compared.without:.2f} ms without"
    results.add(f"slower, {name}", compared.slower_percent, "%", at_most=MOST_SLOWER_PERCENT, note=took)


@contextmanager
def _without_trail() -> Iterator[None]:
    _switch_triggers("DISABLE")
    connection.execute_wrappers.remove(send_context)
    try:
        with patch.object(many_readings, "late_days", nothing_late):
            yield
    finally:
        connection.execute_wrappers.append(send_context)
        _switch_triggers("ENABLE")


def _switch_triggers(how: str) -> None:
    tables = audited_tables("INSERT", "UPDATE", "DELETE")
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"ALTER TABLE {table} {how} TRIGGER USER" for table in tables))


def _stored(columns: ReadingBatch) -> float:
    """Store the rows into empty tables."""
    with connection.cursor() as cursor:
        cursor.execute(f"{storing.EMPTY}, late_readings")
    return cpu_milliseconds(partial(store, columns))


def _block(respond: Respond) -> float:
    """Send requests one after the other; return the time of one."""
    for _ in range(UNCOUNTED):
        respond()
    return cpu_milliseconds(partial(_repeat, respond)) / REQUESTS_A_BLOCK


def _repeat(respond: Respond) -> None:
    for _ in range(REQUESTS_A_BLOCK):
        respond()


def _aggregates(headers: Headers) -> Respond:
    """Return what requests an aggregate, each time with a body that has not been read."""
    return lambda: request_in_process("POST", "/api/v1/temperature/aggregate", headers, AGGREGATED)()


def _pushes(headers: Headers) -> Respond:
    """Return what pushes one new reading each time."""
    unit = StorageUnit.objects.filter(facility__customer__customer_code=CODE).earliest("pk")
    newest = timezone.now() - timedelta(hours=1)
    pushed = 0

    def push() -> None:
        nonlocal pushed
        pushed += 1
        at = newest + timedelta(seconds=pushed)
        reading = {"storage_unit_id": str(unit.public_id), "temperature": -70.1, "recorded_at": at.isoformat()}
        request_in_process("POST", "/api/v1/temperature", headers, json.dumps(reading).encode())()

    return push
