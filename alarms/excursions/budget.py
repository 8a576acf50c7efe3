"""Budgets: the total time for which the temperature may be outside within a window of time.

Besides the budget of all time outside, each side can have one of its own, optionally with a temperature of its own: of
the time outside, only that beyond it counts, by the limits in force at each moment.

The time outside within the window before an instant rises by a second per second while the temperature is outside, and
falls by what leaves the window. A violation is the period from reaching the allowed time to falling below it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import NamedTuple

from django.db.models import Q

from alarms.excursions.detected import DetectedExcursion, EffectiveLimits
from alarms.excursions.detector import limits_in_force
from alarms.excursions.reconcile import Replacement, stored_since
from alarms.excursions.units import EvaluatedUnit
from alarms.models import Excursion
from alarms.thresholds import Severity, Side
from readings.models import HourlyRollup, LatestReading
from readings.storage.reading_batch import instant_of, microseconds_of
from readings.time_ranges import HOUR

SECOND_US = 1_000_000
TICK = datetime.resolution
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
    used_at = _UsedBefore(pieces, window_us)
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


class _UsedBefore:
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


class CountedBudget(NamedTuple):
    """A kind of budget: its excursions, and the column of temperature excursions with the time it counts."""

    kind: Excursion.Kind
    pieces: str


BUDGET_OF: Mapping[Side | None, CountedBudget] = {
    None: CountedBudget(Excursion.Kind.BUDGET, "outside_pieces"),
    Side.HIGH: CountedBudget(Excursion.Kind.BUDGET_HIGH, "high_pieces"),
    Side.LOW: CountedBudget(Excursion.Kind.BUDGET_LOW, "low_pieces"),
}


@dataclass(frozen=True, slots=True)
class Used:
    """A time that uses up a budget, in µs, and the peak of what it is a part of."""

    begin_us: int
    end_us: int
    peak_c: float
    peak_at: datetime


def budget_replacements(
    unit: EvaluatedUnit, changed_since: datetime, sides: Collection[Side | None]
) -> list[Replacement]:
    """Return the excursions of the unit's budgets of these sides that a change since then may affect.

    changed_since: where a changed temperature excursion begins, because its time outside and its peak may have changed
    from there on. A version's budget counts from the start of its validity, including the time outside before it. Two
    queries, and three for each budget.
    """
    changed_since = _unevaluated_since(unit, changed_since)
    newest = LatestReading.objects.values_list("recorded_at", flat=True).get(storage_unit=unit.unit_id)
    # An excursion that a retirement ended lasted until then, and no reading may follow.
    newest = max([newest, *unit.retired.values()])
    return [_replacement(unit, side, changed_since, newest) for side in sides]


def _replacement(unit: EvaluatedUnit, side: Side | None, changed_since: datetime, newest: datetime) -> Replacement:
    kind = BUDGET_OF[side].kind
    budgets = Excursion.objects.filter(storage_unit=unit.unit_id, kind=kind)
    touched = budgets.filter(Q(ended_at=None) | Q(ended_at__gte=changed_since)).order_by("started_at").first()
    since = changed_since if touched is None else min(touched.started_at, changed_since)
    windows = [budget.window_seconds for each in unit.versions if (budget := each.limits.budget(side)) is not None]
    used = _used(unit.unit_id, side, since - timedelta(seconds=max(windows, default=0)))
    found = find_budget_excursions(used, unit.versions, since, newest, side)
    return unit.replacement(kind, found, stored_since(unit.unit_id, kind, since))


def find_budget_excursions(
    used: Sequence[Used],
    versions: Sequence[EffectiveLimits],
    since: datetime,
    newest: datetime,
    side: Side | None = None,
) -> list[DetectedExcursion]:
    """Return the violations from `since` to the newest reading, in order of time.

    used: the time that counts, from the longest window before `since` on. A violation that is ongoing when its
    version's validity ends, ends with it; if the next version is violated at that moment, that is another one.
    """
    pieces = [(each.begin_us, each.end_us) for each in used]
    found: list[DetectedExcursion] = []
    for version, begins, ends in limits_in_force(versions, since, newest + TICK):
        budget = version.limits.budget(side)
        if budget is None:
            continue
        is_ongoing = ends > newest
        last = newest if is_ongoing else ends
        last_us, window_us = microseconds_of(last), budget.window_seconds * SECOND_US
        violated = violations(
            pieces,
            allowed_us=budget.allowed_seconds * SECOND_US,
            window_us=window_us,
            since_us=microseconds_of(begins),
            until_us=last_us,
        )
        found += [
            _excursion(each, version, _worst(each, version, used, window_us, last_us), last, is_ongoing=is_ongoing)
            for each in violated
            if each.started_us < microseconds_of(ends)
        ]
    return found


def used_by(excursion: DetectedExcursion | Excursion, side: Side | None) -> list[Used]:
    """Return the times of a temperature excursion that the budget of this side, or of both together, counts."""
    if side is None:
        return [Used(begin, end, excursion.peak_c, excursion.peak_at) for begin, end in excursion.outside_pieces]
    pieces = excursion.high_pieces if side is Side.HIGH else excursion.low_pieces
    return [Used(int(begin), int(end), peak_c, instant_of(int(at))) for begin, end, peak_c, at in pieces]


def _unevaluated_since(unit: EvaluatedUnit, changed_since: datetime) -> datetime:
    """Return `changed_since`, or when limits changed before it without any reading in between.

    Such a version may have been violated from its first moment on. The hour of the previous reading is near enough.
    """
    changes = [each.valid_from for each in unit.versions[1:] if each.valid_from < changed_since]
    if not changes:
        return changed_since
    before = HourlyRollup.objects.filter(storage_unit=unit.unit_id, reading_count__gt=0, hour__lte=changed_since - HOUR)
    previous = before.order_by("-hour").values_list("hour", flat=True).first()
    return min([each for each in changes if previous is None or each >= previous], default=changed_since)


def _used(unit_id: int, side: Side | None, since: datetime) -> list[Used]:
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.TEMPERATURE)
    rows = excursions.filter(Q(ended_at=None) | Q(ended_at__gte=since)).order_by("started_at")
    return [used for each in rows.only("peak_c", "peak_at", BUDGET_OF[side].pieces) for used in used_by(each, side)]


def _worst(violation: Violation, version: EffectiveLimits, used: Sequence[Used], window_us: int, last_us: int) -> Used:
    """Return the time with the furthest temperature of those that used up the budget until the violation ended."""
    ended_us = last_us if violation.ended_us is None else violation.ended_us
    using = [each for each in used if each.begin_us < ended_us and each.end_us > violation.started_us - window_us]
    return max(using, key=lambda each: abs(version.limits.beyond_k(each.peak_c)))


def _excursion(
    violation: Violation, version: EffectiveLimits, worst: Used, last: datetime, *, is_ongoing: bool
) -> DetectedExcursion:
    """Return the violation as an excursion with the peak of the worst time that used up the budget."""
    started_at = instant_of(violation.started_us)
    ended_at = None if violation.ended_us is None else instant_of(violation.ended_us)
    if ended_at is None and not is_ongoing:
        ended_at = last
    return DetectedExcursion(
        started_at=started_at,
        version_id=version.version_id,
        clearing_delay=timedelta(),
        severity=Severity.CRITICAL,
        peak_c=worst.peak_c,
        peak_at=worst.peak_at,
        last_outside_at=ended_at or last,
        ended_at=ended_at,
        outside_seconds=violation.peak_us / SECOND_US,
        alarm_at=started_at,
        critical_alarm_at=started_at,
    )
