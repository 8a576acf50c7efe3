"""Reconcile the excursions found with the stored ones, so that an excursion keeps its identity as it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from django.db import connection

from alarms.excursions.detected import DetectedExcursion
from alarms.models import Alarm, Excursion

MAX_INSTANT = datetime.max.replace(tzinfo=UTC)


class Period(Protocol):
    """A period; `ended_at` None means ongoing."""

    @property
    def started_at(self) -> datetime:
        """When it began."""

    @property
    def ended_at(self) -> datetime | None:
        """When it ended, None while ongoing."""

    @property
    def alarm_at(self) -> datetime | None:
        """When its alarm delay was completed, if it was."""


def match(found: Sequence[Period], stored: Sequence[tuple[Period, int]]) -> dict[int, int]:
    """Match found excursions with the stored ones they continue: positions in `found` to positions in `stored`.

    `stored` has each with its priority: if several have become one, the one with the highest continues (an acknowledged
    one, then a notified one), of equals the earliest. If one has become several, it continues as the one its alarm was
    about, or else the first. Both are in order of time.
    """
    taken: dict[int, int] = {}
    by_priority = sorted(range(len(stored)), key=lambda position: (-stored[position][1], position))
    for position in by_priority:
        old = stored[position][0]
        free = [number for number, new in enumerate(found) if number not in taken and _overlap(new, old)]
        if free:
            taken[next((number for number in free if _contains(found[number], old.alarm_at)), free[0])] = position
    return taken


def _overlap(one: Period, other: Period) -> bool:
    """Return whether two half-open periods overlap; they do if they begin at the same instant, even if one is empty."""
    return one.started_at == other.started_at or (
        one.started_at < (other.ended_at or MAX_INSTANT) and other.started_at < (one.ended_at or MAX_INSTANT)
    )


def _contains(period: Period, instant: datetime | None) -> bool:
    if instant is None:
        return False
    return instant == period.started_at or period.started_at < instant < (period.ended_at or MAX_INSTANT)


# An excursion whose newest reading outside is older than this, or than the unit's staleness limit if that is longer, is
# not live any more: nobody can do anything about it now.
LIVE_WITHIN = timedelta(hours=1)
COMPARED_FIELDS = (
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
    "high_pieces",
    "low_pieces",
)
_WRITTEN = (*COMPARED_FIELDS, "progress", "limit_version_id")


STORED_SINCE = """
SELECT excursion.id FROM unnest(%s::int[], %s::timestamptz[]) AS requested (unit_id, since)
JOIN excursion ON storage_unit_id = requested.unit_id AND kind = %s AND started_at >= requested.since
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """The excursions found of a unit, for those stored of the same time; both in order of time.

    progress belongs to the last one found. live_within: for how long after its newest reading outside one is live.
    provisional_ids: the versions that alert nobody.
    """

    unit_id: int
    customer_id: int
    kind: Excursion.Kind
    found: Sequence[DetectedExcursion]
    stored: Sequence[Excursion]
    live_within: timedelta
    provisional_ids: frozenset[int] = frozenset()
    progress: dict[str, object] | None = None


@dataclass(slots=True)
class Reconciled:
    """The outcome of a reconciliation.

    changed: new and changed excursions that may alert, each with its customer's id and whether it is live. orphaned:
    the alarms of excursions that no longer exist.
    """

    changed: list[tuple[Excursion, int, bool]] = field(default_factory=list)
    orphaned: list[Alarm] = field(default_factory=list)


def stored_since(unit_id: int, kind: Excursion.Kind, since: datetime) -> list[Excursion]:
    """Return the unit's excursions of `kind` that begin from `since` on, in order of time, for a Replacement."""
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=kind, started_at__gte=since)
    return list(excursions.order_by("started_at").prefetch_related("alarms"))


def stored_of_units(since: Mapping[int, datetime], kind: Excursion.Kind) -> Mapping[int, list[Excursion]]:
    """Return `stored_since` of each of these units. Three queries at most."""
    with connection.cursor() as cursor:
        cursor.execute(STORED_SINCE, [list(since), list(since.values()), kind.value])
        return excursions_by_unit([excursion_id for (excursion_id,) in cursor.fetchall()])


def excursions_by_unit(ids: Sequence[int]) -> Mapping[int, list[Excursion]]:
    """Return these excursions by unit and in order of time, for a Replacement. Two queries, none without any."""
    stored: dict[int, list[Excursion]] = defaultdict(list)
    if ids:
        for excursion in Excursion.objects.filter(pk__in=ids).order_by("started_at").prefetch_related("alarms"):
            stored[excursion.storage_unit_id].append(excursion)
    return stored


def reconcile(replacements: Iterable[Replacement], now: datetime) -> Reconciled:
    """Replace the stored excursions by those found. Three queries at most."""
    reconciled = Reconciled()
    created: list[Excursion] = []
    updated: list[Excursion] = []
    deleted: list[Excursion] = []
    for replacement in replacements:
        pairs = match(replacement.found, [(each, _priority(each)) for each in replacement.stored])
        unmatched = [each for position, each in enumerate(replacement.stored) if position not in pairs.values()]
        deleted += unmatched
        reconciled.orphaned += [alarm for each in unmatched for alarm in each.alarms.all()]
        for number, new in enumerate(replacement.found):
            progress = replacement.progress if number == len(replacement.found) - 1 else None
            excursion = replacement.stored[pairs[number]] if number in pairs else _new(replacement, now)
            if not _write(excursion, new, progress):
                continue
            is_live = now - excursion.last_outside_at <= replacement.live_within
            if excursion.pk is None:
                excursion.is_detected_late = not is_live
            (created if excursion.pk is None else updated).append(excursion)
            if new.version_id not in replacement.provisional_ids:
                reconciled.changed.append((excursion, replacement.customer_id, is_live))
    if deleted:
        Excursion.objects.filter(pk__in=[each.pk for each in deleted]).delete()
    if updated:
        Excursion.objects.bulk_update(updated, _WRITTEN)
    if created:
        Excursion.objects.bulk_create(created)
    return reconciled


def _priority(excursion: Excursion) -> int:
    """Return 2 if its alarm was acknowledged, 1 if it was notified, else 0."""
    alarms = excursion.alarms.all()
    if any(alarm.acknowledged_at is not None for alarm in alarms):
        return 2
    return int(any(alarm.opened_at is not None for alarm in alarms))


def _new(replacement: Replacement, now: datetime) -> Excursion:
    return Excursion(storage_unit_id=replacement.unit_id, kind=replacement.kind, detected_at=now)


def _write(excursion: Excursion, new: DetectedExcursion, progress: dict[str, object] | None) -> bool:
    """Copy what was found to `excursion`; return whether anything changed."""
    values = {name: getattr(new, name) for name in COMPARED_FIELDS} | {
        "progress": progress,
        "limit_version_id": new.version_id,
    }
    if excursion.pk is not None and all(getattr(excursion, name) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(excursion, name, value)
    return True
