"""The windows of units' readings that are replayed after new ones were stored.

A window begins where the excursion began that contains the new readings, or with the first of them, and ends where
nothing depends on them any more: no sensor's reading is still valid and no excursion is under way, neither found nor
stored. The readings of all units are fetched together, so that a power cut of five hundred units takes a few queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import connection

from alarms.excursions.detected import DetectedExcursion
from alarms.excursions.detector import NEVER, Detector
from alarms.excursions.reconcile import excursions_by_unit
from alarms.excursions.runs import advance
from alarms.excursions.sensor_readings import SensorReadings, stored_readings
from alarms.excursions.units import EvaluatedUnit
from alarms.models import Excursion
from readings.models import LatestReading
from readings.storage.archive.reading import recall_each, with_archived
from readings.storage.reading_batch import instant_of
from readings.storage.store import NewSpan

MAX_ROWS = 200_000
MIN_ROWS = 500
GROWTH = timedelta(days=1)
TICK = datetime.resolution
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

    def process(self, readings: SensorReadings, limit: int) -> None:
        """Process the next readings; as many as `limit` may not be all that were requested."""
        self.position = self.until
        if len(readings) == limit:
            # More readings of the last instant may follow.
            self.position = instant_of(int(readings.recorded_at_us[-1]))
            readings = readings[: readings.rows_before(self.position)]
        advance_from(self.since, self.detector, readings)
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
    """Replay the readings that the new ones of these units affect; return the windows by unit id.

    In the transaction that wrote them: archived readings are returned to the table first.
    """
    stored = _stored(spans)
    newest = dict(LatestReading.objects.filter(pk__in=spans).values_list("pk", "recorded_at"))
    windows = [
        _open_window(units[unit_id], span, stored[unit_id], newest[unit_id]) for unit_id, span in sorted(spans.items())
    ]
    while pending := [window for window in windows if not window.is_done]:
        limit = max(MAX_ROWS // len(pending), MIN_ROWS)
        requested = [(window.unit_id, window.position, window.until) for window in pending]
        recall_each(requested)
        readings = stored_readings(requested, limit)
        for window in pending:
            window.process(readings[window.unit_id], limit)
    return windows


def iterate_readings(unit_id: int, since: datetime, until: datetime) -> Iterator[SensorReadings]:
    """Yield the unit's readings from `since` to before `until`, a bounded number at a time, split between instants."""
    while since < until:
        fetch = partial(stored_readings, [(unit_id, since, until)], MAX_ROWS)
        readings = with_archived([unit_id], [(since, until)], fetch)[unit_id]
        since = until
        if len(readings) == MAX_ROWS:
            since = instant_of(int(readings.recorded_at_us[-1]))
            readings = readings[: readings.rows_before(since)]
        yield readings


def advance_from(since: datetime, detector: Detector, readings: SensorReadings) -> None:
    """Move the detector through these readings; those before `since` may still be valid then, but begin nothing."""
    before = readings.rows_before(since)
    detector.prime(readings.readings(0, before))
    advance(detector, readings[before:])


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


def _stored(spans: Mapping[int, NewSpan]) -> Mapping[int, list[Excursion]]:
    """Return the stored temperature excursions that may continue in each unit's span, in order of time."""
    with connection.cursor() as cursor:
        cursor.execute(STORED, {"unit_ids": list(spans), "firsts": [span.first for span in spans.values()]})
        return excursions_by_unit([excursion_id for (excursion_id,) in cursor.fetchall()])
