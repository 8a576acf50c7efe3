"""Downsampled series over any range, from readings, hours or days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import StorageUnit
from readings.series.downsample import MAX_POINTS, MAX_RAW_READINGS, DownsampledSeries, Level, downsample
from readings.series.tests.points import points_of
from readings.time_ranges import TimeRange
from tests.factories import StorageUnitFactory, store_reading, store_readings

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def series_in(unit: StorageUnit, days: int = 1, start: datetime = START) -> DownsampledSeries:
    time_range = TimeRange(start, start + days * DAY)
    return downsample(unit, time_range)


def test_a_single_reading_is_drawn_at_its_own_time() -> None:
    unit = StorageUnitFactory()
    store_reading(unit, 4.25, START + timedelta(minutes=7, seconds=11))
    series = series_in(unit)
    [point] = points_of(series)
    assert series.level is Level.READINGS
    assert (point.middle_at, point.min_c, point.average_c, point.max_c) == (
        START + timedelta(minutes=7, seconds=11), 4.25, 4.25, 4.25,
    )  # fmt: skip


def test_a_dense_series_is_reduced_to_lowest_mean_and_highest() -> None:
    unit = StorageUnitFactory(interval_seconds=10)
    store_readings(unit, [1.0, 2.0, 6.0] * 2_880, start=START, every=timedelta(seconds=10))
    series = series_in(unit)
    assert len(series) <= MAX_POINTS
    assert min(point.min_c for point in points_of(series) if point.min_c is not None) == 1.0
    assert max(point.max_c for point in points_of(series) if point.max_c is not None) == 6.0
    assert sum(point.average_c or 0.0 for point in points_of(series)) / len(series) == pytest.approx(3.0, abs=0.05)
    assert sum(point.reading_count for point in points_of(series)) == 8_640


def test_the_end_is_not_part_of_the_range() -> None:
    unit = StorageUnitFactory()
    store_readings(unit, [1.0, 2.0], start=START, every=DAY)
    assert [point.average_c for point in points_of(series_in(unit))] == [1.0]


def test_a_fault_is_a_point_without_a_temperature() -> None:
    unit = StorageUnitFactory()
    store_readings(unit, [4.0, None, 5.0], start=START)
    series = series_in(unit)
    assert [(point.average_c, point.fault_count) for point in points_of(series)] == [(4.0, 0), (None, 1), (5.0, 0)]


def test_a_long_range_is_made_from_hours() -> None:
    unit = StorageUnitFactory(interval_seconds=60)
    store_readings(unit, [4.0, 5.0, None, 9.0], start=START + timedelta(minutes=20), every=timedelta(minutes=10))
    store_reading(unit, 1.0, START + 5 * HOUR)
    series = series_in(unit, days=42)
    assert series.level is Level.HOURS
    assert [(point.min_c, point.average_c, point.max_c, point.fault_count) for point in points_of(series)] == [
        (4.0, 6.0, 9.0, 1),
        (1.0, 1.0, 1.0, 0),
    ]
    # No line crosses the silence between two points.
    assert series.breaks() == [TimeRange(START + HOUR, START + 5 * HOUR)]


def test_years_are_made_from_the_facilitys_days() -> None:
    unit = StorageUnitFactory(facility__time_zone="Europe/London")
    store_readings(unit, [4.0, 6.0], start=START - 2 * HOUR, every=HOUR)
    store_reading(unit, 8.0, START - 400 * DAY)
    series = series_in(unit, days=500, start=START - 499 * DAY)
    assert series.level is Level.DAYS
    assert [(point.min_c, point.average_c, point.max_c) for point in points_of(series)] == [
        (8.0, 8.0, 8.0),
        (4.0, 5.0, 6.0),
    ]
    assert points_of(series)[-1].first_at == START - DAY
    assert points_of(series)[-1].last_at == START


@pytest.mark.parametrize("days", [1, 100, 800])
@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kolkata"])
def test_a_series_consists_of_the_readings_of_its_range_whatever_its_level(days: int, zone: str) -> None:
    unit = StorageUnitFactory(facility__time_zone=zone, interval_seconds=60)
    start = datetime(2024, 1, 15, 10, 40, tzinfo=UTC)
    time_range = TimeRange(start, start + days * DAY + timedelta(hours=5, minutes=37))
    # Just outside at both ends, where the hour and the day of the range have begun or go on.
    for outside in (start - timedelta(minutes=1), start - HOUR, time_range.end, time_range.end + HOUR):
        store_reading(unit, 99.0, outside)
    inside = [start, start + timedelta(minutes=25), start + 2 * HOUR, start + 15 * HOUR]
    inside += [time_range.end - timedelta(seconds=seconds) for seconds in (1, 3_000, 30_000)]
    for number, instant in enumerate(inside):
        store_reading(unit, float(number), instant)

    for max_points in (1, 2, 1_000):
        points = points_of(downsample(unit, time_range, max_points=max_points))

        assert len(points) <= max_points
        assert sum(point.reading_count for point in points) == len(inside)
        assert max(point.max_c for point in points if point.max_c is not None) == 6.0
        assert sum((point.average_c or 0.0) * point.reading_count for point in points) == pytest.approx(sum(range(7)))
        assert all(start <= point.first_at <= point.last_at <= time_range.end for point in points)


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (1, Level.READINGS),
        (2, Level.READINGS),
        (41, Level.READINGS),
        (42, Level.HOURS),
        (200, Level.HOURS),
        (201, Level.DAYS),
        (9000, Level.DAYS),
    ],
)
def test_few_readings_are_read_of_weeks_hours_of_months_and_days_of_more(days: int, level: Level) -> None:
    unit = StorageUnitFactory(facility__time_zone="Europe/London")
    start = START + timedelta(minutes=17)
    store_reading(unit, 5.0, start)
    series = downsample(unit, TimeRange(start, start + days * DAY))
    assert (series.level, [point.average_c for point in points_of(series)]) == (level, [5.0])


@pytest.mark.parametrize(("days", "level"), [(2, Level.READINGS), (3, Level.HOURS), (30, Level.HOURS)])
def test_the_readings_are_counted_because_a_unit_may_send_more_than_expected(days: int, level: Level) -> None:
    unit = StorageUnitFactory(interval_seconds=900)
    count = MAX_RAW_READINGS + 1
    store_readings(unit, [5.0] * count, start=START, every=timedelta(seconds=8))
    series = series_in(unit, days=days)
    assert series.level is level
    assert len(series) <= MAX_POINTS
    assert sum(point.reading_count for point in points_of(series)) == count


def test_five_years_of_days_are_at_most_a_thousand_points() -> None:
    unit = StorageUnitFactory()
    store_readings(unit, [5.0] * 1_830, start=START, every=DAY)
    series = series_in(unit, days=1_826)
    assert series.level is Level.DAYS
    assert 900 <= len(series) <= MAX_POINTS
    assert sum(point.reading_count for point in points_of(series)) == 1_826


def test_half_a_year_of_hours_is_at_most_a_thousand_points() -> None:
    unit = StorageUnitFactory(interval_seconds=60)
    store_readings(unit, [5.0] * 24 * 182, start=START, every=HOUR)
    series = series_in(unit, days=182)
    assert series.level is Level.HOURS
    assert 800 <= len(series) <= MAX_POINTS
    assert sum(point.reading_count for point in points_of(series)) == 24 * 182


def test_a_series_begins_and_ends_with_the_requested_range_whatever_its_level() -> None:
    unit = StorageUnitFactory(interval_seconds=60, facility__time_zone="America/New_York")
    store_readings(unit, [5.0] * 24 * 900, start=START - 450 * DAY, every=HOUR)
    for days, edge in ((1, HOUR), (100, HOUR), (800, DAY)):
        points = points_of(series_in(unit, days=days, start=START - 400 * DAY))
        assert START - 400 * DAY <= points[0].first_at <= START - 400 * DAY + edge
        assert points == sorted(points)


@pytest.mark.parametrize("days", [1, 30, 500])
def test_a_series_of_nothing_has_no_points_and_is_one_gap(days: int) -> None:
    series = series_in(StorageUnitFactory(interval_seconds=60), days=days, start=START - 500 * DAY)
    assert (len(series), points_of(series), series.breaks()) == (0, [], [])
    assert series.gaps() == [TimeRange(START - 500 * DAY, START + (days - 500) * DAY)]


def test_hours_of_whole_days_are_not_read_for_a_series_of_days() -> None:
    unit = StorageUnitFactory()
    store_readings(unit, [5.0] * 3_000, start=START - 3_000 * HOUR, every=HOUR)
    for new in StorageUnitFactory.create_batch(100):  # so that PostgreSQL expects few hours of a unit
        store_reading(new, 5.0, START)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE hourly_rollup")
    with CaptureQueriesContext(connection) as queries:
        series = downsample(unit, TimeRange(START - 250 * DAY - HOUR, START - HOUR))
    assert series.level is Level.DAYS
    plan = "\n".join(plan_of(queries[0]["sql"]))
    assert "(hour >= piece.first) AND (hour < piece.until)" in plan
    assert "Join Filter" not in plan


def plan_of(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return [line for (line,) in cursor.fetchall()]
