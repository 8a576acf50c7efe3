"""The gaps of a series: exactly the time that its coverage lacks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from customers.models import StorageUnit
from readings.series.downsample import Level, downsample
from readings.statistics.statistics import statistics
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rollups import refresh
from readings.storage.store import store
from readings.time_ranges import TimeRange
from tests.factories import SensorFactory, StorageUnitFactory, store_reading, store_readings

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, tzinfo=UTC)
LATER = START + timedelta(days=1_500)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def gaps_in(unit: StorageUnit, time_range: TimeRange, *, now: datetime = LATER) -> list[tuple[timedelta, timedelta]]:
    """Return the gaps as offsets from START."""
    return [(gap.start - START, gap.end - START) for gap in downsample(unit, time_range, now=now).gaps()]


def test_a_gap_begins_when_the_last_reading_goes_stale() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=1800)
    store_readings(unit, [4.0, 5.0], start=START, every=30 * MINUTE)
    store_reading(unit, 6.0, START + 61 * MINUTE)

    assert gaps_in(unit, TimeRange(START, START + 75 * MINUTE)) == [(60 * MINUTE, 61 * MINUTE)]


def test_silence_is_a_gap_up_to_now() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=1800)
    store_reading(unit, 4.0, START)

    assert gaps_in(unit, TimeRange(START, START + DAY), now=START + 2 * HOUR) == [(30 * MINUTE, 2 * HOUR)]
    assert gaps_in(unit, TimeRange(START, START + DAY), now=START + 20 * MINUTE) == []


def test_silence_before_the_first_reading_is_a_gap_unless_an_earlier_one_is_still_valid() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=3600)
    store_readings(unit, [4.0] * 3, start=START, every=4 * HOUR)

    assert gaps_in(unit, TimeRange(START - HOUR, START + HOUR)) == [(-HOUR, timedelta())]
    assert gaps_in(unit, TimeRange(START + 30 * MINUTE, START + 4 * HOUR)) == [(HOUR, 4 * HOUR)]


def test_a_gap_within_a_point_is_reported_and_breaks_no_line() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=900)
    store_readings(unit, [4.0] * 10, start=START)
    store_readings(unit, [4.0] * 10, start=START + 4 * HOUR)

    series = downsample(unit, TimeRange(START, START + 6 * HOUR + 30 * MINUTE), max_points=1, now=LATER)

    assert series.gaps() == [TimeRange(START + 150 * MINUTE, START + 4 * HOUR)]
    assert (len(series), series.breaks()) == (1, [])


def test_a_fault_begins_a_gap_unless_another_sensor_measures() -> None:
    unit = StorageUnitFactory(gap_limit_seconds=3600)
    first, second = SensorFactory.create_batch(2, storage_unit=unit)
    store_readings(unit, [4.0, None, 4.0], start=START, every=20 * MINUTE, sensor=first)
    assert gaps_in(unit, TimeRange(START, START + HOUR)) == [(20 * MINUTE, 40 * MINUTE)]

    store_reading(unit, 4.0, START + 30 * MINUTE, sensor=second)
    assert gaps_in(unit, TimeRange(START, START + HOUR)) == [(20 * MINUTE, 30 * MINUTE)]


@pytest.mark.parametrize(("days", "level"), [(3, Level.READINGS), (90, Level.HOURS), (450, Level.DAYS)])
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_the_gaps_are_what_the_coverage_lacks_refreshed_or_not(days: int, level: Level, zone: str) -> None:
    seeded = random.Random(days)
    unit = StorageUnitFactory(facility__time_zone=zone, gap_limit_seconds=5 * 3600)
    sensors = SensorFactory.create_batch(2, storage_unit=unit)
    rows = []
    for day in range(days):
        for sensor in sensors:
            count = seeded.choice([0, 0, 6, 8, 9])
            values = [seeded.choice([4.0, 4.0, 4.0, None]) for _ in range(count)]
            start = START + day * DAY + seeded.random() * 3 * HOUR
            rows += [ReadingRow(unit.pk, sensor.pk, start + n * 160 * MINUTE, each) for n, each in enumerate(values)]
    store(ReadingBatch.of_rows(rows))
    # Otherwise what the tests before have left decides how PostgreSQL reads a year of rows.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reading, hourly_rollup, daily_rollup")
    time_range = TimeRange(START + 5 * HOUR + 7 * MINUTE, START + days * DAY + 100 * MINUTE)
    seconds = (time_range.end - time_range.start).total_seconds()

    found = []
    for is_refreshed in (False, True):
        if is_refreshed:
            refresh()
        series = downsample(unit, time_range, now=LATER)
        covered_seconds = statistics([unit.pk], time_range.start, time_range.end, now=LATER).covered_seconds
        uncovered = sum((gap.end - gap.start for gap in series.gaps()), timedelta()).total_seconds()
        assert series.level == level
        assert uncovered == pytest.approx(seconds - covered_seconds, rel=1e-9)
        found.append(series.gaps())

    assert len(found[0]) > days // 2
    assert found[0] == found[1]


def test_beyond_the_limit_of_readings_hours_without_measurements_are_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unit = StorageUnitFactory(gap_limit_seconds=600, interval_seconds=600)
    store_readings(unit, [4.0, None, 4.0], start=START, every=HOUR)
    refresh()
    monkeypatch.setattr("readings.series.gaps.MAX_READINGS", 2)

    assert gaps_in(unit, TimeRange(START, START + 4 * HOUR)) == [(HOUR, 2 * HOUR), (3 * HOUR, 4 * HOUR)]
