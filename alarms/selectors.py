"""The queries for alarms and excursions behind lists, pages and counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import cache, reduce
from operator import or_
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, CharField, Count, IntegerField, Min, Model, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

from alarms.models import Alarm, EvaluationFailure, Excursion, MaintenanceWindow
from alarms.thresholds import Severity
from core.db.compiled_queries import CompiledQuery
from core.scope import Scope
from customers.models import Customer, StorageUnit

_Row = TypeVar("_Row", bound=Model)
PROVISIONAL = "provisional limits"
LIVE = (Alarm.State.OPEN, Alarm.State.ACKNOWLEDGED)
# The columns that a text is searched in.
_SEARCHED = (
    "storage_unit__name",
    "storage_unit__unit_code",
    "storage_unit__facility__name",
    "storage_unit__facility__facility_code",
    "customer__customer_code",
    "customer__name",
    "source_name",
)


class AlarmFilter(NamedTuple):
    """A filter of alarms; "", None and () mean all except pending ones, which have not notified anyone."""

    states: Collection[str] = ()
    kind: str = ""
    severity: str = ""
    customer_code: str = ""
    facility_id: UUID | None = None
    unit_id: UUID | None = None
    text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    is_drill: bool | None = None


class ExcursionFilter(NamedTuple):
    """A filter of excursions: those that overlap `start` to `end`; "" and None mean all."""

    kind: str = ""
    severity: str = ""
    facility_id: UUID | None = None
    unit_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None
    min_duration: timedelta | None = None


def visible_alarms(scope: Scope, filters: AlarmFilter) -> QuerySet[Alarm]:
    """Return the matching alarms within `scope`, newest first."""
    alarms = Alarm.objects.visible_to(scope)
    alarms = alarms.filter(state__in=filters.states) if filters.states else alarms.exclude(state=Alarm.State.PENDING)
    if filters.text:
        alarms = alarms.filter(reduce(or_, (Q(**{f"{name}__icontains": filters.text}) for name in _SEARCHED)))
    if filters.is_drill is not None:
        # Alarms of sources have no unit and are never drills.
        of_drills = Q(storage_unit__is_synthetic=True)
        alarms = alarms.filter(of_drills) if filters.is_drill else alarms.exclude(of_drills)
    return _filtered(
        alarms,
        kind=filters.kind,
        severity=filters.severity,
        customer__customer_code=filters.customer_code,
        storage_unit__facility__public_id=filters.facility_id,
        storage_unit__public_id=filters.unit_id,
        started_at__gte=filters.start,
        started_at__lte=filters.end,
    ).order_by("-started_at", "-pk")


def live_alarms(scope: Scope) -> QuerySet[Alarm]:
    """Return the open and acknowledged alarms within `scope` that are not inhibited (index `alarm_live`).

    Alarms of drills are left out: they are about no goods.
    """
    alarms = Alarm.objects.visible_to(scope).filter(state__in=LIVE, suppressed_by=None)
    return alarms.exclude(storage_unit__is_synthetic=True)


_OPEN = CompiledQuery(
    lambda scope: live_alarms(scope).filter(state=Alarm.State.OPEN).order_by().values_list("pk"), is_look_up=True
)
NOT_EVALUATED = "not evaluated"


def _badges(scope: Scope) -> QuerySet[Alarm, tuple[int, str]]:
    """Return the query of the units with a live alarm, a failed evaluation or provisional limits, and which."""
    alarms = live_alarms(scope).filter(storage_unit__isnull=False).order_by()
    failures = evaluation_failures(scope).order_by().annotate(badge=Value(NOT_EVALUATED, CharField()))
    provisional = StorageUnit.objects.visible_to(scope).filter(has_provisional_limits=True).order_by()
    rows: QuerySet[Alarm, tuple[int, str]] = alarms.values_list("storage_unit_id", "state")
    return rows.union(
        failures.values_list("storage_unit_id", "badge"),
        provisional.annotate(badge=Value(PROVISIONAL, CharField())).values_list("pk", "badge"),
        all=True,
    )


# All in one query, because every refresh of the overview needs them.
_OF_UNITS = CompiledQuery(_badges, is_look_up=True)


def order_by_urgency(alarms: QuerySet[Alarm]) -> QuerySet[Alarm]:
    """Order alarms: open before acknowledged, critical before warning, newest first."""
    is_open = When(state=Alarm.State.OPEN, then=0)
    is_critical = When(severity=Severity.CRITICAL, then=0)
    ranks = (Case(each, default=1, output_field=IntegerField()) for each in (is_open, is_critical))
    return alarms.order_by(*ranks, "-started_at", "-pk")


def open_count(scope: Scope) -> int:
    """Return the number of open alarms within `scope`."""
    return _OPEN.visible_to(scope).count()


def open_counts() -> Mapping[tuple[str, str], int]:
    """Return the number of live alarms in the whole system by kind and severity. One query."""
    rows = live_alarms(Scope.everything()).order_by().values_list("kind", "severity").annotate(count=Count("pk"))
    return {(kind, severity): count for kind, severity, count in rows}


def ongoing_excursion_count() -> int:
    """Return the number of ongoing excursions in the whole system (index `excursion_lasting`)."""
    return Excursion.objects.filter(ended_at=None).count()


def unit_badges(scope: Scope) -> dict[int, str]:
    """Return the badges of the units within `scope`: live alarms, failed evaluations, provisional limits."""
    words: dict[int, set[str]] = {}
    for unit_id, word in _OF_UNITS.visible_to(scope):
        words.setdefault(unit_id, set()).add(word)
    return {unit_id: _badge_text(frozenset(own)) for unit_id, own in words.items()}


@cache
def _badge_text(words: frozenset[str]) -> str:
    texts = [NOT_EVALUATED] if NOT_EVALUATED in words else []
    if Alarm.State.OPEN in words:
        texts.append("alarm")
    elif Alarm.State.ACKNOWLEDGED in words:
        texts.append("acknowledged")
    if PROVISIONAL in words:
        texts.append(PROVISIONAL)
    return " · ".join(texts)


def evaluation_failures(scope: Scope) -> QuerySet[EvaluationFailure]:
    """Return what could not be evaluated of the units within `scope`, oldest first."""
    return EvaluationFailure.objects.visible_to(scope).order_by("failed_at", "pk")


def units_not_evaluated() -> tuple[int, datetime | None]:
    """Return the number of units in the whole system that could not be evaluated, and since when. One query."""
    totals = EvaluationFailure.objects.aggregate(count=Count("storage_unit", distinct=True), since=Min("failed_at"))
    return totals["count"], totals["since"]


def parts_not_evaluated() -> ArraySubquery:
    """Return the expression over units for the parts of their evaluation that failed."""
    failures = EvaluationFailure.objects.filter(storage_unit=OuterRef("pk"))
    return ArraySubquery(failures.order_by("part").values("part"))


def not_evaluated_counts() -> Mapping[str, int]:
    """Return the number of units in the whole system by the part that could not be evaluated. One query."""
    rows = EvaluationFailure.objects.order_by().values_list("part").annotate(count=Count("pk"))
    return dict(rows)


def visible_excursions(scope: Scope, filters: ExcursionFilter) -> QuerySet[Excursion]:
    """Return the matching excursions within `scope`, newest first."""
    excursions = Excursion.objects.visible_to(scope)
    if filters.start is not None:
        excursions = excursions.filter(Q(ended_at=None) | Q(ended_at__gte=filters.start))
    if filters.min_duration is not None:
        excursions = excursions.filter(started_at__lte=Coalesce("ended_at", Now()) - filters.min_duration)
    return _filtered(
        excursions,
        kind=filters.kind,
        severity=filters.severity,
        storage_unit__facility__public_id=filters.facility_id,
        storage_unit__public_id=filters.unit_id,
        started_at__lte=filters.end,
    ).order_by("-started_at", "-pk")


def maintenance_windows(customer: Customer) -> QuerySet[MaintenanceWindow]:
    """Return the customer's maintenance windows, newest first."""
    windows = MaintenanceWindow.objects.filter(customer=customer)
    return windows.select_related("facility", "storage_unit__facility", "created_by").order_by("-starts_at", "-pk")


def _filtered(rows: QuerySet[_Row], **conditions: object) -> QuerySet[_Row]:
    return rows.filter(**{name: value for name, value in conditions.items() if value not in (None, "")})
