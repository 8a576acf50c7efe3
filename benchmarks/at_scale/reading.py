"""Response times of what is read, as readings accumulate: `python -m benchmarks --scale reading`.

A customer reads all of its 94 or 10,000 storage units over one connection, at 100,000, 10,000,000 and 100,000,000
readings. The clock rate of a machine changes within minutes, so each request is loaded in turn with `/ping`, and its
time compared as a ratio to that of `/ping`. BENCH_READINGS and BENCH_UNITS name other numbers, separated by commas, the
fewest readings first; a hundred million take 15 GB.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.db import connection

from benchmarks import storing
from benchmarks.measuring.filling import fill
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.load import BesidePing, Request, load_beside_ping
from benchmarks.measuring.results import Results
from benchmarks.measuring.server import serving
from benchmarks.rest_api import MAX_TIMES_SLOWER
from customers.access.tokens import create_token
from customers.models import Customer, StorageUnit

UNITS = (94, 10_000)
SIZES = (100_000, 10_000_000, 100_000_000)
# Each request and `/ping` are loaded this often, for this long at a time.
ROUNDS, SECONDS = 3, 1.5
# A page of ten, so that there are 10,000 pages of the fewest readings.
PAGE_ROWS, LAST_PAGE = 10, 10_000
SERIES = {"day": 1, "30 days": 30, "year": 365, "five years": 5 * 365 + 1}
AGGREGATED_DAYS = 30


def run(results: Results) -> None:
    """Measure each request at each number of units and readings."""
    for units in _numbers("BENCH_UNITS", UNITS):
        results.title(f"{units:,} units of one customer, one connection")
        unit_sensors = make_units(units, f"READ{units}")
        token = create_token(Customer.objects.get(customer_code=f"READ{units}"), "benchmark", ["read"])[1]
        fewest: dict[str, BesidePing] = {}
        for size in _numbers("BENCH_READINGS", SIZES):
            measured = _measure(size, unit_sensors, token)
            fewest = fewest or measured
            for name, each in measured.items():
                slower = each.time_ratio / fewest[name].time_ratio
                note = f"p50 {each.load.p50_seconds * 1e3:.1f} ms, p99 {each.load.p99_seconds * 1e3:.1f} ms"
                note += f"; {each.time_ratio:.1f} times ping"
                line = f"{name}, {units:,} units, {size:,} readings"
                results.add(line, slower, "times", at_most=MAX_TIMES_SLOWER, note=note)


def _numbers(variable: str, default: tuple[int, ...]) -> list[int]:
    return [int(each) for each in os.environ.get(variable, "").split(",") if each] or list(default)


def _measure(size: int, unit_sensors: list[tuple[int, int]], token: str) -> dict[str, BesidePing]:
    """Store this many readings in empty tables, up to now; return the response times of each request."""
    with connection.cursor() as cursor:
        cursor.execute(storing.EMPTY)
    fill(unit_sensors, size)
    unit = StorageUnit.objects.get(pk=unit_sensors[0][0])
    with serving() as port:
        requests = _requests(port, token, str(unit.public_id))
        return {
            name: load_beside_ping(request, connections=1, rounds=ROUNDS, seconds=SECONDS)
            for name, request in requests.items()
        }


def _requests(port: int, token: str, unit_id: str) -> dict[str, Request]:
    headers, now = (f"Authorization: Bearer {token}",), datetime.now(UTC)

    def get(path: str, **parameters: object) -> Request:
        return Request(port, f"/api/v1/{path}?{urlencode(parameters)}", headers)

    def since(days: int) -> dict[str, str]:
        return {
            "start_date": f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}",
            "end_date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }

    body = '{{"group_by": ["day", "facility"], "start_date": "{start_date}", "end_date": "{end_date}"}}'
    aggregate = body.format(**since(AGGREGATED_DAYS)).encode()
    return {
        "latest": get("temperature/latest"),
        "stats": get("temperature/stats", **since(AGGREGATED_DAYS)),
        "trends": get("analytics/temperature/trends", interval="day"),
        "aggregate": Request(port, "/api/v1/temperature/aggregate", headers, "POST", aggregate),
        **{
            f"series, {name}": get(f"temperature/unit/{unit_id}/series", **since(days)) for name, days in SERIES.items()
        },
        "first page": get("temperature", limit=PAGE_ROWS),
        "10,000th page": get("temperature", limit=PAGE_ROWS, offset=PAGE_ROWS * (LAST_PAGE - 1)),
    }
