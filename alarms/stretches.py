"""The stretch of a unit's readings that new ones make it necessary to go through again.

It begins where the excursion began that the new readings fall into, or with the first of them, and ends where nothing
hangs on them any more: no sensor's reading stands on, no excursion is under way, neither now nor as it was stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from alarms.excursions import FoundExcursion, InForce, Measured, Walk, by_instant
from alarms.models import Excursion
from readings.models import LatestReading
from readings.store import Span

ROWS_AT_ONCE = 20_000
GROWTH = timedelta(days=1)
READINGS = """
SELECT recorded_at, sensor_id, temperature_c FROM reading
WHERE storage_unit_id = %(unit_id)s AND recorded_at >= %(since)s AND recorded_at < %(until)s
    AND (recorded_at, sensor_id) > (%(after_at)s, %(after_sensor)s)
ORDER BY recorded_at, sensor_id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class GoneThrough:
    """The excursions found to begin from `since` on and before `until`, in the order of time.

    progress: the walk put down, where the last of them is not over for good; else None.
    """

    since: datetime
    until: datetime
    found: list[FoundExcursion]
    progress: dict[str, Any] | None


def go_through(unit_id: int, span: Span, versions: Sequence[InForce]) -> GoneThrough:
    """Go through what the new readings of the unit in `span` make necessary."""
    gap_limit = max(version.limits.gap_limit for version in versions)
    stored = list(_stored(unit_id, span.first).order_by("started_at"))
    walk, since, position = _begin(unit_id, span, versions, stored, gap_limit)
    newest = LatestReading.objects.values_list("recorded_at", flat=True).get(storage_unit=unit_id)
    horizon = span.last + gap_limit
    while True:
        for instant, readings in by_instant(readings_of(unit_id, position, horizon)):
            walk.step(instant, readings)
        position = horizon
        if horizon > newest or _is_quiet(walk, stored, horizon):
            break
        horizon = min(horizon + max(GROWTH, horizon - since), newest + datetime.resolution)
    is_over = walk.is_calm_at(newest)
    return GoneThrough(since, horizon, walk.all_found(), None if is_over else walk.put_down())


def readings_of(unit_id: int, since: datetime, until: datetime) -> Iterator[Measured]:
    """The unit's readings from `since` to before `until`, in the order of time, a bounded number in memory."""
    parameters: dict[str, Any] = {"unit_id": unit_id, "since": since, "until": until, "most": ROWS_AT_ONCE}
    after: tuple[datetime, int] = (since, -1)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(READINGS, parameters | {"after_at": after[0], "after_sensor": after[1]})
            rows = cursor.fetchall()
        yield from map(Measured._make, rows)
        if len(rows) < ROWS_AT_ONCE:
            return
        after = rows[-1][:2]


def _begin(
    unit_id: int, span: Span, versions: Sequence[InForce], stored: Sequence[Excursion], gap_limit: timedelta
) -> tuple[Walk, datetime, datetime]:
    """The walk to go on with, since when its excursions count, and where to go on reading."""
    within = next((each for each in stored if each.started_at <= span.first), None)
    if within is not None and within.progress is not None:
        walk = Walk.taken_up(within.progress, versions)
        if walk.at is not None and span.first > walk.at:
            return walk, within.started_at, walk.at + datetime.resolution
    since = span.first if within is None else within.started_at
    walk = Walk(versions)
    walk.prime(readings_of(unit_id, since - gap_limit, since))
    return walk, since, since


def _stored(unit_id: int, since: datetime) -> Any:
    """The stored excursions that are not over for good before `since`."""
    excursions = Excursion.objects.filter(storage_unit=unit_id, kind=Excursion.Kind.TEMPERATURE)
    return excursions.exclude(clears_at__lt=since)


def _is_quiet(walk: Walk, stored: Sequence[Excursion], instant: datetime) -> bool:
    """Is no excursion under way at `instant`, neither in the walk nor among the stored ones?"""
    return walk.is_calm_at(instant) and not any(
        each.started_at <= instant and (each.clears_at is None or each.clears_at > instant) for each in stored
    )
