"""The course of a temperature, cut to what a chart can show."""

from datetime import UTC, datetime, timedelta

import pytest

from readings.series import MAX_POINTS, gaps, newest_readings, points, series
from tests.factories import SensorFactory, StorageUnitFactory, store_reading, store_readings

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_single_reading_stands_at_its_own_time():
    unit = StorageUnitFactory()
    store_reading(unit, 4.25, START + timedelta(minutes=7, seconds=11))
    [point] = points(unit.pk, START, START + DAY)
    assert (point.middle_at, point.min_c, point.mean_c, point.max_c) == (
        START + timedelta(minutes=7, seconds=11), 4.25, 4.25, 4.25,
    )  # fmt: skip


def test_a_dense_course_is_cut_to_lowest_mean_and_highest():
    unit = StorageUnitFactory(interval_seconds=10)
    store_readings(unit, [1.0, 2.0, 6.0] * 2_880, start=START, every=timedelta(seconds=10))
    course = points(unit.pk, START, START + DAY)
    assert len(course) <= MAX_POINTS
    assert min(point.min_c for point in course) == 1.0
    assert max(point.max_c for point in course) == 6.0
    assert sum(point.mean_c for point in course) / len(course) == pytest.approx(3.0, abs=0.05)


def test_the_end_is_not_part_of_the_span():
    unit = StorageUnitFactory()
    store_readings(unit, [1.0, 2.0], start=START, every=DAY)
    assert [point.mean_c for point in points(unit.pk, START, START + DAY)] == [1.0]


def test_a_fault_is_a_point_without_a_temperature():
    unit = StorageUnitFactory()
    store_readings(unit, [4.0, None, 5.0], start=START)
    assert [point.mean_c for point in points(unit.pk, START, START + DAY)] == [4.0, None, 5.0]


def test_readings_further_apart_than_the_gap_limit_leave_a_gap():
    unit = StorageUnitFactory(gap_limit_seconds=1800)
    store_readings(unit, [4.0, 5.0], start=START, every=timedelta(minutes=30))
    store_reading(unit, 6.0, START + timedelta(minutes=61))
    course = points(unit.pk, START, START + DAY)
    assert gaps(course, timedelta(minutes=30)) == [(START + timedelta(minutes=30), START + timedelta(minutes=61))]


def test_the_series_is_on_the_units_scale_and_names_the_facilitys_zone():
    unit = StorageUnitFactory(temperature_unit="F", set_temperature=40.0, facility__time_zone="Asia/Kolkata")
    store_reading(unit, 5.0, START)
    assert series(unit, START, START + DAY) == {
        "scale": "°F",
        "time_zone": "Asia/Kolkata",
        "set_temperature": 40.0,
        "start": 1_795_392_000_000,
        "end": 1_795_478_400_000,
        "times": [1_795_392_000_000],
        "min": [41.0],
        "mean": [41.0],
        "max": [41.0],
        "gaps": [],
    }


def test_the_newest_readings_come_newest_first_with_their_sensors(django_assert_num_queries):
    unit = StorageUnitFactory()
    second = SensorFactory(storage_unit=unit)
    store_readings(unit, [1.0, 2.0, 3.0], start=START)
    store_readings(unit, [4.0], start=START, sensor=second)
    with django_assert_num_queries(1):
        listed = [(reading.temperature_c, str(reading.sensor)) for reading in newest_readings(unit, 3)]
    assert [temperature for temperature, _ in listed] == [3.0, 2.0, listed[2][0]]
