"""The queries behind the pages of feeds: how every source does, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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
from ingestion.models import Conflict, Delivery, RejectedRow, Source
from readings.units.condition import deviation_k
from readings.units.formatting import age_text, deviation_text, exact_temperature_text

GRACE = timedelta(seconds=60)
LATE_INTERVALS = 3


class SourceState(models.TextChoices):
    """The first that holds is the state of a source."""

    PAUSED = "paused", "paused"
    RESTING = "resting", "resting"  # its customer is inactive
    RECEIVING = "receiving", "receiving"  # it has no URL: it waits for pushes and imports
    FAILING = "failing", "failing"
    LATE = "late", "late"
    POLLING = "polling", "polling"  # a poll is under way
    ON_TIME = "on time", "on time"


def with_state(sources: QuerySet[Source], now: datetime) -> QuerySet[Any]:
    """These sources, each with its SourceState at `now` as `state`. Late is what `Source.is_late_at` says."""
    late_after = ExpressionWrapper(
        F("interval_seconds") * Value(timedelta(seconds=LATE_INTERVALS)) + Value(GRACE), output_field=DurationField()
    )
    late_from = Coalesce(F("last_success_at"), F("created_at")) + late_after
    conditions = [
        (Q(is_paused=True), SourceState.PAUSED),
        (Q(customer__is_active=False), SourceState.RESTING),
        (Q(url=""), SourceState.RECEIVING),
        (Q(failures_in_a_row__gt=0), SourceState.FAILING),
        (Q(late_from__lt=now), SourceState.LATE),
        (Q(lease_until__gt=now), SourceState.POLLING),
    ]
    state = Case(
        *(When(condition, then=Value(found.value)) for condition, found in conditions),
        default=Value(SourceState.ON_TIME.value),
    )
    return sources.annotate(late_from=late_from).annotate(state=state)


# What needs a person comes first.
WORST_FIRST = (
    SourceState.FAILING,
    SourceState.LATE,
    SourceState.POLLING,
    SourceState.ON_TIME,
    SourceState.RECEIVING,
    SourceState.PAUSED,
    SourceState.RESTING,
)

# The class that colours a state in style sheets, and the sign that tells it to who sees no colours.
_LOOKS = {
    SourceState.FAILING: ("critical", "■"),
    SourceState.LATE: ("warning", "▲"),
    SourceState.POLLING: ("in-limits", "✓"),
    SourceState.ON_TIME: ("in-limits", "✓"),
}
_OTHER_LOOKS = ("no-limits", "–")


@dataclass(frozen=True, slots=True)
class ShownState:
    """A source's state with how it is shown."""

    value: str

    @property
    def slug(self) -> str:
        return _LOOKS.get(SourceState(self.value), _OTHER_LOOKS)[0]

    @property
    def mark(self) -> str:
        return _LOOKS.get(SourceState(self.value), _OTHER_LOOKS)[1]


def feeds(scope: Scope, now: datetime, *, customer_code: str = "", state: str = "", text: str = "") -> QuerySet[Any]:
    """The sources within `scope` with their state at `now` and what of them waits, the worst first.

    Of one customer, in one state, or with a text in their name or their customer's, where these are given.
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
    return sources.annotate(
        rejected_waiting=_waiting(RejectedRow, "source"),
        conflicts_waiting=_waiting(Conflict, "delivery__source"),
    ).order_by(ranks, "customer__customer_code", "name")


def counts_by_state(scope: Scope, now: datetime, customer_code: str = "") -> list[tuple[ShownState, int]]:
    """How many sources are in each state, the worst first, states without any left out."""
    sources = with_state(Source.objects.visible_to(scope), now)
    if customer_code:
        sources = sources.filter(customer__customer_code=customer_code)
    counts = dict(sources.order_by().values_list("state").annotate(count=Count("pk")))
    return [(ShownState(state), counts[state.value]) for state in WORST_FIRST if state.value in counts]


def _waiting(model: type[RejectedRow] | type[Conflict], way: str) -> Coalesce:
    waiting = model._base_manager.filter(**{way: OuterRef("pk"), "state": model.State.WAITING})
    return Coalesce(Subquery(waiting.order_by().values(way).annotate(count=Count("*")).values("count")), 0)


@dataclass(frozen=True, slots=True)
class Feed:
    """A source as the pages show it at `now`; `source` has the annotations of `feeds`."""

    source: Any
    now: datetime

    @property
    def state(self) -> ShownState:
        return ShownState(self.source.state)

    @property
    def last_success(self) -> str:
        """How long ago the last success was."""
        return _ago(self.source.last_success_at, self.now)

    @property
    def next_poll(self) -> str:
        """When it is polled next; empty for a source that is not polled."""
        if self.source.state in (SourceState.PAUSED, SourceState.RESTING, SourceState.RECEIVING):
            return ""
        if self.source.is_polling_at(self.now):
            return "under way"
        wait = self.source.next_due_at - self.now
        return f"in {age_text(wait)}" if wait > timedelta(0) else "due"

    @property
    def lag(self) -> str:
        """How far behind now the newest instant is up to which everything is stored."""
        return age_text(self.now - self.source.cursor_at) if self.source.cursor_at else "–"


def list_feeds(sources: Iterable[Any], now: datetime) -> list[Feed]:
    return [Feed(source, now) for source in sources]


def deliveries_of(source: Source) -> QuerySet[Delivery]:
    """The newest first; `delivery_of_source` answers."""
    return Delivery.objects.filter(source=source).order_by("-started_at")


def rejected_rows_of(source: Source, state: str) -> QuerySet[RejectedRow]:
    """The source's rejected rows in `state`, the newest first."""
    return RejectedRow.objects.filter(source=source, state=state).order_by("-received_at", "-pk")


def conflicts_of(source: Source, state: str) -> QuerySet[Conflict]:
    """What contradicted stored readings in the source's deliveries, the newest first."""
    conflicts = Conflict.objects.filter(delivery__source=source, state=state)
    return conflicts.select_related("storage_unit__facility", "sensor").order_by("-received_at", "-pk")


@dataclass(frozen=True, slots=True)
class ShownConflict:
    """A conflict in words: what is stored, what was sent later, and the difference."""

    conflict: Conflict

    @property
    def stored(self) -> str:
        return self._text(self.conflict.stored_temperature_c)

    @property
    def sent(self) -> str:
        return self._text(self.conflict.temperature_c)

    @property
    def difference(self) -> str:
        return deviation_text(deviation_k(self.conflict.temperature_c, self.conflict.stored_temperature_c))

    def _text(self, temperature_c: float | None) -> str:
        if temperature_c is None:
            return "no measurement"
        return exact_temperature_text(temperature_c, self.conflict.scale)


def _ago(instant: datetime | None, now: datetime) -> str:
    return f"{age_text(now - instant)} ago" if instant else "never"
