"""Putting what was found in the place of what is stored, so that an excursion keeps its identity while it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alarms.excursions import FoundExcursion
from alarms.matching import matched
from alarms.models import Alarm, Excursion

# An excursion whose newest reading outside is this old, or as old as the unit's gap limit where that is longer, is not
# news any more: whoever it concerned can't do anything about it now.
LIVE_WITHIN = timedelta(hours=1)
FIELDS = (
    "started_at",
    "ended_at",
    "clears_at",
    "last_outside_at",
    "severity",
    "peak_c",
    "peak_at",
    "area_kelvin_minutes",
    "outside_seconds",
    "gap_seconds",
    "mkt_c",
    "alarm_at",
    "critical_alarm_at",
    "outside_pieces",
)


@dataclass(slots=True)
class Replaced:
    """What became of stored excursions: those that are there now, and the alarms of those that are gone."""

    present: list[Excursion] = field(default_factory=list)
    orphaned: list[Alarm] = field(default_factory=list)


def replace(
    unit_id: int,
    kind: Excursion.Kind,
    found: Sequence[FoundExcursion],
    *,
    since: datetime,
    until: datetime | None,
    progress: dict[str, Any] | None,
    now: datetime,
    live_within: timedelta,
) -> Replaced:
    """Make the unit's excursions of `kind` that begin from `since` on and before `until` (None: any later) be `found`.

    `progress` belongs to the last of them.
    """
    stored = list(_between(unit_id, kind, since, until).prefetch_related("alarms"))
    pairs = matched(found, [(each, _weight(each)) for each in stored])
    gone = [each for place, each in enumerate(stored) if place not in pairs.values()]
    orphaned = [alarm for each in gone for alarm in each.alarms.all()]
    Excursion.objects.filter(pk__in=[each.pk for each in gone]).delete()
    replaced = Replaced(orphaned=orphaned)
    for number, new in enumerate(found):
        excursion = stored[pairs[number]] if number in pairs else Excursion(storage_unit_id=unit_id, kind=kind)
        is_last = number == len(found) - 1
        _write(excursion, new, progress if is_last else None, now, live_within)
        replaced.present.append(excursion)
    return replaced


def is_live(excursion: Excursion, now: datetime, live_within: timedelta) -> bool:
    """Is it news at `now`?"""
    return now - excursion.last_outside_at <= live_within


def _between(unit_id: int, kind: Excursion.Kind, since: datetime, until: datetime | None) -> Any:
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=kind, started_at__gte=since)
    return (excursions if until is None else excursions.filter(started_at__lt=until)).order_by("started_at")


def _weight(excursion: Excursion) -> int:
    """2 where its alarm was acknowledged, 1 where people were told of it."""
    alarms = excursion.alarms.all()
    if any(alarm.acknowledged_at is not None for alarm in alarms):
        return 2
    return int(any(alarm.opened_at is not None for alarm in alarms))


def _write(
    excursion: Excursion,
    new: FoundExcursion,
    progress: dict[str, Any] | None,
    now: datetime,
    live_within: timedelta,
) -> None:
    values = {name: getattr(new, name) for name in FIELDS} | {
        "progress": progress,
        "limit_version_id": new.version_id,
    }
    is_new = excursion.pk is None
    if not is_new and all(getattr(excursion, name) == value for name, value in values.items()):
        return
    for name, value in values.items():
        setattr(excursion, name, value)
    if is_new:
        excursion.is_detected_late = not is_live(excursion, now, live_within)
        excursion.detected_at = now
    excursion.save()
