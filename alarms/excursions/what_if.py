"""What-if analysis of limits: a unit's alarms of the last days with its limits and with changed ones.

Nothing is stored. The readings are processed twice by the definition of an excursion; those whose delay was completed
are the alarms. An alarm with the changed limits that overlaps an actual one counts as the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alarms.excursions.detected import DetectedExcursion, EffectiveLimits
from alarms.excursions.detector import Detector
from alarms.excursions.reconcile import match
from alarms.excursions.replay_window import advance_from, iterate_readings
from alarms.excursions.units import EvaluatedUnit, evaluated_units
from alarms.limits.versions import StalenessLimit, staleness_since, versions_by_unit
from alarms.thresholds import Limits, Severity
from customers.models import StorageUnit

REPLAY_DURATION = timedelta(days=90)
# The fields of Limits that a delay changes on both sides.
DELAYS = {
    "delay": ("high_delay_seconds", "low_delay_seconds"),
    "critical_delay": ("high_critical_delay_seconds", "low_critical_delay_seconds"),
}


class LimitOrderError(ValueError):
    """The changed limits do not increase from low critical to high critical; the message lists them."""


@dataclass(frozen=True, slots=True)
class ReplayedAlarm:
    """An actual or hypothetical temperature alarm; `ended_at` None means its excursion is ongoing."""

    opened_at: datetime
    started_at: datetime
    ended_at: datetime | None
    severity: Severity
    peak_c: float


@dataclass(frozen=True, slots=True)
class Replay:
    """The alarms between `since` and `until` that changed limits would have removed, added and left unchanged.

    unchanged: as they were and as they would have been.
    """

    since: datetime
    until: datetime
    removed: list[ReplayedAlarm]
    added: list[ReplayedAlarm]
    unchanged: list[tuple[ReplayedAlarm, ReplayedAlarm]]

    @property
    def kept_before(self) -> list[ReplayedAlarm]:
        """The unchanged ones as they were."""
        return [before for before, _ in self.unchanged]

    @property
    def kept_after(self) -> list[ReplayedAlarm]:
        """The unchanged ones as they would have been."""
        return [after for _, after in self.unchanged]


def apply_changes(limits: Limits, changes: Mapping[str, Any]) -> Limits:
    """Return `limits` with `changes` applied. Raise LimitOrderError."""
    after = dataclasses.replace(limits, **changes)
    limits_c = [after.low_critical_c, after.low_warning_c, after.high_warning_c, after.high_critical_c]
    known = [each for each in limits_c if each is not None]
    if known != sorted(known):
        listed = ", ".join("none" if each is None else f"{each:g} °C" for each in limits_c)
        raise LimitOrderError(f"Limits must increase from low critical to high critical; these would be {listed}.")
    return after


def replay_limits(
    unit: StorageUnit, changes: Mapping[str, Any], until: datetime, duration: timedelta = REPLAY_DURATION
) -> Replay:
    """Replay the unit's newest limits with these changes. Raise LimitOrderError."""
    since = until - duration
    evaluated = evaluated_units([unit.pk])[0]
    other = apply_changes(evaluated.versions[-1].limits, changes)
    before, after = _replay(evaluated, since, until, evaluated.versions, [EffectiveLimits(since, other)])
    return compare(since, until, with_alarm(before), with_alarm(after))


def preview_backdated(unit: StorageUnit, limits: Limits, applies_from: datetime, until: datetime) -> Replay:
    """Return the excursions that `limits` would remove, add and keep if they applied from then on.

    At most the last REPLAY_DURATION is covered. The alarms of the result are excursions, also those without an alarm.
    """
    since = max(applies_from, until - REPLAY_DURATION)
    evaluated = evaluated_units([unit.pk])[0]
    earlier = [version for version in evaluated.versions if version.valid_from < applies_from]
    now = StalenessLimit(until, limits.gap_limit_seconds, unit.interval_seconds)
    backdated = [
        EffectiveLimits(each.valid_from, dataclasses.replace(limits, gap_limit_seconds=each.gap_limit_seconds))
        for each in staleness_since(applies_from, versions_by_unit([unit.pk])[unit.pk], now)
    ]
    before, after = _replay(evaluated, since, until, evaluated.versions, [*earlier, *backdated])
    return compare(since, until, before, after)


def _replay(
    unit: EvaluatedUnit, since: datetime, until: datetime, *alternatives: Sequence[EffectiveLimits]
) -> list[list[DetectedExcursion]]:
    """Return the unit's excursions from `since` to `until` by each of these versions of limits."""
    staleness_limit = max(version.limits.staleness_limit for versions in alternatives for version in versions)
    detectors = [Detector(versions, unit.retired) for versions in alternatives]
    for readings in iterate_readings(unit.unit_id, since - staleness_limit, until):
        for detector in detectors:
            advance_from(since, detector, readings)
    for detector in detectors:
        detector.retire_until(until)
    return [detector.all_excursions() for detector in detectors]


def with_alarm(found: Sequence[DetectedExcursion]) -> list[DetectedExcursion]:
    """Return the excursions whose alarm delay was completed."""
    return [each for each in found if each.alarm_at is not None]


def compare(
    since: datetime, until: datetime, before: Sequence[DetectedExcursion], after: Sequence[DetectedExcursion]
) -> Replay:
    """Return the alarms in both, and in one only."""
    pairs = match(after, [(each, 0) for each in before])
    return Replay(
        since,
        until,
        removed=[_to_alarm(each) for position, each in enumerate(before) if position not in pairs.values()],
        added=[_to_alarm(each) for position, each in enumerate(after) if position not in pairs],
        unchanged=[(_to_alarm(before[old]), _to_alarm(after[new])) for new, old in sorted(pairs.items())],
    )


def _to_alarm(found: DetectedExcursion) -> ReplayedAlarm:
    severity = Severity.WARNING if found.critical_alarm_at is None else Severity.CRITICAL
    return ReplayedAlarm(found.alarm_at or found.started_at, found.started_at, found.ended_at, severity, found.peak_c)
