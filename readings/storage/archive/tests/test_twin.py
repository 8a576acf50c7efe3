"""Whatever is stored, late, repeated, contradicted, archived and restored in turn, reads are those of a twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.scope import Scope
from customers.models import Sensor, StorageUnit
from readings.archive_models import ArchivedMonth
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing
from readings.models import DailyRollup, HourlyRollup, LateReadings, LatestReading
from readings.statistics.totals import Bucket, RequestedUnit, totals_by_key
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.restoring import restore_month
from readings.storage.archive.tests.world import MONTH
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.revisions import NewMeasurement, replace_measurement, withdraw
from readings.storage.rollups import rebuild, refresh
from readings.storage.store import StoredSpan, StoreResult, store
from readings.storage.tests.test_equivalent_ways import rows_of, undone
from readings.time_ranges import TimeRange
from readings.units.unit_refs import visible_unit_refs

pytestmark = pytest.mark.django_db

# Before the month, within it and at its ends.
MINUTES = (-50, -1, 0, 1, 7, 30, 61, 1_500, 44_639, 44_640, 44_645)
START = datetime(2024, 3, 1, tzinfo=UTC)
RANGE = TimeRange(START - timedelta(minutes=70), START + timedelta(days=40, minutes=13))

Row = tuple[int, int, float | None]
# Rows to store, which reading to replace and by what, or a task.
Step = list[Row] | tuple[int, float | None] | str
batches: st.SearchStrategy[Step] = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(MINUTES), st.sampled_from([None, 5.0, 5.5, 60.0])),
    min_size=1,
    max_size=8,
)
replacements: st.SearchStrategy[Step] = st.tuples(st.integers(0, 50), st.sampled_from([None, 7.0]))
tasks: st.SearchStrategy[Step] = st.sampled_from(
    ["archive", "archive", "restore", "refresh", "withdraw", "rebuild", "move", "retire", "shorten"]
)
steps = st.lists(st.one_of(batches, replacements, tasks), min_size=2, max_size=10)


def result_of(sensors: list[Sensor], taken: list[Step], *, is_archived: bool) -> list[object]:
    """Return what storing and reading answer after these steps, with archiving and restoring or without."""
    with undone():
        results: list[object] = []
        spans: list[StoredSpan] = []
        for step in taken:
            if isinstance(step, list):
                stored = _store(sensors, step)
                spans = stored.spans
                results.append(stored)
            elif isinstance(step, tuple):
                results.append(_replace(sensors, *step))
            elif step == "withdraw":
                _withdraw(spans)
            elif step in ("archive", "restore"):
                if is_archived:
                    _move(step)
            else:
                _run(sensors, step)
            results.append(repr(_read(sensors)))
        refresh()
        results.append(repr(_read(sensors)))
        return results + [rows_of(model) for model in (HourlyRollup, DailyRollup, LatestReading, LateReadings)]


def _replace(sensors: list[Sensor], number: int, temperature_c: float | None) -> float | None:
    """Replace the measurement of one of the readings."""
    listing = Listing(visible_unit_refs(Scope.everything()), ReadingFilter(start=RANGE.start, end=RANGE.end))
    rows = sorted(row for chunk in listing.chunks(50) for row in chunk)
    if not rows:
        return None
    row = rows[number % len(rows)]
    sensor = next(each for each in sensors if each.pk == row.sensor_id)
    new = NewMeasurement(temperature_c, "C", 1.0, 1)
    return replace_measurement(sensor.storage_unit, sensor.pk, row.recorded_at, new, by="ann", reason="A test.")


def _withdraw(spans: list[StoredSpan]) -> None:
    """Withdraw what was stored last."""
    for unit_id in {span.unit_id for span in spans}:
        unit = StorageUnit.objects.get(pk=unit_id)
        if withdraw(unit, [span for span in spans if span.unit_id == unit_id], by="ann", reason="A test."):
            rebuild([unit_id])


def _run(sensors: list[Sensor], task: str) -> None:
    """Refresh or rebuild the roll-ups, or change what they depend on."""
    if task == "move":
        facility = sensors[0].storage_unit.facility
        facility.time_zone = "Asia/Kathmandu"
        facility.save()
        run_requested_rebuilds()
    elif task == "retire":
        sensor = Sensor.objects.get(pk=sensors[0].pk)
        sensor.retired_at = None if sensor.retired_at else START + timedelta(minutes=45)
        sensor.save()
        run_requested_rebuilds()
    elif task == "shorten":
        unit = StorageUnit.objects.get(pk=sensors[0].storage_unit_id)
        unit.gap_limit_seconds = 600 if unit.gap_limit_seconds != 600 else 86400
        unit.save()
        run_requested_rebuilds()
    elif task == "rebuild":
        rebuild([sensors[0].storage_unit_id])
    else:
        refresh()


def _move(step: str) -> None:
    """Archive the month, or restore it."""
    if step == "archive":
        archive_month(MONTH)
    elif ArchivedMonth.objects.filter(month=MONTH, is_archived=True).exists():
        restore_month(MONTH)


def _store(sensors: list[Sensor], rows: list[Row]) -> StoreResult:
    with transaction.atomic():
        return store(
            ReadingBatch.of_rows(
                ReadingRow(
                    sensors[number].storage_unit_id,
                    sensors[number].pk,
                    START + timedelta(minutes=minute),
                    temperature_c,
                )
                for number, minute, temperature_c in rows
            )
        )


def _read(sensors: list[Sensor]) -> object:
    unit_refs = visible_unit_refs(Scope.everything())
    listing = Listing(unit_refs, ReadingFilter(start=RANGE.start, end=RANGE.end))
    requested = [RequestedUnit(unit.unit_id, unit.zone, unit.unit_id) for unit in unit_refs.values()]
    return (
        [row._replace(created_at=START) for chunk in listing.chunks(5) for row in chunk],
        listing.count(),
        sorted(totals_by_key(requested, RANGE, bucket=Bucket.HOUR, by_sensor=True).items(), key=repr),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(taken=steps)
def test_reads_are_those_of_a_twin_that_was_never_archived(sensors: list[Sensor], taken: list[Step]) -> None:
    assert result_of(sensors, taken, is_archived=True) == result_of(sensors, taken, is_archived=False)
