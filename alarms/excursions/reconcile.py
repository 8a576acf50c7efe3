"""Putting what was found in the place of what is stored, so that an excursion keeps its identity while it changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from alarms.excursions.detector import FoundExcursion
from alarms.models import Alarm, Excursion

FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Stretch(Protocol):
    """A stretch of time, `ended_at` None: it lasts."""

    @property
    def started_at(self) -> datetime: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def alarm_at(self) -> datetime | None: ...


def matched(found: Sequence[Stretch], stored: Sequence[tuple[Stretch, int]]) -> dict[int, int]:
    """The place in `stored` of each place in `found` that goes on with a stored excursion.

    `stored` has each with its weight: where several have become one, the heaviest goes on (one that people have
    acknowledged, then one that they were told of), of equals the earliest. Where one has become several, it goes on
    with the one that its alarm was about, or else the first. Both in the order of time.
    """
    taken: dict[int, int] = {}
    by_weight = sorted(range(len(stored)), key=lambda place: (-stored[place][1], place))
    for place in by_weight:
        old = stored[place][0]
        free = [number for number, new in enumerate(found) if number not in taken and _touch(new, old)]
        if free:
            taken[next((number for number in free if _holds(found[number], old.alarm_at)), free[0])] = place
    return taken


def _touch(one: Stretch, other: Stretch) -> bool:
    return one.started_at <= (other.ended_at or FOR_EVER) and other.started_at <= (one.ended_at or FOR_EVER)


def _holds(stretch: Stretch, instant: datetime | None) -> bool:
    return instant is not None and stretch.started_at <= instant <= (stretch.ended_at or FOR_EVER)


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
_WRITTEN = (*FIELDS, "progress", "limit_version_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The excursions that were found of a unit, for those that were stored of the same time; both in order of time.

    progress belongs to the last one found. live_within: for how long after its newest reading outside one is news.
    """

    unit_id: int
    customer_id: int
    kind: Excursion.Kind
    found: Sequence[FoundExcursion]
    stored: Sequence[Excursion]
    live_within: timedelta
    progress: dict[str, Any] | None = None


@dataclass(slots=True)
class Replaced:
    """What became of stored excursions.

    changed: those that are new or other than before, each with its customer's id and whether it is news. orphaned: the
    alarms of those that are gone.
    """

    changed: list[tuple[Excursion, int, bool]] = field(default_factory=list)
    orphaned: list[Alarm] = field(default_factory=list)


def stored_since(unit_id: int, kind: Excursion.Kind, since: datetime) -> list[Excursion]:
    """The unit's excursions of `kind` that begin from `since` on, in the order of time, for a Replacement."""
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=kind, started_at__gte=since)
    return list(excursions.order_by("started_at").prefetch_related("alarms"))


def replace(replacements: Iterable[Replacement], now: datetime) -> Replaced:
    """Store what was found. Three queries at most."""
    replaced = Replaced()
    made: list[Excursion] = []
    kept: list[Excursion] = []
    gone: list[Excursion] = []
    for replacement in replacements:
        pairs = matched(replacement.found, [(each, _weight(each)) for each in replacement.stored])
        left = [each for place, each in enumerate(replacement.stored) if place not in pairs.values()]
        gone += left
        replaced.orphaned += [alarm for each in left for alarm in each.alarms.all()]
        for number, new in enumerate(replacement.found):
            progress = replacement.progress if number == len(replacement.found) - 1 else None
            excursion = replacement.stored[pairs[number]] if number in pairs else _new(replacement, now)
            if not _write(excursion, new, progress):
                continue
            is_live = now - excursion.last_outside_at <= replacement.live_within
            if excursion.pk is None:
                excursion.is_detected_late = not is_live
            (made if excursion.pk is None else kept).append(excursion)
            replaced.changed.append((excursion, replacement.customer_id, is_live))
    if gone:
        Excursion.objects.filter(pk__in=[each.pk for each in gone]).delete()
    if kept:
        Excursion.objects.bulk_update(kept, _WRITTEN)
    if made:
        Excursion.objects.bulk_create(made)
    return replaced


def _weight(excursion: Excursion) -> int:
    """2 where its alarm was acknowledged, 1 where people were told of it."""
    alarms = excursion.alarms.all()
    if any(alarm.acknowledged_at is not None for alarm in alarms):
        return 2
    return int(any(alarm.opened_at is not None for alarm in alarms))


def _new(replacement: Replacement, now: datetime) -> Excursion:
    return Excursion(storage_unit_id=replacement.unit_id, kind=replacement.kind, detected_at=now)


def _write(excursion: Excursion, new: FoundExcursion, progress: dict[str, Any] | None) -> bool:
    """Give `excursion` what was found; was anything of it different?"""
    values = {name: getattr(new, name) for name in FIELDS} | {
        "progress": progress,
        "limit_version_id": new.version_id,
    }
    if excursion.pk is not None and all(getattr(excursion, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(excursion, name, value)
    return True
