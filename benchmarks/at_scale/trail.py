"""A day of a million readings is sealed and verified, and a million entries of the audit trail are searched."""

from __future__ import annotations

import resource
import statistics
import time
from datetime import date, timedelta
from functools import partial

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from audit.models import AuditEntry
from benchmarks import storing
from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from core.scope import Scope
from core.web.pages import BoundedPaginator
from customers.models import Customer
from customers.trail.selectors import TrailFilter, search
from customers.web.trail import TEXT_SEARCH_DAYS
from readings.storage.closing import closes_at, start_of
from readings.storage.partitions import ensure_partitions, month_start
from seals.chain import ChainHead
from seals.days import DueDay, seal_day
from seals.verification.verify import Verification

CODE = "TRAIL"
UNITS = 700
MINUTES = 1_440
DAY = date(2026, 3, 2)
# Each unit's reading of every minute, as if it had arrived at once.
READINGS = """
INSERT INTO reading (storage_unit_id, sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id, scale,
    created_at)
SELECT unit.id, unit.sensor_id, minute, round((-70 + random())::numeric, 2), 0.97, 1, 'C', minute
FROM generate_series(%s::timestamptz, %s, interval '1 minute') AS minute,
    unnest(%s::int[], %s::int[]) AS unit (id, sensor_id)
"""
ENTRIES, DAYS = 1_000_000, 365
FILL = """
INSERT INTO audit_entry (happened_at, action, actor_kind, actor_name, actor_display_name, origin, process,
    database_user, model, object_id, object_label, customer_id, storage_unit_id, after, reason, transaction_id)
SELECT now() - number * interval '1 day' * %s / %s, 'changed', 'person', 'person' || number %% 500,
    'Person ' || number %% 500, 'page', 'settings-unit', 'app', 'customers.storageunit', (number %% 700)::text,
    'Freezer ' || number %% 700, %s + number %% 10, number %% 700, '{"set_temperature": 4}',
    CASE WHEN number %% 100000 = 50000 THEN 'New goods arrived.' ELSE '' END, number
FROM generate_series(1, %s) AS number
"""


def run(results: Results) -> None:
    """Seal and verify a day, then search the trail."""
    unit_sensors = make_units(UNITS, CODE)
    customer = Customer.objects.get(customer_code=CODE)
    _seal_a_day(results, customer, unit_sensors)
    _search(results, customer)


def _seal_a_day(results: Results, customer: Customer, unit_sensors: list[tuple[int, int]]) -> None:
    unit_ids, sensor_ids = zip(*unit_sensors, strict=True)
    first = start_of(DAY)
    ensure_partitions([month_start(first)])
    with connection.cursor() as cursor:
        cursor.execute(f"{storing.EMPTY}, late_readings, day_seal, reading_block")
        cursor.execute(READINGS, [first, first + timedelta(minutes=MINUTES - 1), list(unit_ids), list(sensor_ids)])
        cursor.execute("VACUUM ANALYZE reading")
    results.title("a day, and its verification")
    before = _peak_mebibytes()
    started = time.perf_counter()
    seal = seal_day(DueDay(customer.pk, DAY, closes_at(DAY), None), ChainHead())
    sealed_after = time.perf_counter() - started
    grown = _peak_mebibytes() - before
    verification = Verification([customer], includes_system=False)
    started = time.perf_counter()
    findings = list(verification.findings())
    verified_after = time.perf_counter() - started
    of = f"{seal.reading_count:,} readings of {seal.block_count} units"
    results.add("sealing a day", sealed_after, "s", note=f"{of}, memory grown by {grown:.0f} MiB")
    results.add("verifying it", verified_after, "s", note=f"{len(findings)} findings")


def _peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _search(results: Results, customer: Customer) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL, [DAYS, ENTRIES, customer.pk, ENTRIES])
        cursor.execute("VACUUM ANALYZE audit_entry")
    today: date = timezone.now().date()
    recent, everything = today - timedelta(days=TEXT_SEARCH_DAYS), today - timedelta(days=DAYS + 1)
    searches = {
        "newest page": TrailFilter(),
        f"text, {TEXT_SEARCH_DAYS} days": TrailFilter(text="goods", since=recent),
        "text, a year": TrailFilter(text="goods", since=everything),
        f"text of a customer, {TEXT_SEARCH_DAYS} days": TrailFilter(
            text="goods", customer_id=customer.pk, since=recent
        ),
        "a day": TrailFilter(since=recent, until=recent),
    }
    results.title(f"searches in {ENTRIES:,} entries of {DAYS} days: the page's two queries")
    for name, wanted in searches.items():
        entries = search(Scope.everything(), wanted)
        seconds = statistics.median(elapsed_seconds(partial(_page_of, entries)) for _ in range(3))
        index = [word for word in entries.order_by()[:10_000].explain().split() if word.startswith("audit_entry_")]
        note = f"counted through {', '.join(dict.fromkeys(index)) or 'the table'}"
        results.add(f"search: {name}", seconds * 1e3, "ms", note=note)


def _page_of(entries: QuerySet[AuditEntry]) -> None:
    """Read the newest page of a search, and count it, as the page does."""
    list(BoundedPaginator(entries, 50).get_page(1))
