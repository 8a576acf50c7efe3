"""The windows of units' readings that are replayed after new ones were stored.

A window begins where the excursion began that contains the new readings, or with the first of them, and ends where
nothing depends on them any more: no sensor's reading is still valid and no excursion is under way, neither found nor
stored. The readings of all units are fetched together, so that a power cut of five hundred units takes a few queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.db import connection

from alarms.excursions.detected import DetectedExcursion, SensorReading
from alarms.excursions.detector import NEVER, Detector, group_by_instant
from alarms.excursions.units import EvaluatedUnit
from alarms.models import Excursion
from readings.models import LatestReading
from readings.storage.store import NewSpan

MAX_ROWS = 20_000
MIN_ROWS = 500
GROWTH = timedelta(days=1)
TICK = datetime.resolution
# The bounds let the planner leave other months' partitions out.
READINGS = """
SELECT requested.unit_id, reading.recorded_at, reading.sensor_id, reading.temperature_c
FROM unnest(%(unit_ids)s::int[], %(since)s::timestamptz[], %(until)s::timestamptz[])
    AS requested (unit_id, since, until)
CROSS JOIN LATERAL (
    SELECT recorded_at, sensor_id, temperature_c FROM reading
    WHERE storage_unit_id = requested.unit_id AND recorded_at >= requested.since AND recorded_at < requested.until
        AND recorded_at >= %(earliest)s AND recorded_at < %(latest)s
    ORDER BY recorded_at, sensor_id LIMIT %(limit)s
) AS reading
ORDER BY requested.unit_id, reading.recorded_at, reading.sensor_id
"""
# Two searches, each with its index.
STORED = """
SELECT excursion.id FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[]) AS requested (unit_id, first)
JOIN excursion ON storage_unit_id = requested.unit_id AND kind = 'temperature' AND ended_at IS NULL
UNION ALL
SELECT excursion.id FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[]) AS requested (unit_id, first)
JOIN excursion ON storage_unit_id = requested.unit_id AND kind = 'temperature' AND clears_at >= requested.first
"""


@dataclass(slots=True)
class ReplayWindow:
    """A unit's window: `detector` finds the excursions that begin from `since` on, before `until`.

    stored: the stored excursions of that time and later, in order of time.
    """

    unit_id: int
    detector: Detector
    since: datetime
    until: datetime
    newest: datetime
    stored: list[Excursion]
    position: datetime
    is_done: bool = field(default=False)

    @property
    def found(self) -> list[DetectedExcursion]:
        """The excursions found, in order of time."""
        return self.detector.all_excursions()

    @property
    def progress(self) -> dict[str, object] | None:
        """The detector's state if the last excursion is not over for good, else None."""
        return None if self.detector.is_idle_at(self.newest) else self.detector.dump_state()

    @property
    def superseded(self) -> list[Excursion]:
        """The stored excursions that those found replace."""
        return [each for each in self.stored if self.since <= each.started_at < self.until]

    def process(self, readings: Sequence[SensorReading], limit: int) -> None:
        """Process the next readings; as many as `limit` may not be all that were requested."""
        groups = [(instant, list(rows)) for instant, rows in group_by_instant(readings)]
        if len(readings) == limit:
            # More readings of the last instant may follow.
            self.position = groups.pop()[0]
        else:
            self.position = self.until
        for instant, rows in groups:
            if instant < self.since:
                self.detector.prime(rows)
            else:
                self.detector.step(instant, rows)
        if self.position == self.until:
            self._reach_end()

    def _reach_end(self) -> None:
        if self.until > self.newest:
            self.detector.retire_until(NEVER)
            self.is_done = True
        elif self._is_quiet():
            self.is_done = True
        else:
            self.until = min(self.until + max(GROWTH, self.until - self.since), self.newest + TICK)

    def _is_quiet(self) -> bool:
        """Return whether no excursion is under way at the end, neither found nor stored."""
        return self.detector.is_idle_at(self.until) and not any(
            each.started_at <= self.until and (each.clears_at is None or each.clears_at > self.until)
            for each in self.stored
        )


def replay(spans: Mapping[int, NewSpan], units: Mapping[int, EvaluatedUnit]) -> list[ReplayWindow]:
    """Replay the readings that the new ones of these units affect; return the windows by unit id."""
    stored = _stored(spans)
    newest = dict(LatestReading.objects.filter(pk__in=spans).values_list("pk", "recorded_at"))
    windows = [
        _open_window(units[unit_id], span, stored[unit_id], newest[unit_id]) for unit_id, span in sorted(spans.items())
    ]
    while pending := [window for window in windows if not window.is_done]:
        limit = max(MAX_ROWS // len(pending), MIN_ROWS)
        requested = [(window.unit_id, window.position, window.until) for window in pending]
        readings = _readings(requested, limit)
        for window in pending:
            window.process(readings[window.unit_id], limit)
    return windows


def iterate_readings(unit_id: int, since: datetime, until: datetime) -> Iterator[tuple[datetime, list[SensorReading]]]:
    """Yield the unit's readings from `since` to before `until` by instant, a bounded number in memory."""
    while since < until:
        rows = _readings([(unit_id, since, until)], MAX_ROWS)[unit_id]
        groups = [(instant, list(group)) for instant, group in group_by_instant(rows)]
        is_last = len(rows) < MAX_ROWS
        since = until if is_last else groups.pop()[0]
        yield from groups


def _open_window(unit: EvaluatedUnit, span: NewSpan, stored: list[Excursion], newest: datetime) -> ReplayWindow:
    staleness_limit = max(version.limits.staleness_limit for version in unit.versions)
    around = next((each for each in stored if each.started_at <= span.first), None)
    since = span.first if around is None else around.started_at
    detector, position = Detector(unit.versions, unit.retired), since - staleness_limit
    if around is not None and around.progress is not None:
        resumed = Detector.load_state(around.progress, unit.versions, unit.retired)
        if resumed.at is not None and span.first > resumed.at:
            detector, position = resumed, resumed.at + TICK
    return ReplayWindow(unit.unit_id, detector, since, span.last + staleness_limit, newest, stored, position)


def _readings(requested: Sequence[tuple[int, datetime, datetime]], limit: int) -> Mapping[int, list[SensorReading]]:
    """Return at most `limit` readings of each unit, each from an instant to before another, in order of time."""
    unit_ids, since, until = zip(*requested, strict=True)
    parameters: dict[str, datetime | int | list[int] | list[datetime]] = {
        "unit_ids": list(unit_ids),
        "since": list(since),
        "until": list(until),
        "earliest": min(since),
        "latest": max(until),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(READINGS, parameters)
        rows: list[tuple[int, datetime, int, float | None]] = cursor.fetchall()
    readings: dict[int, list[SensorReading]] = defaultdict(list)
    for unit_id, own_rows in groupby(rows, itemgetter(0)):
        readings[unit_id] = [SensorReading(*row[1:]) for row in own_rows]
    return readings


def _stored(spans: Mapping[int, NewSpan]) -> Mapping[int, list[Excursion]]:
    """Return the stored temperature excursions that may continue in each unit's span, in order of time."""
    with connection.cursor() as cursor:
        cursor.execute(STORED, {"unit_ids": list(spans), "firsts": [span.first for span in spans.values()]})
        ids = [excursion_id for (excursion_id,) in cursor.fetchall()]
    stored: dict[int, list[Excursion]] = defaultdict(list)
    if ids:
        for excursion in Excursion.objects.filter(pk__in=ids).order_by("started_at").prefetch_related("alarms"):
            stored[excursion.storage_unit_id].append(excursion)
    return stored
