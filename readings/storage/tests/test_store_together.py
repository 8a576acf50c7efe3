"""Concurrent storing: every reading is stored and upserted once, without deadlocks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import Sum

from customers.models import Sensor
from readings.models import DailyRollup, HourlyRollup, Reading
from readings.storage import store as store_module
from readings.storage.partitions import existing_partitions
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rollups import refresh
from readings.storage.store import store
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storing]

Result = TypeVar("Result")

START = datetime(2031, 5, 31, 23, 30, tzinfo=UTC)


def together(*works: Callable[[], Result]) -> list[Result]:
    """Run these in threads of their own, all starting at one moment; their results in order."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Result]) -> Result:
        try:
            barrier.wait(timeout=10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, work) for work in works]]


@pytest.fixture
def sensors() -> list[Sensor]:
    facility = FacilityFactory(time_zone="Europe/London")
    return [SensorFactory(storage_unit=StorageUnitFactory(facility=facility)) for _ in range(5)]


@pytest.fixture(params=["few", "many"])
def rows_are(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store all batches in the way of few rows, or in that of many."""
    if request.param == "many":
        monkeypatch.setattr(store_module, "FEW_ROWS", 0)


def rows(sensors: list[Sensor], minutes: range) -> list[ReadingRow]:
    return [
        ReadingRow(sensor.storage_unit_id, sensor.pk, START + timedelta(minutes=minute), 5.0)
        for minute in minutes
        for sensor in sensors
    ]


@pytest.mark.usefixtures("rows_are")
def test_the_same_batch_from_four_threads_is_stored_and_upserted_once(sensors: list[Sensor]) -> None:
    batch = rows(sensors, range(60))
    results = together(*[lambda: store(ReadingBatch.of_rows(batch))] * 4)

    assert sorted(result.stored for result in results) == [0, 0, 0, 300]
    assert sum(result.duplicates for result in results) == 900
    assert Reading.objects.count() == 300
    for rollup in (HourlyRollup, DailyRollup):
        assert rollup.objects.aggregate(total=Sum("reading_count"))["total"] == 300


@pytest.mark.usefixtures("rows_are")
def test_overlapping_batches_in_opposite_orders_do_not_deadlock(sensors: list[Sensor]) -> None:
    halves = [rows(sensors, range(40)), rows(sensors[::-1], range(79, 19, -1))]
    for _ in range(5):
        together(*[partial(store, ReadingBatch.of_rows(half)) for half in halves])
    assert Reading.objects.count() == 5 * 80
    assert HourlyRollup.objects.aggregate(total=Sum("reading_count"))["total"] == 5 * 80


def test_concurrent_batches_create_a_missing_partition_once(sensors: list[Sensor]) -> None:
    first, second = (rows(sensors[:1], range(31, 40)), rows(sensors[1:2], range(31, 40)))
    results = together(*[partial(store, ReadingBatch.of_rows(batch)) for batch in (first, second)])
    assert [result.stored for result in results] == [9, 9]
    assert "reading_2031_06" in existing_partitions()


def test_refreshing_while_storing_leaves_correct_roll_ups(sensors: list[Sensor]) -> None:
    batches = [rows(sensors, range(start, start + 20)) for start in range(0, 100, 20)]

    def store_all() -> None:
        for batch in batches:
            store(ReadingBatch.of_rows(batch))

    def refresh_often() -> None:
        for _ in range(20):
            refresh()

    together(store_all, refresh_often)
    refresh()
    weights = HourlyRollup.objects.aggregate(seconds=Sum("weighted_seconds"), covered=Sum("covered_seconds"))
    # 99 minutes up to the last reading, which is valid for the staleness limit of 45.
    assert weights == {"seconds": 5 * 144 * 60.0, "covered": 5 * 144 * 60.0}
