"""What other limits would have meant: a unit's alarms of the last days, by the limits there were and by changed ones.

Nothing is stored. The readings are gone through twice, by the definition of an excursion; those whose delay was
completed are the alarms. An alarm by the changed limits that overlaps one there was is the same one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alarms.excursions.detector import FoundExcursion, InForce, Walk
from alarms.excursions.reconcile import matched
from alarms.excursions.replay_window import readings_of
from alarms.excursions.units import judged_units
from alarms.thresholds import Limits, Severity
from customers.models import StorageUnit

REPLAYED = timedelta(days=90)


class LimitsOutOfOrder(ValueError):  # noqa: N818  the name says what was met
    """The changed limits do not rise from low critical to high critical; the text says how they are."""


@dataclass(frozen=True, slots=True)
class ReplayedAlarm:
    """A temperature alarm that there was or would have been; `ended_at` None: its excursion lasts."""

    opened_at: datetime
    started_at: datetime
    ended_at: datetime | None
    severity: Severity
    peak_c: float


@dataclass(frozen=True, slots=True)
class Replay:
    """The alarms between `since` and `until` that changed limits would have removed, added and kept.

    kept: as they were, and as they would have been.
    """

    since: datetime
    until: datetime
    removed: list[ReplayedAlarm]
    added: list[ReplayedAlarm]
    kept: list[tuple[ReplayedAlarm, ReplayedAlarm]]


def changed(limits: Limits, changes: Mapping[str, Any]) -> Limits:
    """`limits` with the fields of `changes` in their places. Raises LimitsOutOfOrder."""
    after = dataclasses.replace(limits, **changes)
    given = [after.low_critical_c, after.low_warning_c, after.high_warning_c, after.high_critical_c]
    known = [each for each in given if each is not None]
    if known != sorted(known):
        shown = ", ".join("none" if each is None else f"{each:g} °C" for each in given)
        raise LimitsOutOfOrder(f"Limits must rise from low critical to high critical; these would be {shown}.")
    return after


def replay(unit: StorageUnit, changes: Mapping[str, Any], until: datetime, duration: timedelta = REPLAYED) -> Replay:
    """Replay what the unit's newest limits with these changes would have meant. Raises LimitsOutOfOrder."""
    since = until - duration
    versions = judged_units([unit.pk])[0].versions
    other = changed(versions[-1].limits, changes)
    staleness_limit = max(version.limits.staleness_limit for version in versions)
    before, after = Walk(versions), Walk([InForce(since, other)])
    for instant, readings in readings_of(unit.pk, since - staleness_limit, until):
        for walk in (before, after):
            if instant < since:
                walk.prime(readings)
            else:
                walk.step(instant, readings)
    return compared(since, until, alarming(before.all_found()), alarming(after.all_found()))


def alarming(found: Sequence[FoundExcursion]) -> list[FoundExcursion]:
    """Those whose delay was completed."""
    return [each for each in found if each.alarm_at is not None]


def compared(
    since: datetime, until: datetime, before: Sequence[FoundExcursion], after: Sequence[FoundExcursion]
) -> Replay:
    """What is in both, and what is in one only."""
    pairs = matched(after, [(each, 0) for each in before])
    return Replay(
        since,
        until,
        removed=[_shown(each) for place, each in enumerate(before) if place not in pairs.values()],
        added=[_shown(each) for place, each in enumerate(after) if place not in pairs],
        kept=[(_shown(before[old]), _shown(after[new])) for new, old in sorted(pairs.items())],
    )


def _shown(found: FoundExcursion) -> ReplayedAlarm:
    severity = Severity.WARNING if found.critical_alarm_at is None else Severity.CRITICAL
    return ReplayedAlarm(found.alarm_at or found.started_at, found.started_at, found.ended_at, severity, found.peak_c)
