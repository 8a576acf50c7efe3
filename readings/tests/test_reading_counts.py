"""Counts of earlier weeks: the total of a list is what is stored, whatever has been counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from core.db.prepared import Parameters
from core.scope import Scope
from customers.models import Sensor, StorageUnit
from readings.lists.filters import ReadingFilter
from readings.lists.queries import COUNT_OF_DAYS, Listing
from readings.models import Reading, ReadingCount
from readings.reading_counts import LEAST_AGE_DAYS, WATCHED_AGE_DAYS, count_readings
from readings.storage.reading_batch import ReadingBatch
from readings.storage.rollups import rebuild, recount
from readings.storage.store import store
from readings.tasks import count_earlier_readings
from readings.units.unit_refs import visible_unit_refs
from tests.api_clients import client_of
from tests.factories import SensorFactory, StorageUnitFactory, store_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

DAY = timedelta(days=1)


def noon(days_ago: int) -> datetime:
    return timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - days_ago * DAY


@pytest.fixture
def unit() -> StorageUnit:
    """Return a unit with a reading a day of the last hundred days, which have been counted."""
    unit = StorageUnitFactory()
    store_readings(unit, [5.0] * 100, start=noon(100), every=DAY)
    count_earlier_readings()
    return unit


def total() -> int:
    return Listing(visible_unit_refs(Scope.everything()), ReadingFilter()).count().total


def counts() -> list[int]:
    return list(ReadingCount.objects.order_by("pk").values_list("reading_count", flat=True))


def test_the_readings_of_earlier_weeks_are_counted(unit: StorageUnit) -> None:
    (count,) = ReadingCount.objects.all()
    two_weeks_ago = noon(LEAST_AGE_DAYS).date()
    assert count.before == two_weeks_ago - two_weeks_ago.weekday() * DAY
    assert count.reading_count == Reading.objects.filter(recorded_at__date__lt=count.before).count() > 0
    assert total() == 100


def test_days_that_are_counted_are_not_read_again(unit: StorageUnit) -> None:
    with connection.cursor() as cursor:
        # The few days of a test are read as fast without the index.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"PREPARE days AS {COUNT_OF_DAYS._text}")
        requested: Parameters = {"unit_ids": [unit.pk], "yesterday": noon(1).date()}
        cursor.execute(f"EXPLAIN ANALYZE EXECUTE days{COUNT_OF_DAYS._arguments}", requested)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    (rows,) = re.findall(r"Scan.* on daily_rollup .*actual .*rows=(\d+)", plan)
    since = (noon(0).date() - ReadingCount.objects.get().before).days
    assert int(rows) <= since + 2
    assert "Rows Removed by Filter" not in plan


def test_the_count_of_a_customer_does_not_read_them_again(unit: StorageUnit) -> None:
    ReadingCount.objects.update(reading_count=F("reading_count") + 1_000)
    assert client_of(unit.facility.customer).get("/api/v1/customers/profile").json()["active_readings_count"] == 1_100


def test_a_new_week_adds_to_what_was_counted(unit: StorageUnit) -> None:
    (count,) = ReadingCount.objects.all()
    earlier = count.before - 7 * DAY
    own = Reading.objects.filter(recorded_at__date__gte=earlier, recorded_at__date__lt=count.before).count()
    ReadingCount.objects.update(before=earlier, reading_count=1_000_000)
    assert count_readings() == 1
    assert counts() == [1_000_000 + own]
    assert count_readings() == 0


def add_late_reading(unit: StorageUnit) -> None:
    store_readings(unit, [5.0], start=noon(90) + timedelta(minutes=1))


def delete_reading(unit: StorageUnit) -> None:
    reading = Reading.objects.get(recorded_at=noon(90))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM reading WHERE recorded_at = %s", [reading.recorded_at])
    recount(unit, reading.sensor_id, reading.recorded_at)


def delete_days(unit: StorageUnit) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM daily_rollup WHERE local_date <= %s", [noon(90).date()])


@pytest.mark.parametrize("change", [add_late_reading, delete_reading, delete_days, lambda unit: rebuild([unit.pk])])
def test_a_change_of_a_day_that_is_counted_deletes_the_count(
    unit: StorageUnit, change: Callable[[StorageUnit], None]
) -> None:
    other = StorageUnitFactory()
    count_readings()
    change(unit)
    assert list(ReadingCount.objects.values_list("pk", flat=True)) == [other.pk]


def test_a_reading_of_a_day_that_is_not_counted_leaves_the_count(unit: StorageUnit) -> None:
    store_readings(unit, [5.0], start=noon(WATCHED_AGE_DAYS - 1) + timedelta(minutes=1))
    assert len(counts()) == 1
    assert total() == 101


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 150)) | st.sampled_from(["count", "rebuild"]),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=40)
def test_the_total_is_what_is_stored(steps: list[tuple[int, int] | str]) -> None:
    with transaction.atomic():
        sensors = [SensorFactory(), SensorFactory(storage_unit__facility__time_zone="Asia/Kolkata")]
        sensors.append(SensorFactory(storage_unit=sensors[0].storage_unit))
        for step in steps:
            take(step, sensors)
            assert total() == Reading.objects.count()
        transaction.set_rollback(True)


def take(step: tuple[int, int] | str, sensors: list[Sensor]) -> None:
    if step == "count":
        count_readings()
    elif step == "rebuild":
        rebuild([sensors[0].storage_unit_id])
    elif isinstance(step, tuple):
        sensor = sensors[step[0]]
        store(ReadingBatch.of_rows([(sensor.storage_unit_id, sensor.pk, noon(step[1]), 5.0)]))


@pytest.mark.django_db(transaction=True)
def test_a_unit_that_is_being_stored_to_is_left_to_the_next_run() -> None:
    busy, idle = StorageUnitFactory(), StorageUnitFactory()
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        store_readings(busy, [5.0], start=noon(90))
        pool.submit(count_readings_and_disconnect).result(timeout=60)
        assert list(ReadingCount.objects.values_list("pk", flat=True)) == [idle.pk]
    assert count_readings() == 1
    assert total() == 1


def count_readings_and_disconnect() -> None:
    try:
        count_readings()
    finally:
        connection.close()
