"""Cumulative budgets as excursions of their own kind, made from the unit's stored temperature excursions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from alarms.excursions.budget import Violation, violations
from alarms.excursions.detector import FoundExcursion, InForce, in_force_within
from alarms.excursions.reconcile import Replacement, stored_since
from alarms.excursions.units import JudgedUnit
from alarms.models import Excursion
from alarms.thresholds import Severity
from readings.models import LatestReading
from readings.storage.columns import instant_of, microseconds_of

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class _Outside:
    """What is needed of a temperature excursion."""

    started_at: datetime
    ended_at: datetime | None
    peak_c: float
    peak_at: datetime
    pieces: list[list[int]]


def budget_replacement(unit: JudgedUnit, changed_since: datetime) -> Replacement:
    """The budget excursions of the unit that a change of its excursions since then may have made different.

    Each version's budget counts from its own validity on. Four queries.
    """
    unit_id, versions = unit.unit_id, unit.versions
    budgets = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.BUDGET)
    touched = budgets.filter(Q(ended_at=None) | Q(ended_at__gte=changed_since)).order_by("started_at").first()
    since = changed_since if touched is None else min(touched.started_at, changed_since)
    newest = LatestReading.objects.values_list("recorded_at", flat=True).get(storage_unit=unit_id)
    outside = _outside(unit_id, since - max(timedelta(seconds=each.limits.allowed_window_seconds) for each in versions))
    pieces = [(begin, end) for each in outside for begin, end in each.pieces]
    found: list[FoundExcursion] = []
    for version, begins, ends in in_force_within(versions, since, newest):
        limits = version.limits
        if limits.allowed_seconds is not None:
            violated = violations(
                pieces,
                allowed_us=limits.allowed_seconds * SECOND_US,
                window_us=limits.allowed_window_seconds * SECOND_US,
                since_us=microseconds_of(begins),
                until_us=microseconds_of(ends),
            )
            found += [_excursion(each, version, outside, ends, lasts=ends == newest) for each in violated]
    return unit.replacement(Excursion.Kind.BUDGET, found, stored_since(unit_id, Excursion.Kind.BUDGET, since))


def _outside(unit_id: int, since: datetime) -> list[_Outside]:
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.TEMPERATURE)
    rows = excursions.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("started_at")
    return [_Outside(*row) for row in rows.values_list("started_at", "ended_at", "peak_c", "peak_at", "outside_pieces")]


def _excursion(
    violation: Violation, version: InForce, outside: Sequence[_Outside], ends: datetime, *, lasts: bool
) -> FoundExcursion:
    """The violation as an excursion; its peak is that of the worst excursion that used the budget up."""
    started_at = instant_of(violation.started_us)
    ended_at = None if violation.ended_us is None else instant_of(violation.ended_us)
    if ended_at is None and not lasts:
        ended_at = ends
    window = timedelta(seconds=version.limits.allowed_window_seconds)
    using = [
        each
        for each in outside
        if each.started_at <= (ended_at or ends) and (each.ended_at is None or each.ended_at >= started_at - window)
    ]
    worst = max(using, key=lambda each: abs(version.limits.beyond_k(each.peak_c)))
    return FoundExcursion(
        started_at=started_at,
        version_id=version.version_id,
        clearing_delay=timedelta(),
        severity=Severity.CRITICAL,
        peak_c=worst.peak_c,
        peak_at=worst.peak_at,
        last_outside_at=ended_at or ends,
        ended_at=ended_at,
        outside_seconds=violation.most_us / SECOND_US,
        alarm_at=started_at,
        critical_alarm_at=started_at,
    )
