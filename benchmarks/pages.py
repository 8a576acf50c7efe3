"""The CPU time of pages in the web process, and their transferred bytes.

Pages are requested as by a browser: signed in and accepting gzip. The time is that of this process around Django's test
client, so it includes the client's own share.
"""

from __future__ import annotations

import re
import statistics
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlencode

import numpy as np
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client, override_settings

from benchmarks import storing
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from benchmarks.measuring.server import serving
from customers.models import Customer, Membership, StorageUnit
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.rollups import refresh
from readings.storage.store import store

UNITS, FEW_UNITS = 1_000, 100
YEARS = timedelta(days=5 * 365 + 1)
WARM_UP, REPETITIONS = 3, 30
MAX_CPU_MS = {
    "overview of 1,000 units": 60.0,
    "unchanged overview": 3.0,
    "unit page": 40.0,
    "series of five years": 15.0,
}
MAX_BYTES = {"overview of 100 units": 150_000, "first visit": 600_000}
READINGS_PER_BATCH = 100_000


class Response(Protocol):
    """The response of the test client."""

    status_code: int
    content: bytes


# The test client serves no collected files, and no TLS.
_STATIC = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


@override_settings(ALLOWED_HOSTS=["*"], SECURE_SSL_REDIRECT=False, STORAGES=settings.STORAGES | _STATIC)
def run(results: Results) -> None:
    """Measure the CPU time and size of each page with its budget."""
    many, few, unit = _prepare()
    now = datetime.now(UTC)
    five_years = urlencode({"start": f"{now - YEARS:%Y-%m-%dT%H:%M:%SZ}", "end": f"{now:%Y-%m-%dT%H:%M:%SZ}"})
    with serving() as port:
        sizes = {"overview of 100 units": len(_sent(port, "/", few)), "first visit": _first_visit(port, few)}
    browser = _browser(many)
    etag = browser.get("/").headers["ETag"]
    requests: dict[str, Callable[[], Response]] = {
        "overview of 1,000 units": lambda: browser.get("/"),
        "unchanged overview": lambda: browser.get("/", headers={"If-None-Match": etag, "HX-Target": "units"}),
        "unit page": lambda: browser.get(f"/units/{unit.public_id}"),
        "series of five years": lambda: browser.get(f"/units/{unit.public_id}/series.json?{five_years}"),
    }
    results.title("CPU time of the process, medians, and bytes as sent")
    for name, request in requests.items():
        results.add(name, _cpu_ms(request), "ms", at_most=MAX_CPU_MS[name], note=f"{len(request().content):,} bytes")
    for name, size in sizes.items():
        results.add(f"{name}, bytes", size, "bytes", at_most=MAX_BYTES[name])


def _cpu_ms(request: Callable[[], Response]) -> float:
    """Return the median CPU time of a request in milliseconds. Raises RuntimeError for an error response."""
    took = []
    for _ in range(WARM_UP + REPETITIONS):
        start = time.process_time()
        response = request()
        took.append((time.process_time() - start) * 1000)
        if response.status_code not in (200, 304):
            raise RuntimeError(f"The response to a page had the status {response.status_code}.")
    return statistics.median(took[WARM_UP:])


def _browser(headers: tuple[str, ...]) -> Client:
    """Return a test client that sends these headers."""
    return Client(headers=dict(header.split(": ", 1) for header in headers) | {"Host": "localhost"})


def _prepare() -> tuple[tuple[str, ...], tuple[str, ...], StorageUnit]:
    """Create two customers with UNITS and FEW_UNITS units and a day of readings; the first unit has five years of them.

    Return the headers of a viewer of each customer, and the first unit.
    """
    with connection.cursor() as cursor:
        cursor.execute(storing.EMPTY)
    units = make_units(UNITS, "PAGES")
    _fill([*units, *make_units(FEW_UNITS, "FEWPAGES")], timedelta(days=1), every_minutes=15)
    _fill(units[:1], YEARS, every_minutes=1)
    StorageUnit.objects.update(set_temperature=5.0)
    refresh()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return signed_in("PAGES"), signed_in("FEWPAGES"), StorageUnit.objects.get(pk=units[0][0])


def _fill(units: list[tuple[int, int]], duration: timedelta, *, every_minutes: int) -> None:
    unit_ids, sensor_ids = np.array(units, np.int32).T
    newest = datetime.now(UTC).replace(second=0, microsecond=0)
    instants = np.arange(microseconds_of(newest - duration), microseconds_of(newest) + 1, every_minutes * 60_000_000)
    random = np.random.default_rng(3)
    size = max(READINGS_PER_BATCH // len(units), 1)
    for start in range(0, len(instants), size):
        batch = instants[start : start + size]
        rows = len(batch) * len(units)
        store(
            ReadingBatch(
                storage_unit_id=np.tile(unit_ids, len(batch)),
                sensor_id=np.tile(sensor_ids, len(batch)),
                recorded_at_us=np.repeat(batch, len(units)),
                temperature_c=np.round(random.normal(5, 1, rows), 2),
                scale=np.full(rows, b"C", "S1"),
                quality_score=np.full(rows, 0.97),
                equipment_status_id=np.full(rows, 1, np.int16),
            )
        )


def signed_in(customer_code: str) -> tuple[str, ...]:
    """Return the request headers of a browser in which a viewer of the customer is signed in."""
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
    """Return the body as sent."""
    request = urllib.request.Request(f"http://localhost:{port}{path}")
    for header in headers:
        request.add_header(*header.split(": ", 1))
    with urllib.request.urlopen(request) as response:  # noqa: S310
        body: bytes = response.read()
    return body


def _first_visit(port: int, headers: tuple[str, ...]) -> int:
    """Return the bytes of the overview and a unit page with all their assets."""
    plain = tuple(header for header in headers if not header.startswith("Accept-Encoding"))
    overview = _sent(port, "/", plain).decode()
    unit_path = re.search(r'href="(/units/[^"]+)"', overview)
    pages = ["/", unit_path[1]] if unit_path else ["/"]
    texts = [_sent(port, path, plain).decode() for path in pages]
    assets = {each for text in texts for each in re.findall(r'(?:src|href)="(/static/[^"]+)"', text)}
    return sum(len(_sent(port, path, headers)) for path in [*pages, *sorted(assets)])
