"""Time windows whose mean kinetic temperature exceeds its limit. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from alarms.excursions.detected import DetectedExcursion, EffectiveLimits
from alarms.thresholds import Severity


class MktWindow(NamedTuple):
    """A window of time by its end, with its MKT; None if too little of it is covered."""

    ends_at: datetime
    mkt_c: float | None


def find_mkt_excursions(windows: Sequence[MktWindow], in_force: EffectiveLimits) -> list[DetectedExcursion]:
    """Return the runs of consecutive windows above the limit. A window with unknown MKT ends none."""
    limit_c = in_force.limits.mkt_limit_c
    found: list[DetectedExcursion] = []
    current: DetectedExcursion | None = None
    for window in windows:
        if window.mkt_c is None or limit_c is None:
            continue
        if window.mkt_c > limit_c:
            current = current or _begin(found, window, in_force)
            current.last_outside_at = window.ends_at
            if window.mkt_c > current.peak_c:
                current.peak_c, current.peak_at = window.mkt_c, window.ends_at
        elif current is not None:
            current.ended_at, current = window.ends_at, None
    return found


def _begin(found: list[DetectedExcursion], window: MktWindow, in_force: EffectiveLimits) -> DetectedExcursion:
    mkt_c = window.mkt_c or 0.0
    found.append(
        DetectedExcursion(
            started_at=window.ends_at,
            version_id=in_force.version_id,
            clearing_delay=timedelta(),
            severity=Severity.CRITICAL,
            peak_c=mkt_c,
            peak_at=window.ends_at,
            last_outside_at=window.ends_at,
            alarm_at=window.ends_at,
            critical_alarm_at=window.ends_at,
        )
    )
    return found[-1]
