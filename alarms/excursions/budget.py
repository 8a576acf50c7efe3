"""Budgets: the total time for which the temperature may be outside within a window of time. Pure functions.

The time outside within the window before an instant rises by a second per second while the temperature is outside, and
falls by what leaves the window. A violation is the period from reaching the allowed time to falling below it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from django.db.models import Q

from alarms.excursions.detector import DetectedExcursion, EffectiveLimits, limits_in_force
from alarms.excursions.reconcile import Replacement, stored_since
from alarms.excursions.units import EvaluatedUnit
from alarms.models import Excursion
from alarms.thresholds import Severity
from readings.models import LatestReading
from readings.storage.reading_batch import instant_of, microseconds_of

Pieces = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A period in which the budget was exceeded (`ended_us` None: ongoing), in µs; `peak_us` the maximum used."""

    started_us: int
    ended_us: int | None
    peak_us: int


def violations(pieces: Pieces, *, allowed_us: int, window_us: int, since_us: int, until_us: int) -> list[Violation]:
    """Return the violations in [since_us, until_us]; one that is ongoing at `until_us` has no end.

    pieces: the time outside, disjoint and in order of time, from `window_us` before `since_us` on. Reaching the allowed
    time is a violation, as cumulative thresholds are defined.
    """
    found: list[Violation] = []
    started: int | None = None
    most = 0
    for begin, used, end, used_at_end in _sections(pieces, window_us, since_us, until_us):
        if started is None and max(used, used_at_end) >= allowed_us:
            started = begin if used >= allowed_us else begin + (allowed_us - used)
            most = 0
        if started is not None:
            most = max(most, used if begin >= started else 0, used_at_end)
            if used_at_end < allowed_us:
                # It falls by a microsecond per microsecond; at `fell` it equals the allowed time for the last time.
                fell = begin + max(used - allowed_us, 0)
                found.append(Violation(started, fell, most))
                started = None
        if end == until_us:
            break
    if started is not None:
        found.append(Violation(started, None, most))
    return found


def _sections(pieces: Pieces, window_us: int, since_us: int, until_us: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield sections in which the used time only rises, falls or stays: begin, used, end, used at the end."""
    used_at = _Used(pieces, window_us)
    turns = {since_us, until_us}
    for begin, end in pieces:
        turns |= {begin, end, begin + window_us, end + window_us}
    instants = sorted(turn for turn in turns if since_us <= turn <= until_us)
    used = used_at(instants[0])
    if len(instants) == 1:
        yield instants[0], used, instants[0], used
    for begin, end in pairwise(instants):
        used_then = used_at(end)
        yield begin, used, end, used_then
        used = used_then


class _Used:
    """The time outside within the window before an instant, in microseconds."""

    def __init__(self, pieces: Pieces, window_us: int) -> None:
        self._pieces = pieces
        self._begins = [begin for begin, _ in pieces]
        self._before = list(accumulate((end - begin for begin, end in pieces), initial=0))
        self._window_us = window_us

    def __call__(self, instant: int) -> int:
        return self._until(instant) - self._until(instant - self._window_us)

    def _until(self, instant: int) -> int:
        """Return the total time outside before `instant`."""
        position = bisect_left(self._begins, instant)
        if position == 0:
            return 0
        begin, end = self._pieces[position - 1]
        return self._before[position - 1] + min(end, instant) - begin


SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class _Outside:
    """The part of a temperature excursion that a budget needs."""

    started_at: datetime
    ended_at: datetime | None
    peak_c: float
    peak_at: datetime
    pieces: list[list[int]]


def budget_replacement(unit: EvaluatedUnit, changed_since: datetime) -> Replacement:
    """Return the unit's budget excursions that a change of its excursions since then may affect.

    Each version's budget counts from the start of its validity. Four queries.
    """
    unit_id, versions = unit.unit_id, unit.versions
    budgets = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.BUDGET)
    touched = budgets.filter(Q(ended_at=None) | Q(ended_at__gte=changed_since)).order_by("started_at").first()
    since = changed_since if touched is None else min(touched.started_at, changed_since)
    newest = LatestReading.objects.values_list("recorded_at", flat=True).get(storage_unit=unit_id)
    outside = _outside(unit_id, since - max(timedelta(seconds=each.limits.allowed_window_seconds) for each in versions))
    pieces = [(begin, end) for each in outside for begin, end in each.pieces]
    found: list[DetectedExcursion] = []
    for version, begins, ends in limits_in_force(versions, since, newest):
        limits = version.limits
        if limits.allowed_seconds is not None:
            violated = violations(
                pieces,
                allowed_us=limits.allowed_seconds * SECOND_US,
                window_us=limits.allowed_window_seconds * SECOND_US,
                since_us=microseconds_of(begins),
                until_us=microseconds_of(ends),
            )
            found += [_excursion(each, version, outside, ends, is_ongoing=ends == newest) for each in violated]
    return unit.replacement(Excursion.Kind.BUDGET, found, stored_since(unit_id, Excursion.Kind.BUDGET, since))


def _outside(unit_id: int, since: datetime) -> list[_Outside]:
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.TEMPERATURE)
    rows = excursions.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("started_at")
    return [_Outside(*row) for row in rows.values_list("started_at", "ended_at", "peak_c", "peak_at", "outside_pieces")]


def _excursion(
    violation: Violation, version: EffectiveLimits, outside: Sequence[_Outside], ends: datetime, *, is_ongoing: bool
) -> DetectedExcursion:
    """Return the violation as an excursion with the peak of the worst excursion that used the budget."""
    started_at = instant_of(violation.started_us)
    ended_at = None if violation.ended_us is None else instant_of(violation.ended_us)
    if ended_at is None and not is_ongoing:
        ended_at = ends
    window = timedelta(seconds=version.limits.allowed_window_seconds)
    using = [
        each
        for each in outside
        if each.started_at <= (ended_at or ends) and (each.ended_at is None or each.ended_at >= started_at - window)
    ]
    worst = max(using, key=lambda each: abs(version.limits.beyond_k(each.peak_c)))
    return DetectedExcursion(
        started_at=started_at,
        version_id=version.version_id,
        clearing_delay=timedelta(),
        severity=Severity.CRITICAL,
        peak_c=worst.peak_c,
        peak_at=worst.peak_at,
        last_outside_at=ended_at or ends,
        ended_at=ended_at,
        outside_seconds=violation.peak_us / SECOND_US,
        alarm_at=started_at,
        critical_alarm_at=started_at,
    )
