"""Roll-ups and statistics come out the same, and right, for any order, splitting and repetition of the readings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models.expressions import RawSQL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from pytest_django import DjangoAssertNumQueries

from core.scope import ScopedQuerySet
from customers.models import StorageUnit
from readings.models import DailyRollup, HourlyRollup, LatestReading, Reading, Rollup
from readings.statistics.statistics import statistics, totals_by_unit
from readings.storage import rollups
from readings.storage.local_days import start_of_day
from readings.storage.measures import Totals
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rollups import rebuild, recount, refresh
from readings.storage.store import store
from readings.storage.tests.reference import ReferenceSeries
from readings.time_ranges import DAY, TimeRange
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory, store_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

LATER = datetime(2027, 1, 1, tzinfo=UTC)
# Around the end of summer time in Europe, the beginning of a month and a half-hour zone's midnight.
BEGIN = datetime(2026, 10, 24, 20, tzinfo=UTC)
MEASURES = [
    "reading_count",
    "fault_count",
    "min_c",
    "max_c",
    "sum_ninth_micro_c",
    "weighted_seconds",
    "weighted_sum_c",
    "weighted_arrhenius",
    "covered_seconds",
]

# Readings by offset from BEGIN, number of the sensor, and temperature.
Batch = list[tuple[timedelta, int, float | None]]
# The rows of several tables.
Tables = list[list[dict[str, object]]]
Result = TypeVar("Result")

temperatures = st.one_of(st.none(), st.integers(-9000, 4000).map(lambda hundredths: hundredths / 100))
offsets = st.integers(0, 40 * 3600 * 4).map(lambda quarters: timedelta(seconds=quarters / 4))


def test_a_rollup_has_a_column_for_each_measure() -> None:
    columns = {column.name for column in Rollup._meta.fields}
    assert columns - {"is_settled"} == {measure.name for measure in fields(Totals)}


@st.composite
def deliveries(draw: DrawFn) -> tuple[Batch, list[Batch]]:
    """Draw readings of two sensors by offset, and batches of them: shuffled, split at random, some repeated."""
    readings = draw(st.dictionaries(st.tuples(offsets, st.integers(0, 1)), temperatures, min_size=1, max_size=40))
    rows = [(offset, sensor, temperature_c) for (offset, sensor), temperature_c in readings.items()]
    order = draw(st.permutations(rows)) + draw(st.lists(st.sampled_from(rows), max_size=10))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    bounds = [0, *cuts, len(order)]
    return rows, [order[a:b] for a, b in itertools.pairwise(bounds)]


@pytest.fixture(params=["Europe/London", "Asia/Kolkata", "UTC"])
def unit(request: pytest.FixtureRequest) -> StorageUnit:
    unit = StorageUnitFactory(facility__time_zone=request.param, interval_seconds=1200)
    SensorFactory.create_batch(2, storage_unit=unit)
    return unit


def rows_of(unit: StorageUnit, batch: Batch) -> list[ReadingRow]:
    sensors = sorted(unit.sensors.values_list("pk", flat=True))
    return [
        ReadingRow(unit.pk, sensors[sensor], BEGIN + offset, temperature_c) for offset, sensor, temperature_c in batch
    ]


def everything() -> Tables:
    """All that is stored, but for the instants at which it was."""
    return [
        list(model.objects.order_by("pk").values(*names))
        for model, names in (
            (Reading, ["pk", "temperature_c", "scale", "quality_score", "equipment_status_id"]),
            (LatestReading, ["pk", "sensor_id", "recorded_at", "temperature_c"]),
            (HourlyRollup, ["pk", "is_settled", *MEASURES]),
            (DailyRollup, ["pk", "is_settled", *MEASURES]),
        )
    ]


def store_all(unit: StorageUnit, batches: list[Batch], *, refresh_between: bool = False) -> None:
    for batch in batches:
        store(ReadingBatch.of_rows(rows_of(unit, batch)))
        if refresh_between:
            refresh()
    refresh()


def undone(work: Callable[[], Result]) -> Result:
    """Return the result of `work`, rolling back what it did to the database."""
    with transaction.atomic():
        result = work()
        transaction.set_rollback(True)
    return result


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivered=deliveries())
def test_any_order_splitting_and_repetition_gives_the_same(
    unit: StorageUnit, delivered: tuple[Batch, list[Batch]]
) -> None:
    rows, batches = delivered

    def outcome(batches: list[Batch], **kwargs: bool) -> tuple[object, ...]:
        store_all(unit, batches, **kwargs)
        return everything(), statistics([unit.pk], BEGIN + timedelta(minutes=7), BEGIN + 2 * DAY, now=LATER)

    in_order = undone(lambda: outcome([sorted(rows)]))
    assert undone(lambda: outcome(batches)) == in_order
    assert undone(lambda: outcome(batches, refresh_between=True)) == in_order


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivered=deliveries(), start=offsets, length=offsets, is_settled=st.booleans())
def test_statistics_of_any_period_are_exact_refreshed_or_not(
    unit: StorageUnit, delivered: tuple[Batch, list[Batch]], start: timedelta, length: timedelta, is_settled: bool
) -> None:
    rows, batches = delivered
    begin, end = BEGIN + start, BEGIN + start + length
    expected = ReferenceSeries(rows_of(unit, rows), timedelta(hours=1)).within(begin, end)

    def outcome() -> Totals:
        for batch in batches:
            store(ReadingBatch.of_rows(rows_of(unit, batch)))
        if is_settled:
            refresh()
        return totals_by_unit([unit.pk], TimeRange(begin, end))[unit.pk]

    totals = undone(outcome)
    for measure in MEASURES:
        # exp(−10000/T) is tiny: only its relative error says anything.
        least = 0 if measure == "weighted_arrhenius" else 1e-6
        wanted = expected[measure] and pytest.approx(expected[measure], rel=1e-9, abs=least)
        assert getattr(totals, measure) == wanted, measure


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivered=deliveries())
def test_rebuilding_gives_the_same_as_storing(unit: StorageUnit, delivered: tuple[Batch, list[Batch]]) -> None:
    _, batches = delivered

    def outcome() -> tuple[Tables, Tables]:
        store_all(unit, batches)
        before = everything()
        rebuild([unit.pk])
        refresh()
        return before, everything()

    before, after = undone(outcome)
    assert after == before


def test_each_refreshed_hour_and_day_equals_the_sums_of_its_readings(unit: StorageUnit) -> None:
    batch: Batch = [(timedelta(minutes=13 * n), n % 2, n % 7 if n % 11 else None) for n in range(200)]
    store_all(unit, [batch[::-1]])
    reference = ReferenceSeries(rows_of(unit, batch), timedelta(hours=1))
    zone = ZoneInfo(unit.facility.time_zone)
    for hour in HourlyRollup.objects.values_list("hour", flat=True).distinct():
        assert_sums(HourlyRollup.objects.filter(hour=hour), reference.within(hour, hour + timedelta(hours=1)))
    for day in DailyRollup.objects.values_list("local_date", flat=True).distinct():
        assert_sums(
            DailyRollup.objects.filter(local_date=day),
            reference.within(start_of_day(day, zone), start_of_day(day + DAY, zone)),
        )


def assert_sums(rollups: ScopedQuerySet, expected: dict[str, float | None]) -> None:
    for measure in ("reading_count", "fault_count", "sum_ninth_micro_c", "weighted_seconds", "covered_seconds"):
        assert sum(rollups.values_list(measure, flat=True)) == pytest.approx(expected[measure]), measure
    assert all(rollups.values_list("is_settled", flat=True))


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_days_of_23_and_25_hours_are_correct(day: date, hours: int) -> None:
    london = ZoneInfo("Europe/London")
    sensor = SensorFactory(storage_unit__facility__time_zone="Europe/London", storage_unit__interval_seconds=600)
    first = start_of_day(day, london)
    rows = [
        ReadingRow(sensor.storage_unit_id, sensor.pk, first + timedelta(minutes=10 * n), 5.0 if n >= 0 else 9.0)
        for n in range(-6, hours * 6)
    ]
    rows.append(ReadingRow(sensor.storage_unit_id, sensor.pk, first + timedelta(hours=hours), 9.0))
    store(ReadingBatch.of_rows(rows))
    refresh()

    rollup = DailyRollup.objects.get(local_date=day)
    assert (rollup.reading_count, rollup.covered_seconds, rollup.max_c) == (hours * 6, hours * 3600, 5.0)
    whole_day = statistics([sensor.storage_unit_id], first, start_of_day(day + DAY, london), now=LATER)
    assert (whole_day.reading_count, whole_day.coverage, whole_day.mean_c) == (hours * 6, 1.0, 5.0)


@pytest.mark.parametrize(
    ("periods", "mkt_c", "mean_c"),
    [
        ([(18 * 60, 5), (6 * 60, 14)], 8.2852, 7.25),
        ([(23 * 60, 5), (60, 15)], 5.7635, (23 * 5 + 15) / 24),
        ([(60, 20), (60, 25), (60, 30)], 25.8582, 25),
    ],
)
@pytest.mark.parametrize("minutes", [1, 30])
def test_the_mkt_of_known_temperatures_however_densely_sampled(
    periods: list[tuple[int, int]], mkt_c: float, mean_c: float, minutes: int
) -> None:
    sensor = SensorFactory(storage_unit__gap_limit_seconds=1800)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    temperatures_c = [temperature_c for length, temperature_c in periods for _ in range(length // minutes)]
    rows = [
        ReadingRow(sensor.storage_unit_id, sensor.pk, start + timedelta(minutes=n * minutes), temperature_c)
        for n, temperature_c in enumerate(temperatures_c)
    ]
    store(ReadingBatch.of_rows(rows))
    refresh()
    end = start + timedelta(minutes=sum(length for length, _ in periods))
    result = statistics([sensor.storage_unit_id], start, end, now=LATER)
    assert result.mkt_c == pytest.approx(mkt_c, abs=5e-5)
    assert result.mean_c == pytest.approx(mean_c)
    assert result.coverage == 1.0


def test_mkt_is_weighted_by_time_when_one_hour_is_sampled_densely() -> None:
    sensor = SensorFactory(storage_unit__gap_limit_seconds=1800)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    instants = [(start + timedelta(minutes=30 * n), 5.0) for n in range(46)]
    instants += [(start + timedelta(hours=23, seconds=n), 15.0) for n in range(3600)]
    store(ReadingBatch.of_rows(ReadingRow(sensor.storage_unit_id, sensor.pk, at, t) for at, t in instants))
    result = statistics([sensor.storage_unit_id], start, start + DAY, now=LATER)
    assert result.mkt_c == pytest.approx(5.7635, abs=5e-5)


def test_time_without_measurements_is_not_covered() -> None:
    sensor = SensorFactory(storage_unit__interval_seconds=600)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    rows = [(start, 5.0), (start + timedelta(hours=2), 5.0), (start + timedelta(hours=2, minutes=10), None)]
    store(ReadingBatch.of_rows(ReadingRow(sensor.storage_unit_id, sensor.pk, at, t) for at, t in rows))
    result = statistics([sensor.storage_unit_id], start, start + timedelta(hours=4), now=LATER)
    assert result.covered_seconds == (30 + 10) * 60
    assert result.coverage == 40 / 240


def test_two_sensors_at_the_same_time_cover_it_once() -> None:
    unit = StorageUnitFactory(interval_seconds=1200)
    sensors = SensorFactory.create_batch(2, storage_unit=unit)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    rows = [
        ReadingRow(unit.pk, sensor.pk, start + timedelta(minutes=30 * nth), 5.0) for nth, sensor in enumerate(sensors)
    ]
    store(ReadingBatch.of_rows(rows))
    for is_settled in (False, True):
        if is_settled:
            refresh()
        assert statistics([unit.pk], start, start + timedelta(hours=2), now=LATER).covered_seconds == 90 * 60


def test_the_future_does_not_lower_the_coverage() -> None:
    sensor = SensorFactory(storage_unit__interval_seconds=600)
    start = datetime(2026, 6, 1, tzinfo=UTC)
    store(ReadingBatch.of_rows([ReadingRow(sensor.storage_unit_id, sensor.pk, start, 5.0)]))
    now = start + timedelta(minutes=10)
    result = statistics([sensor.storage_unit_id], start, start + DAY, now=now)
    assert (result.end, result.coverage) == (now, 1.0)


def test_statistics_without_units_or_readings_are_empty() -> None:
    unit = StorageUnitFactory()
    start = datetime(2026, 6, 1, tzinfo=UTC)
    for unit_ids in ([], [unit.pk]):
        result = statistics(unit_ids, start, start + DAY, now=LATER)
        assert (result.reading_count, result.min_c, result.mean_c, result.mkt_c, result.coverage) == (
            0,
            None,
            None,
            None,
            0.0,
        )


def test_statistics_take_a_fixed_number_of_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    units = [
        StorageUnitFactory(facility=FacilityFactory(time_zone=zone))
        for zone in ("UTC", "Europe/London", "Asia/Kolkata")
        for _ in range(3)
    ]
    rows = [
        ReadingRow(unit.pk, SensorFactory(storage_unit=unit).pk, BEGIN + timedelta(minutes=n), 5.0)
        for unit in units
        for n in range(5)
    ]
    store(ReadingBatch.of_rows(rows))
    with django_assert_max_num_queries(7):
        result = statistics([unit.pk for unit in units], BEGIN - 3 * DAY, BEGIN + 3 * DAY, now=LATER)
    assert result.reading_count == 45


def test_recounting_a_changed_reading_equals_storing_the_new_value(unit: StorageUnit) -> None:
    rows: Batch = [(timedelta(minutes=20 * n), 0, 5.0) for n in range(10)]
    changed = [(offset, sensor, 9.0 if n == 4 else value) for n, (offset, sensor, value) in enumerate(rows)]

    def expected_rows() -> Tables:
        store_all(unit, [changed])
        return everything()

    expected = undone(expected_rows)

    store_all(unit, [rows])
    instant = BEGIN + timedelta(minutes=80)
    Reading.objects.filter(storage_unit=unit, recorded_at=instant).update(temperature_c=9.0)
    recount(unit, Reading.objects.get(recorded_at=instant).sensor_id, instant)
    refresh()
    assert everything() == expected


def test_refreshing_leaves_nothing_stale(unit: StorageUnit) -> None:
    store(ReadingBatch.of_rows(rows_of(unit, [(timedelta(hours=n), 0, 1.0) for n in range(30)])))
    assert refresh() > 0
    assert not HourlyRollup.objects.filter(is_settled=False).exists()
    assert not DailyRollup.objects.filter(is_settled=False).exists()
    assert refresh() == 0


def test_a_row_without_readings_is_written_again_only_if_it_was_refreshed(unit: StorageUnit) -> None:
    def store_at(minutes: int) -> None:
        store(ReadingBatch.of_rows(rows_of(unit, [(timedelta(minutes=minutes), 0, 5.0)])))

    following = HourlyRollup.objects.filter(hour=BEGIN + timedelta(hours=1))
    place = following.annotate(place=RawSQL("ctid", ())).values_list("place", flat=True)

    store_at(30)
    written_at = place.get()
    store_at(40)
    assert place.get() == written_at

    refresh()
    store_at(50)
    assert not following.get().is_settled


def test_a_run_ends_although_units_are_stored_to_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [StorageUnitFactory() for _ in range(3)]
    for each in units:
        store_readings(each, [1.0, 2.0, 3.0], start=BEGIN, every=timedelta(hours=1))
    batches: list[list[int]] = []
    refresh_units = rollups._refresh_units

    def refreshed_and_stored_to(unit_ids: Sequence[int]) -> int:
        batches.append(list(unit_ids))
        assert len(batches) <= len(units)
        refreshed = refresh_units(unit_ids)
        HourlyRollup.objects.filter(storage_unit__lt=max(unit_ids)).update(is_settled=False)
        return refreshed

    monkeypatch.setattr(rollups, "UNITS_A_BATCH", 1)
    monkeypatch.setattr(rollups, "_refresh_units", refreshed_and_stored_to)
    refresh()
    assert batches == [[each.pk] for each in units]


def test_a_unit_with_more_stale_hours_than_a_batch_takes_is_refreshed(
    unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "HOURS_A_BATCH", 2)
    store_all(unit, [[(timedelta(hours=hour), 0, 1.0) for hour in range(5)]])
    refresh()
    assert not HourlyRollup.objects.filter(is_settled=False).exists()
    assert not DailyRollup.objects.filter(is_settled=False).exists()
