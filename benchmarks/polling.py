"""What a poll costs: CPU of the worker and of PostgreSQL for a source with six units, each with a new reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil
from django.conf import settings
from django.db import connection

from benchmarks.measuring.results import Results
from benchmarks.measuring.sources_server import sources_server
from core.db import clock
from core.leases import Claim
from customers.models import Customer
from ingestion.models import IngestionType, Source
from ingestion.polling.claims import claim_due
from ingestion.polling.group import poll_group
from ingestion.polling.poll import poll
from ingestion.tasks import GROUP_SIZE

SOURCES = 96
ROUNDS = 3
INTERVAL_SECONDS = 60
# Two cores have 12 ms for each of 10,000 polls a minute; RabbitMQ, beat and the sources' server need some of it.
MAX_CPU_MS = 10.0
# Of a poll alone: statements and compiling them are shared by a group.
MAX_SHARE_OF_ONE_BY_ONE = 0.6


@dataclass(frozen=True, slots=True)
class Cost:
    """The mean cost of a poll in milliseconds."""

    worker_ms: float
    database_ms: float
    elapsed_ms: float

    @property
    def cpu_ms(self) -> float:
        """Of both processes."""
        return self.worker_ms + self.database_ms


def run(results: Results) -> None:
    """Measure the cost of a poll."""
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.OUTGOING_PORTS = ["1-65535"]
    # All sources are claimed before the first is polled.
    settings.POLL_LEASE_SECONDS = 3_600
    with sources_server() as server:
        make_sources(SOURCES, server.port)
        results.title(f"{SOURCES} sources of 6 units each, means of {ROUNDS} rounds")
        alone, grouped = measure(_one_by_one), measure(_in_groups)
    for name, cost, at_most in (("one by one", alone, None), ("in groups", grouped, MAX_CPU_MS)):
        parts = f"worker {cost.worker_ms:.1f} ms, PostgreSQL {cost.database_ms:.1f} ms; took {cost.elapsed_ms:.1f} ms"
        results.add(f"CPU of a poll, {name}", cost.cpu_ms, "ms", at_most=at_most, note=parts)
    share = grouped.cpu_ms / alone.cpu_ms
    results.add("in groups", share, "of one by one", at_most=MAX_SHARE_OF_ONE_BY_ONE)


def make_sources(count: int, port: int, prefix: str = "POLLED") -> list[Source]:
    """Create sources of one customer each at the server."""
    customers = Customer.objects.bulk_create(
        Customer(customer_code=f"{prefix}-{number}", name=f"Polled {number}") for number in range(count)
    )
    return Source.objects.bulk_create(
        Source(
            customer=customer,
            name=f"source {number}",
            ingestion_type=IngestionType.API,
            url=f"http://127.0.0.1:{port}/{number}",
            interval_seconds=INTERVAL_SECONDS,
        )
        for number, customer in enumerate(customers)
    )


def measure(work: Callable[[Sequence[Claim]], None]) -> Cost:
    """Return the cost of polling all sources, after a round that registers their units."""
    work(_claimed())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(pid,)] = cursor.fetchall()
    backend = psutil.Process(pid)
    before, began, cpu_began = sum(backend.cpu_times()[:2]), time.perf_counter(), time.process_time()
    count = 0
    for _ in range(ROUNDS):
        claims = _claimed()
        work(claims)
        count += len(claims)
    spent, cpu_spent = time.perf_counter() - began, time.process_time() - cpu_began
    database_spent = sum(backend.cpu_times()[:2]) - before
    return Cost(cpu_spent / count * 1e3, database_spent / count * 1e3, spent / count * 1e3)


def _claimed() -> list[Claim]:
    Source.objects.update(next_due_at="2026-01-01T00:00:00Z", claim_id=None, lease_until=None)
    return claim_due()


def _one_by_one(claims: Sequence[Claim]) -> None:
    for claim in claims:
        (delivery,) = poll(claim)
        assert delivery.records_stored == 6, delivery.error_message


def _in_groups(claims: Sequence[Claim]) -> None:
    began = clock.database_now()
    for first in range(0, len(claims), GROUP_SIZE):
        assert poll_group(claims[first : first + GROUP_SIZE]) == []
    polled = Source.objects.filter(last_success_at__gte=began, failures_in_a_row=0)
    assert polled.count() == len(claims), list(
        Source.objects.exclude(last_error="").values_list("last_error", flat=True)
    )
