"""Whatever is stored, late, repeated, contradicted, archived and restored in turn, reads are those of a twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.scope import Scope
from customers.models import Sensor
from readings.archive_models import ArchivedMonth
from readings.lists.filters import ReadingFilter
from readings.lists.queries import Listing
from readings.models import DailyRollup, HourlyRollup, LateReadings, LatestReading
from readings.statistics.totals import Bucket, RequestedUnit, totals_by_key
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.restoring import restore_month
from readings.storage.archive.tests.world import MONTH
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rollups import refresh
from readings.storage.store import StoreResult, store
from readings.storage.tests.test_equivalent_ways import rows_of, undone
from readings.time_ranges import TimeRange
from readings.units.unit_refs import visible_unit_refs

pytestmark = pytest.mark.django_db

# Before the month, within it and at its ends.
MINUTES = (-50, -1, 0, 1, 7, 30, 61, 1_500, 44_639, 44_640, 44_645)
START = datetime(2024, 3, 1, tzinfo=UTC)
RANGE = TimeRange(START - timedelta(minutes=70), START + timedelta(days=40, minutes=13))

Row = tuple[int, int, float | None]
Step = list[Row] | str
batches: st.SearchStrategy[Step] = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(MINUTES), st.sampled_from([None, 5.0, 5.5, 60.0])),
    min_size=1,
    max_size=8,
)
steps = st.lists(st.one_of(batches, st.sampled_from(["archive", "restore", "refresh"])), min_size=2, max_size=8)


def result_of(sensors: list[Sensor], taken: list[Step], *, is_archived: bool) -> list[object]:
    """Return what storing and reading answer after these steps, with archiving and restoring or without."""
    with undone():
        results: list[object] = []
        for step in taken:
            if not isinstance(step, str):
                results.append(_store(sensors, step))
            elif step == "refresh":
                refresh()
            elif is_archived:
                _move(step)
            results.append(repr(_read(sensors)))
        refresh()
        results.append(repr(_read(sensors)))
        return results + [rows_of(model) for model in (HourlyRollup, DailyRollup, LatestReading, LateReadings)]


def _move(step: str) -> None:
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
