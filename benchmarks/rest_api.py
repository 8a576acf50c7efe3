"""The REST API's endpoints, as ratios to `/ping` in the same run, with few readings stored and with many.

The requests are those of a customer of 10 units among 100 units of ten customers. Each endpoint is loaded in turn with
`/ping`, so that other work on the machine slows both down. `slower` is how much longer a response takes with many
readings than with few, both as ratios to ping.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection

from benchmarks import storing
from benchmarks.measuring.filling import fill
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.load import BesidePing, Request, load_beside_ping
from benchmarks.measuring.results import Results
from benchmarks.measuring.server import serving
from customers.access.tokens import create_token
from customers.models import Customer

FEW, MANY = 100_000, 1_000_000
CUSTOMERS, UNITS_EACH = 10, 10
CONNECTIONS = (1, 16)
# Each endpoint and `/ping` are loaded this often, for this long at a time.
ROUNDS, SECONDS = 2, 2.0
MAX_TIMES_SLOWER = 1.5
# Lowest permitted responses per second at 16 connections, as ratios to those of /ping.
BUDGETS = {"latest": 0.22, "page of 100": 0.14, "stats": 0.10, "aggregate": 0.10, "facilities": 0.40}


def run(results: Results) -> None:
    """Measure the REST API with few and many readings stored."""
    token = prepare_customers()
    few = measure(FEW, token)
    many = measure(MANY, token)
    results.title(f"a customer of 10 units among {FEW:,} and among {MANY:,} readings; responses/s as ratios to ping")
    for readings, measured in ((FEW, few), (MANY, many)):
        for (name, connections), each in measured.items():
            add_ratio(results, name, connections, readings, each)
    for (name, connections), each in few.items():
        slower = each.rate_ratio / many[name, connections].rate_ratio
        line = f"{name}, {of_connections(connections)}: slower with many readings"
        results.add(line, slower, "times", at_most=MAX_TIMES_SLOWER)


def add_ratio(results: Results, name: str, connections: int, readings: int, measured: BesidePing) -> None:
    """Add the line of an endpoint. Only with most connections is there a budget."""
    speed = f"{measured.load.requests_a_second:,.0f}/s"
    percentiles = f"p50 {measured.load.p50_seconds * 1e3:.1f} ms, p99 {measured.load.p99_seconds * 1e3:.1f} ms"
    results.add(
        f"{name}, {of_connections(connections)}, {readings:,} readings",
        measured.rate_ratio,
        "of ping",
        at_least=BUDGETS.get(name) if connections == max(CONNECTIONS) else None,
        note=f"{speed}, {percentiles}",
    )


def of_connections(count: int) -> str:
    """Return the number of connections in words."""
    return "1 connection" if count == 1 else f"{count} connections"


def prepare_customers() -> str:
    """Empty the tables and create the customers; return the text of a read token of the first."""
    with connection.cursor() as cursor:
        cursor.execute(storing.EMPTY)
    for number in range(CUSTOMERS):
        make_units(UNITS_EACH, f"API{number}")
    first = Customer.objects.get(customer_code="API0")
    return create_token(first, "benchmark", ["read"])[1]


def measure(readings: int, token: str) -> dict[tuple[str, int], BesidePing]:
    """Store this many one-minute readings up to now, refresh the roll-ups, and load each endpoint."""
    fill(customers_units(), readings)
    with serving() as port:
        return {
            (name, connections): load_beside_ping(request, connections=connections, rounds=ROUNDS, seconds=SECONDS)
            for connections in CONNECTIONS
            for name, request in _requests(port, token).items()
        }


def customers_units() -> list[tuple[int, int]]:
    """Return the units of the customers with their sensors."""
    return [pair for number in range(CUSTOMERS) for pair in make_units(UNITS_EACH, f"API{number}")]


def _requests(port: int, token: str) -> dict[str, Request]:
    headers = (f"Authorization: Bearer {token}",)
    now = datetime.now(UTC)
    span = f"start_date={now - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}&end_date={now:%Y-%m-%dT%H:%M:%SZ}"
    body = (
        f'{{"group_by": ["day", "facility"], "aggregations": ["avg", "min", "max", "count"],'
        f' "start_date": "{now - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}", "end_date": "{now:%Y-%m-%dT%H:%M:%SZ}"}}'
    )
    temperature = "/api/v1/temperature"
    return {
        "latest": Request(port, f"{temperature}/latest", headers),
        "page of 100": Request(port, f"{temperature}?limit=100", headers),
        "stats": Request(port, f"{temperature}/stats?{span}", headers),
        "aggregate": Request(port, f"{temperature}/aggregate", headers, "POST", body.encode()),
        "facilities": Request(port, "/api/v1/facilities", headers),
    }
