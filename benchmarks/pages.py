"""The pages people look at all day, as ratios to `/ping` in the same run, and how much is sent for them.

What is asked for is what a browser asks for: signed in, and packed.
"""

from __future__ import annotations

import re
import urllib.request
from datetime import UTC, datetime, timedelta

import numpy as np
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from benchmarks import storing
from benchmarks.fleet import make_units
from benchmarks.load import Request, load
from benchmarks.server import serving
from customers.models import Customer, Membership, StorageUnit
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.rollups import refresh
from readings.storage.store import store

UNITS, FEW_UNITS = 1_000, 100
YEARS = timedelta(days=5 * 365 + 1)
CONNECTIONS = 16
SECONDS = 6.0
TARGETS = {"overview of 1,000 units": 0.05, "series of five years": 0.10}
MOST_BYTES = {"overview of 100 units": 150_000, "first visit": 600_000}
MINUTES_A_BATCH = 100_000


def run() -> None:
    many, few, unit = _prepare()
    now = datetime.now(UTC)
    series = f"/units/{unit.public_id}/series.json?start={now - YEARS:%Y-%m-%dT%H:%M:%SZ}&end={now:%Y-%m-%dT%H:%M:%SZ}"
    with serving() as port:
        requested = {
            "ping": Request(port, "/ping"),
            "overview of 1,000 units": Request(port, "/", many),
            "series of five years": Request(port, series, many),
            "page of a unit": Request(port, f"/units/{unit.public_id}", many),
        }
        loads = {name: load(each, connections=CONNECTIONS, seconds=SECONDS) for name, each in requested.items()}
        overview = _sent(port, "/", few)
        sizes = {"overview of 100 units": len(overview), "first visit": _first_visit(port, few)}
    print(f"Pages: {CONNECTIONS} connections, ratios to ping in the same run")
    print(f"{'page':<26}{'answers/s':>11}{'p99 ms':>9}{'ratio':>8}{'bytes':>10}")
    for name, each in loads.items():
        ratio = each.requests_a_second / loads["ping"].requests_a_second
        target = f"   target {TARGETS[name]:.2f}" if name in TARGETS else ""
        cells = f"{each.requests_a_second:>11,.0f}{each.p99_seconds * 1e3:>9.1f}{ratio:>8.3f}{each.body_bytes:>10,}"
        print(f"{name:<26}{cells}{target}")
    for name, size in sizes.items():
        print(f"{name:<26}{size:>38,}   target below {MOST_BYTES[name]:,}")


def _prepare() -> tuple[tuple[str, ...], tuple[str, ...], StorageUnit]:
    """Two customers with a day of readings; the headers of a viewer of each, and the first unit, which has five years.

    The first has UNITS units, the second FEW_UNITS.
    """
    with connection.cursor() as cursor:
        cursor.execute(storing.EMPTY)
    places = make_units(UNITS, "PAGES")
    _fill([*places, *make_units(FEW_UNITS, "FEWPAGES")], timedelta(days=1), every_minutes=15)
    _fill(places[:1], YEARS, every_minutes=1)
    StorageUnit.objects.update(set_temperature=5.0)
    refresh()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return _signed_in("PAGES"), _signed_in("FEWPAGES"), StorageUnit.objects.get(pk=places[0][0])


def _fill(places: list[tuple[int, int]], duration: timedelta, *, every_minutes: int) -> None:
    units, sensors = np.array(places, np.int32).T
    newest = datetime.now(UTC).replace(second=0, microsecond=0)
    instants = np.arange(microseconds_of(newest - duration), microseconds_of(newest) + 1, every_minutes * 60_000_000)
    random = np.random.default_rng(3)
    size = max(MINUTES_A_BATCH // len(places), 1)
    for start in range(0, len(instants), size):
        batch = instants[start : start + size]
        rows = len(batch) * len(places)
        store(
            ReadingBatch(
                storage_unit_id=np.tile(units, len(batch)),
                sensor_id=np.tile(sensors, len(batch)),
                recorded_at_us=np.repeat(batch, len(places)),
                temperature_c=np.round(random.normal(5, 1, rows), 2),
                scale=np.full(rows, b"C", "S1"),
                quality_score=np.full(rows, 0.97),
                equipment_status_id=np.full(rows, 1, np.int16),
            )
        )


def _signed_in(customer_code: str) -> tuple[str, ...]:
    """The headers of a browser in which a viewer of the customer is signed in."""
    user, _ = User.objects.get_or_create(username=f"viewer of {customer_code}")
    customer = Customer.objects.get(customer_code=customer_code)
    Membership.objects.get_or_create(user=user, customer=customer)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return (f"Cookie: {settings.SESSION_COOKIE_NAME}={session.session_key}", "Accept-Encoding: gzip")


def _sent(port: int, path: str, headers: tuple[str, ...]) -> bytes:
    """The body as it is sent."""
    request = urllib.request.Request(f"http://localhost:{port}{path}")
    for header in headers:
        request.add_header(*header.split(": ", 1))
    with urllib.request.urlopen(request) as response:  # noqa: S310
        body: bytes = response.read()
    return body


def _first_visit(port: int, headers: tuple[str, ...]) -> int:
    """Bytes of the overview with all that it loads, and of the page of a unit with what that loads besides."""
    plain = tuple(header for header in headers if not header.startswith("Accept-Encoding"))
    overview = _sent(port, "/", plain).decode()
    unit_path = re.search(r'href="(/units/[^"]+)"', overview)
    pages = ["/", unit_path[1]] if unit_path else ["/"]
    texts = [_sent(port, path, plain).decode() for path in pages]
    assets = {each for text in texts for each in re.findall(r'(?:src|href)="(/static/[^"]+)"', text)}
    return sum(len(_sent(port, path, headers)) for path in [*pages, *sorted(assets)])
