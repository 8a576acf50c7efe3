"""Totals of all deliveries and the delay of polls, for monitoring."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from core.leases import MAX_INTERRUPTED

DELIVERIES = """
SELECT ingestion_type, status, sum(deliveries)::bigint, sum(stored)::bigint, sum(duplicate)::bigint,
    sum(conflicting)::bigint, sum(rejected)::bigint, sum(store_seconds)
FROM (
    SELECT ingestion_type, status, count(*) AS deliveries, sum(records_stored) AS stored,
        sum(records_duplicate) AS duplicate, sum(records_conflicting) AS conflicting,
        sum(records_rejected) AS rejected, sum(store_seconds) AS store_seconds
    FROM delivery GROUP BY 1, 2
    UNION ALL
    SELECT ingestion_type, status, deliveries, stored, duplicate, conflicting, rejected, store_seconds
    FROM deleted_deliveries
) AS counted
GROUP BY 1, 2 ORDER BY 1, 2
"""
SOURCES = """
SELECT count(*), count(*) FILTER (WHERE failures_in_a_row > 0),
    count(*) FILTER (WHERE polls_begun > %(max_interrupted)s),
    greatest(coalesce(extract(epoch FROM now() - min(next_due_at) FILTER (WHERE polls_begun <= %(max_interrupted)s)),
        0), 0)::float
FROM source JOIN customer ON customer.id = customer_id
WHERE NOT is_paused AND url <> '' AND customer.is_active
"""


@dataclass(frozen=True, slots=True)
class DeliveryMetrics:
    """The totals of deliveries with one ingestion type and status."""

    ingestion_type: str
    status: str
    deliveries: int
    stored: int
    duplicate: int
    conflicting: int
    rejected: int
    store_seconds: float


@dataclass(frozen=True, slots=True)
class SourceMetrics:
    """The counts of polled sources; `lag_seconds` is how long the most overdue one has been due.

    `interrupted` are polled no more, because their polls ended the worker.
    """

    polled: int
    failing: int
    interrupted: int
    lag_seconds: float


def delivery_metrics() -> list[DeliveryMetrics]:
    """Return the totals by ingestion type and status."""
    with connection.cursor() as cursor:
        cursor.execute(DELIVERIES)
        return [DeliveryMetrics(*row) for row in cursor.fetchall()]


def source_metrics() -> SourceMetrics:
    """Return the counts and the lag of polled sources."""
    with connection.cursor() as cursor:
        cursor.execute(SOURCES, {"max_interrupted": MAX_INTERRUPTED})
        return SourceMetrics(*cursor.fetchone())
