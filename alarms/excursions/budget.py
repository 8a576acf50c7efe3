"""Cumulative time outside: for how long in all the temperature may be outside within a window of time. Pure.

At any instant the time that it was known to be outside within the window before is a function that rises by a second a
second while it is outside, and falls by as much as leaves the window. A violation lasts from where it reaches what is
allowed to where it falls below.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from django.db.models import Q

from alarms.excursions.detector import FoundExcursion, InForce, limits_in_force
from alarms.excursions.reconcile import Replacement, stored_since
from alarms.excursions.units import JudgedUnit
from alarms.models import Excursion
from alarms.thresholds import Severity
from readings.models import LatestReading
from readings.storage.reading_batch import instant_of, microseconds_of

Pieces = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Violation:
    """From when to when (None: it lasts) too much was used up; all in microseconds, `most_us` the most that was."""

    started_us: int
    ended_us: int | None
    most_us: int


def violations(pieces: Pieces, *, allowed_us: int, window_us: int, since_us: int, until_us: int) -> list[Violation]:
    """The violations in [since_us, until_us]; one that lasts at `until_us` has no end.

    pieces: the time outside, disjoint and in the order of time, from `window_us` before `since_us` on. Reaching what is
    allowed violates it, as thresholds of cumulative time are meant.
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
                # It falls by a microsecond a microsecond; at `fell` it is what is allowed for the last time.
                fell = begin + max(used - allowed_us, 0)
                found.append(Violation(started, fell, most))
                started = None
        if end == until_us:
            break
    if started is not None:
        found.append(Violation(started, None, most))
    return found


def _sections(pieces: Pieces, window_us: int, since_us: int, until_us: int) -> Iterator[tuple[int, int, int, int]]:
    """Sections of time within which what is used up only rises, only falls or stays: begin, used, end, used then."""
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
    """How much of the window before an instant was outside, in microseconds."""

    def __init__(self, pieces: Pieces, window_us: int) -> None:
        self._pieces = pieces
        self._begins = [begin for begin, _ in pieces]
        self._before = list(accumulate((end - begin for begin, end in pieces), initial=0))
        self._window_us = window_us

    def __call__(self, instant: int) -> int:
        return self._until(instant) - self._until(instant - self._window_us)

    def _until(self, instant: int) -> int:
        """How much was outside before `instant`, ever."""
        place = bisect_left(self._begins, instant)
        if place == 0:
            return 0
        begin, end = self._pieces[place - 1]
        return self._before[place - 1] + min(end, instant) - begin


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
