"""The status of ingestion as data: counts, newest readings and deliveries, lag of each source."""

from __future__ import annotations

from typing import TypedDict

from django.db.models import Sum
from django.utils import timezone

from core.scope import Scope
from customers.models import Customer, Facility, Sensor, StorageUnit
from ingestion.models import Conflict, Delivery, RejectedRow, Source
from readings.models import DailyRollup, HourlyRollup, LatestReading

MAX_NEWEST = 10
COUNTED = (Customer, Facility, StorageUnit, Sensor, Source, Delivery, RejectedRow, Conflict, LatestReading)


class ReadingStatus(TypedDict):
    """A unit's newest reading."""

    customer: str
    unit: str
    recorded_at: str
    temperature_c: float | None


class DeliveryStatus(TypedDict):
    """A delivery with its counts."""

    customer: str
    source: str | None
    started_at: str
    status: str
    stored: int
    duplicate: int
    conflicting: int
    rejected: int
    error_message: str


class SourceStatus(TypedDict):
    """A source's state; times are ISO 8601."""

    customer: str
    source: str
    is_paused: bool
    is_late: bool
    failures_in_a_row: int
    last_success_at: str | None
    next_due_at: str | None
    lag_seconds: float | None
    last_error: str


class Status(TypedDict):
    """The result of `status`."""

    now: str
    counts: dict[str, int]
    newest_readings: list[ReadingStatus]
    newest_deliveries: list[DeliveryStatus]
    sources: list[SourceStatus]


def status(scope: Scope) -> Status:
    """Return the status of what is in `scope`, with ISO 8601 times and lags in seconds."""
    return {
        "now": timezone.now().isoformat(),
        "counts": _counts(scope),
        "newest_readings": _newest_readings(scope),
        "newest_deliveries": _newest_deliveries(scope),
        "sources": _sources(scope),
    }


def _counts(scope: Scope) -> dict[str, int]:
    counts = {model._meta.db_table: model.objects.visible_to(scope).count() for model in COUNTED}
    days = DailyRollup.objects.visible_to(scope)
    # The roll-ups know how many readings there are; counting them would read them all.
    counts["reading"] = days.aggregate(total=Sum("reading_count"))["total"] or 0
    counts["hourly_rollup"] = HourlyRollup.objects.visible_to(scope).count()
    counts["daily_rollup"] = days.count()
    counts["rejected_row_waiting"] = _waiting(RejectedRow, scope)
    counts["reading_conflict_waiting"] = _waiting(Conflict, scope)
    return counts


def _waiting(model: type[RejectedRow] | type[Conflict], scope: Scope) -> int:
    return model.objects.visible_to(scope).filter(state=model.State.WAITING).count()


def _newest_readings(scope: Scope) -> list[ReadingStatus]:
    newest = LatestReading.objects.visible_to(scope).select_related("storage_unit__facility__customer")
    return [
        {
            "customer": reading.storage_unit.facility.customer.customer_code,
            "unit": reading.storage_unit.unit_code,
            "recorded_at": reading.recorded_at.isoformat(),
            "temperature_c": reading.temperature_c,
        }
        for reading in newest.order_by("-recorded_at")[:MAX_NEWEST]
    ]


def _newest_deliveries(scope: Scope) -> list[DeliveryStatus]:
    newest = Delivery.objects.visible_to(scope).select_related("customer", "source").order_by("-started_at", "-pk")
    return [
        {
            "customer": delivery.customer.customer_code,
            "source": delivery.source.name if delivery.source else None,
            "started_at": delivery.started_at.isoformat(),
            "status": delivery.status,
            "stored": delivery.records_stored,
            "duplicate": delivery.records_duplicate,
            "conflicting": delivery.records_conflicting,
            "rejected": delivery.records_rejected,
            "error_message": delivery.error_message,
        }
        for delivery in newest[:MAX_NEWEST]
    ]


def _sources(scope: Scope) -> list[SourceStatus]:
    now = timezone.now()
    sources = Source.objects.visible_to(scope).select_related("customer").order_by("customer__customer_code", "name")
    return [
        {
            "customer": source.customer.customer_code,
            "source": source.name,
            "is_paused": source.is_paused,
            "is_late": source.is_late_at(now),
            "failures_in_a_row": source.failures_in_a_row,
            "last_success_at": source.last_success_at.isoformat() if source.last_success_at else None,
            "next_due_at": source.next_due_at.isoformat() if source.is_polled else None,
            "lag_seconds": (now - source.cursor_at).total_seconds() if source.cursor_at else None,
            "last_error": source.last_error,
        }
        for source in sources
    ]
