"""A day is what lies between its boundaries, also where clocks go back past midnight or repeat it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from core.scope import Scope
from customers.models import Sensor
from readings.models import DailyRollup, Reading
from readings.statistics.aggregates import GroupBy, Grouping, aggregate
from readings.statistics.statistics import statistics
from readings.statistics.totals import Bucket, Key, RequestedUnit, totals_by_key
from readings.storage.local_days import day_of, day_of_sql, start_of_day, start_of_day_sql
from readings.storage.measures import Totals
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rollups import recount, refresh
from readings.storage.store import store
from readings.storage.tests.reference import ReferenceSeries
from readings.time_ranges import DAY, TimeRange
from readings.units.unit_refs import visible_unit_refs
from tests.factories import SensorFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

QUARTER = timedelta(minutes=15)
MEASURES = ("reading_count", "min_c", "max_c", "sum_ninth_micro_c", "weighted_seconds", "weighted_arrhenius")
# The local date that begins when clocks have just shown midnight, and the transition around it.
CHANGES = [
    pytest.param(("America/St_Johns", date(2010, 11, 7), 25), id="00:01 becomes 23:01"),
    pytest.param(("America/Goose_Bay", date(2010, 11, 7), 25), id="00:01 becomes 23:01 in Goose Bay"),
    pytest.param(("America/Moncton", date(2006, 10, 29), 25), id="00:01 becomes 23:01 in Moncton"),
    pytest.param(("Antarctica/Casey", date(2010, 3, 5), 27), id="02:00 becomes 23:00"),
    pytest.param(("America/Havana", date(2026, 11, 1), 25), id="01:00 becomes 00:00"),
    pytest.param(("Atlantic/Azores", date(2026, 10, 25), 25), id="01:00 becomes 00:00 in the Azores"),
    pytest.param(("Asia/Beirut", date(2026, 10, 25), 24), id="00:00 becomes 23:00 of the day before"),
    pytest.param(("America/Havana", date(2026, 3, 8), 23), id="midnight is skipped"),
    pytest.param(("Asia/Kathmandu", date(2026, 11, 1), 24), id="nothing happens"),
]


@pytest.fixture(params=CHANGES)
def change(request: pytest.FixtureRequest) -> tuple[Sensor, ZoneInfo, date, int]:
    """Return a sensor with a reading every seven minutes around a change of the clocks, and the day's length."""
    zone, day, hours = request.param
    sensor = SensorFactory(storage_unit__facility__time_zone=zone, storage_unit__interval_seconds=600)
    start = start_of_day(day - 2 * DAY, ZoneInfo(zone))
    rows = [
        ReadingRow(sensor.storage_unit_id, sensor.pk, start + timedelta(minutes=7 * n), 4.0 + n % 13)
        for n in range(5 * 24 * 60 // 7)
    ]
    store(ReadingBatch.of_rows(rows))
    return sensor, ZoneInfo(zone), day, hours


def reference(sensor: Sensor) -> ReferenceSeries:
    readings = Reading.objects.filter(sensor=sensor).values_list("sensor_id", "recorded_at", "temperature_c")
    return ReferenceSeries([ReadingRow(sensor.storage_unit_id, *row) for row in readings], timedelta(minutes=30))


def days_around(day: date, zone: ZoneInfo) -> list[tuple[date, datetime, datetime]]:
    days = [day + n * DAY for n in (-1, 0, 1)]
    return [(each, start_of_day(each, zone), start_of_day(each + DAY, zone)) for each in days]


def test_a_day_begins_at_its_first_midnight_and_ends_where_the_next_one_begins(
    change: tuple[Sensor, ZoneInfo, date, int],
) -> None:
    _, zone, day, hours = change

    begins, ends = start_of_day(day, zone), start_of_day(day + DAY, zone)

    assert ends - begins == timedelta(hours=hours)
    assert begins.astimezone(zone).date() == day
    assert (begins - timedelta(microseconds=1)).astimezone(zone).date() == day - DAY
    assert (day_of(begins, zone), day_of(ends - timedelta(microseconds=1), zone), day_of(ends, zone)) == (
        day,
        day,
        day + DAY,
    )


def test_postgresql_and_python_agree_on_every_quarter_of_an_hour(change: tuple[Sensor, ZoneInfo, date, int]) -> None:
    _, zone, day, _ = change
    first = start_of_day(day - DAY, zone)
    quarters = [first + n * QUARTER for n in range(4 * 72)]

    with connection.cursor() as cursor:
        day_at = day_of_sql("instant", "zone")
        columns = f"{day_at}, {start_of_day_sql(day_at, 'zone')}"
        cursor.execute(f"SELECT {columns} FROM unnest(%s) AS instant, (SELECT %s AS zone) AS z", [quarters, zone.key])  # noqa: S608
        found = cursor.fetchall()

    assert found == [(day_of(each, zone), start_of_day(day_of(each, zone), zone)) for each in quarters]


def test_a_daily_rollup_holds_the_same_day_before_and_after_its_refresh(
    change: tuple[Sensor, ZoneInfo, date, int],
) -> None:
    sensor, zone, day, _ = change
    readings = reference(sensor)
    expected = {each: readings.within(begins, ends) for each, begins, ends in days_around(day, zone)}

    counts = dict(DailyRollup.objects.filter(local_date__in=expected).values_list("local_date", "reading_count"))
    refresh()
    refreshed = DailyRollup.objects.filter(local_date__in=expected).values("local_date", "covered_seconds", *MEASURES)

    assert counts == {each: measures["reading_count"] for each, measures in expected.items()}
    for found in refreshed:
        measures = expected[found.pop("local_date")]
        assert found == pytest.approx({name: measures[name] for name in found}, rel=1e-9)


@pytest.mark.parametrize("is_refreshed", [False, True])
def test_statistics_and_groups_are_those_of_the_days(
    change: tuple[Sensor, ZoneInfo, date, int], is_refreshed: bool
) -> None:
    sensor, zone, day, _ = change
    if is_refreshed:
        refresh()
    days = days_around(day, zone)
    # From within the first day, so that days are cut at their ends as well.
    time_range = TimeRange(days[0][1] + timedelta(hours=5, minutes=11), days[-1][2])
    requested = [RequestedUnit(sensor.storage_unit_id, zone, 0)]

    by_day = totals_by_key(requested, time_range, bucket=Bucket.DAY)
    single = {
        each: statistics([sensor.storage_unit_id], max(begins, time_range.start), ends) for each, begins, ends in days
    }

    for each, begins, ends in days:
        expected = reference(sensor).within(max(begins, time_range.start), ends)
        assert measures_of(by_day[Key(0, None, each)]) == pytest.approx(measures_of(expected), rel=1e-9)
        assert measures_of(single[each]) == pytest.approx(measures_of(expected), rel=1e-9)


def measures_of(of: Totals | dict[str, float | None]) -> dict[str, float | None]:
    return {name: of[name] if isinstance(of, dict) else getattr(of, name) for name in MEASURES}


def test_groups_by_day_begin_with_the_days(change: tuple[Sensor, ZoneInfo, date, int]) -> None:
    sensor, zone, day, _ = change
    days = days_around(day, zone)
    units = visible_unit_refs(Scope.everything(), pk=sensor.storage_unit_id)

    groups = aggregate(units, TimeRange(days[0][1], days[-1][2]), Grouping(frozenset({GroupBy.DAY})))

    assert [(each.day and each.day.astimezone(UTC), each.totals.reading_count) for each in groups] == [
        (begins, reference(sensor).within(begins, ends)["reading_count"]) for _, begins, ends in days
    ]


def test_recounting_a_changed_reading_recounts_its_day(change: tuple[Sensor, ZoneInfo, date, int]) -> None:
    sensor, zone, day, _ = change
    refresh()
    before = list(DailyRollup.objects.order_by("local_date").values("local_date", *MEASURES))
    last = Reading.objects.filter(sensor=sensor, recorded_at__lt=start_of_day(day + DAY, zone)).latest("recorded_at")

    for instant in (start_of_day(day, zone) + timedelta(minutes=20), last.recorded_at):
        recount(sensor.storage_unit, sensor.pk, instant)
    refresh()

    assert list(DailyRollup.objects.order_by("local_date").values("local_date", *MEASURES)) == before
