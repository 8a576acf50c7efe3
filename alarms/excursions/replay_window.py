"""The stretches of units' readings that new ones make it necessary to go through again.

A stretch begins where the excursion began that the new readings fall into, or with the first of them, and ends where
nothing hangs on them any more: no sensor's reading stands on, no excursion is under way, neither now nor as it was
stored. The readings of all units are fetched together, so that a power cut of five hundred units costs a few queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection

from alarms.excursions.detector import FoundExcursion, InForce, Measured, Walk, by_instant
from alarms.models import Excursion
from readings.models import LatestReading
from readings.storage.store import Span

ROWS_AT_ONCE = 20_000
LEAST_ROWS = 500
GROWTH = timedelta(days=1)
TICK = datetime.resolution
# The bounds let the planner leave other months' partitions out.
READINGS = """
SELECT asked.unit_id, reading.recorded_at, reading.sensor_id, reading.temperature_c
FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS asked (unit_id, since, until)
CROSS JOIN LATERAL (
    SELECT recorded_at, sensor_id, temperature_c FROM reading
    WHERE storage_unit_id = asked.unit_id AND recorded_at >= asked.since AND recorded_at < asked.until
        AND recorded_at >= %(earliest)s AND recorded_at < %(latest)s
    ORDER BY recorded_at, sensor_id LIMIT %(most)s
) AS reading
ORDER BY asked.unit_id, reading.recorded_at, reading.sensor_id
"""
# Two searches, for each of which there is an index.
STORED = """
SELECT excursion.id FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[]) AS asked (unit_id, first)
JOIN excursion ON storage_unit_id = asked.unit_id AND kind = 'temperature' AND ended_at IS NULL
UNION ALL
SELECT excursion.id FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[]) AS asked (unit_id, first)
JOIN excursion ON storage_unit_id = asked.unit_id AND kind = 'temperature' AND clears_at >= asked.first
"""


@dataclass(slots=True)
class Stretch:
    """A unit's stretch being gone through: `walk` has the excursions found to begin from `since` on, before `until`.

    stored: the excursions of that time as they are stored, in the order of time, and later ones.
    """

    unit_id: int
    walk: Walk
    since: datetime
    until: datetime
    newest: datetime
    stored: list[Excursion]
    position: datetime
    is_done: bool = field(default=False)

    @property
    def found(self) -> list[FoundExcursion]:
        """The excursions found, in the order of time."""
        return self.walk.all_found()

    @property
    def progress(self) -> dict[str, Any] | None:
        """The walk put down, where the last excursion is not over for good; else None."""
        return None if self.walk.is_calm_at(self.newest) else self.walk.put_down()

    @property
    def replaced(self) -> list[Excursion]:
        """The stored excursions whose place those found take."""
        return [each for each in self.stored if self.since <= each.started_at < self.until]

    def take(self, readings: Sequence[Measured], most: int) -> None:
        """Go on with the next readings; so many as `most` are not all that were asked for."""
        groups = [(instant, list(taken)) for instant, taken in by_instant(readings)]
        if len(readings) == most:
            # More readings of the last instant may follow.
            self.position = groups.pop()[0]
        else:
            self.position = self.until
        for instant, taken in groups:
            if instant < self.since:
                self.walk.prime(taken)
            else:
                self.walk.step(instant, taken)
        if self.position == self.until:
            self._reach_end()

    def _reach_end(self) -> None:
        if self.until > self.newest or self._is_quiet():
            self.is_done = True
        else:
            self.until = min(self.until + max(GROWTH, self.until - self.since), self.newest + TICK)

    def _is_quiet(self) -> bool:
        """Is no excursion under way at the end, neither in the walk nor among the stored ones?"""
        return self.walk.is_calm_at(self.until) and not any(
            each.started_at <= self.until and (each.clears_at is None or each.clears_at > self.until)
            for each in self.stored
        )


def go_through(spans: Mapping[int, Span], versions: Mapping[int, Sequence[InForce]]) -> list[Stretch]:
    """Go through what the new readings of these units in their spans make necessary; by the units' ids."""
    stored = _stored(spans)
    newest = dict(LatestReading.objects.filter(pk__in=spans).values_list("pk", "recorded_at"))
    stretches = [
        _begun(unit_id, span, versions[unit_id], stored[unit_id], newest[unit_id])
        for unit_id, span in sorted(spans.items())
    ]
    while pending := [stretch for stretch in stretches if not stretch.is_done]:
        most = max(ROWS_AT_ONCE // len(pending), LEAST_ROWS)
        asked = [(stretch.unit_id, stretch.position, stretch.until) for stretch in pending]
        readings = _readings(asked, most)
        for stretch in pending:
            stretch.take(readings[stretch.unit_id], most)
    return stretches


def readings_of(unit_id: int, since: datetime, until: datetime) -> Iterator[tuple[datetime, list[Measured]]]:
    """The unit's readings from `since` to before `until` by their instants, a bounded number in memory."""
    while since < until:
        rows = _readings([(unit_id, since, until)], ROWS_AT_ONCE)[unit_id]
        groups = [(instant, list(taken)) for instant, taken in by_instant(rows)]
        is_last = len(rows) < ROWS_AT_ONCE
        since = until if is_last else groups.pop()[0]
        yield from groups


def _begun(unit_id: int, span: Span, versions: Sequence[InForce], stored: list[Excursion], newest: datetime) -> Stretch:
    staleness_limit = max(version.limits.staleness_limit for version in versions)
    around = next((each for each in stored if each.started_at <= span.first), None)
    since = span.first if around is None else around.started_at
    walk, position = Walk(versions), since - staleness_limit
    if around is not None and around.progress is not None:
        put_down = Walk.taken_up(around.progress, versions)
        if put_down.at is not None and span.first > put_down.at:
            walk, position = put_down, put_down.at + TICK
    return Stretch(unit_id, walk, since, span.last + staleness_limit, newest, stored, position)


def _readings(asked: Sequence[tuple[int, datetime, datetime]], most: int) -> Mapping[int, list[Measured]]:
    """So many readings of each unit at the most, from an instant to before another, in the order of time."""
    unit_ids, since, until = zip(*asked, strict=True)
    parameters: dict[str, Any] = {
        "unit_ids": list(unit_ids),
        "since": list(since),
        "until": list(until),
        "earliest": min(since),
        "latest": max(until),
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(READINGS, parameters)
        rows: Iterable[tuple[Any, ...]] = cursor.fetchall()
    readings: dict[int, list[Measured]] = defaultdict(list)
    for unit_id, taken in groupby(rows, itemgetter(0)):
        readings[unit_id] = [Measured(*row[1:]) for row in taken]
    return readings


def _stored(spans: Mapping[int, Span]) -> Mapping[int, list[Excursion]]:
    """The stored temperature excursions that are not over for good before each unit's span, in the order of time."""
    with connection.cursor() as cursor:
        cursor.execute(STORED, {"unit_ids": list(spans), "firsts": [span.first for span in spans.values()]})
        ids = [excursion_id for (excursion_id,) in cursor.fetchall()]
    stored: dict[int, list[Excursion]] = defaultdict(list)
    if ids:
        for excursion in Excursion.objects.filter(pk__in=ids).order_by("started_at").prefetch_related("alarms"):
            stored[excursion.storage_unit_id].append(excursion)
    return stored
