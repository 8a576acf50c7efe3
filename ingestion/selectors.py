"""Queries for sources and their state, deliveries, rejected rows and conflicts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, cast

from django.db import models
from django.db.models import (
    Case,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from core.scope import Scope
from ingestion.models import LATE_GRACE, LATE_INTERVALS, Conflict, Delivery, IngestionType, RejectedRow, Source

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class SourceState(models.TextChoices):
    """The state of a source: the first of these that applies."""

    PAUSED = "paused", "Paused"
    INACTIVE = "inactive", "Customer inactive"
    RECEIVING = "receiving", "Receiving"  # without a URL, it receives pushes and imports
    FAILING = "failing", "Failing"
    LATE = "late", "Late"
    POLLING = "polling", "Polling"  # a poll is running
    ON_TIME = "on time", "On time"


# States that need attention come first.
WORST_FIRST = (
    SourceState.FAILING,
    SourceState.LATE,
    SourceState.POLLING,
    SourceState.ON_TIME,
    SourceState.RECEIVING,
    SourceState.PAUSED,
    SourceState.INACTIVE,
)


class StateAnnotations(TypedDict):
    """The annotations of `with_state`."""

    state: str
    late_from: datetime


class ListAnnotations(StateAnnotations):
    """The annotations of `list_sources`."""

    rejected_waiting: int
    conflicts_waiting: int


if TYPE_CHECKING:
    StatefulSource = WithAnnotations[Source, StateAnnotations]
    ListedSource = WithAnnotations[Source, ListAnnotations]


def with_state(sources: QuerySet[Source], now: datetime) -> QuerySet[StatefulSource]:
    """Annotate sources with their SourceState at `now` as `state`, and when they become late as `late_from`.

    `Source.is_late_at` computes the same for a single source.
    """
    late_after = ExpressionWrapper(
        F("interval_seconds") * Value(timedelta(seconds=LATE_INTERVALS)) + Value(LATE_GRACE),
        output_field=DurationField(),
    )
    late_from = Coalesce(F("last_success_at"), F("created_at")) + late_after
    conditions = [
        (Q(is_paused=True), SourceState.PAUSED),
        (Q(customer__is_active=False), SourceState.INACTIVE),
        (Q(url=""), SourceState.RECEIVING),
        (Q(failures_in_a_row__gt=0), SourceState.FAILING),
        (Q(late_from__lt=now), SourceState.LATE),
        (Q(lease_until__gt=now), SourceState.POLLING),
    ]
    state = Case(
        *(When(condition, then=Value(found.value)) for condition, found in conditions),
        default=Value(SourceState.ON_TIME.value),
    )
    return cast("QuerySet[StatefulSource]", sources.annotate(late_from=late_from).annotate(state=state))


def list_sources(
    scope: Scope, now: datetime, *, customer_code: str = "", state: str = "", text: str = ""
) -> QuerySet[ListedSource]:
    """Return the sources in `scope` with their state and waiting rows, worst state first.

    Optionally restrict them to a customer, a state, or a text in their name or their customer's.
    """
    sources = with_state(Source.objects.visible_to(scope), now).select_related("customer")
    if customer_code:
        sources = sources.filter(customer__customer_code=customer_code)
    if state:
        sources = sources.filter(state=state)
    if text:
        sources = sources.filter(Q(name__icontains=text) | Q(customer__name__icontains=text))
    ranks = Case(
        *(When(state=each.value, then=Value(rank)) for rank, each in enumerate(WORST_FIRST)),
        output_field=IntegerField(),
    )
    annotated = sources.annotate(
        rejected_waiting=_waiting(RejectedRow, "source"),
        conflicts_waiting=_waiting(Conflict, "delivery__source"),
    )
    return cast("QuerySet[ListedSource]", annotated.order_by(ranks, "customer__customer_code", "name"))


def counts_by_state(scope: Scope, now: datetime, customer_code: str = "") -> dict[SourceState, int]:
    """Count the sources in each state, worst state first, without empty states."""
    sources = with_state(Source.objects.visible_to(scope), now)
    if customer_code:
        sources = sources.filter(customer__customer_code=customer_code)
    counts = dict(sources.order_by().values_list("state").annotate(count=Count("pk")))
    return {state: counts[state.value] for state in WORST_FIRST if state.value in counts}


def deliveries_of(source: Source) -> QuerySet[Delivery]:
    """Return the source's deliveries, newest first; served by the index `delivery_of_source`."""
    return Delivery.objects.filter(source=source).order_by("-started_at")


def rejected_rows_of(source: Source, state: str) -> QuerySet[RejectedRow]:
    """Return the source's rejected rows in `state`, newest first."""
    return RejectedRow.objects.filter(source=source, state=state).order_by("-received_at", "-pk")


def conflicts_of(source: Source, state: str) -> QuerySet[Conflict]:
    """Return the conflicts of the source's deliveries in `state`, newest first."""
    conflicts = Conflict.objects.filter(delivery__source=source, state=state)
    return conflicts.select_related("storage_unit__facility", "sensor").order_by("-received_at", "-pk")


def _waiting(model: type[RejectedRow] | type[Conflict], source_path: str) -> Coalesce:
    waiting = model._base_manager.filter(**{source_path: OuterRef("pk"), "state": model.State.WAITING})
    return Coalesce(Subquery(waiting.order_by().values(source_path).annotate(count=Count("*")).values("count")), 0)


def has_subscribed_sources() -> bool:
    """Return whether the subscriber is needed: an active MQTT source of an active customer."""
    sources = Source.objects.filter(ingestion_type=IngestionType.MQTT, is_paused=False, customer__is_active=True)
    return sources.exists()
