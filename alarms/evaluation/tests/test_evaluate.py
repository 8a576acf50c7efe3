"""Stored excursions equal the definition for any order, splitting and repetition of deliveries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from pytest_django import DjangoAssertNumQueries

from alarms.evaluation.evaluate import Evaluation, evaluate
from alarms.limits.versions import update_versions
from alarms.models import Alarm, Excursion, LimitVersion, MktCheck, SensorFault, UnitLimits
from alarms.tests.evaluation import (
    START,
    at,
    budgets_by_definition,
    by_definition,
    load,
    set_staleness_limits,
    stored,
    undone,
)
from alarms.thresholds import SensorPolicy
from customers.models import StorageUnit
from readings.storage.partitions import ensure_partitions, months_between
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import store
from tests.factories import SensorFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

LATER = at(60 * 24 * 30)

# A reading by minute, number of the sensor, and temperature.
Row = tuple[float, int, float | None]

temperatures = st.one_of(st.none(), st.integers(0, 11))
readings = st.dictionaries(st.tuples(st.integers(0, 40), st.integers(0, 1)), temperatures, min_size=1, max_size=30)


@st.composite
def deliveries(draw: DrawFn) -> list[list[Row]]:
    """Batches of (minute, sensor, temperature): shuffled, split at random, some repeated."""
    rows: list[Row] = [(minute * 7, sensor, each) for (minute, sensor), each in draw(readings).items()]
    order = draw(st.permutations(rows)) + draw(st.lists(st.sampled_from(rows), max_size=8))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)])]


def make_unit(**limits: object) -> StorageUnit:
    unit = StorageUnitFactory(interval_seconds=300)
    SensorFactory.create_batch(2, storage_unit=unit)
    values = {"low_warning_c": 2.0, "high_warning_c": 8.0, "high_critical_c": 10.0, "high_delay_seconds": 1200}
    UnitLimits.objects.create(storage_unit=unit, **(values | limits))
    # Valid from the beginning, as if the unit had never had other limits.
    LimitVersion.objects.filter(storage_unit=unit).delete()
    update_versions([unit.pk])
    return StorageUnit.objects.get(pk=unit.pk)


def rows_of(unit: StorageUnit, batch: Sequence[Row]) -> list[ReadingRow]:
    sensors = sorted(unit.sensors.values_list("pk", flat=True))
    return [ReadingRow(unit.pk, sensors[sensor], at(minute), each) for minute, sensor, each in batch]


def load_all(unit: StorageUnit, batches: list[list[Row]], now: datetime = LATER) -> None:
    for batch in batches:
        load(rows_of(unit, batch), now)


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"clearing_margin_k": 1.0, "clearing_delay_seconds": 900},
        {"sensor_policy": SensorPolicy.MEAN.value, "is_inclusive": True},
        {"allowed_seconds": 1500, "allowed_window_seconds": 4800},
    ],
)
def test_any_order_splitting_and_repetition_ends_in_the_same_excursions(limits: dict[str, object]) -> None:
    units = make_unit(**limits), make_unit(**limits)
    ensure_partitions(months_between(START, START))

    @settings(max_examples=30, deadline=None)
    @given(batches=deliveries())
    def compare(batches: list[list[Row]]) -> None:
        with undone():
            assert_same_excursions(*units, batches)

    compare()


def assert_same_excursions(unit: StorageUnit, in_order: StorageUnit, batches: list[list[Row]]) -> None:
    """Load the batches into one unit, and their rows one instant after the other into another like it."""
    load_all(unit, batches)
    everything = sorted({row for batch in batches for row in batch}, key=lambda row: row[:2])
    for _, rows in itertools.groupby(everything, lambda row: row[0]):
        load(rows_of(in_order, list(rows)), LATER)
    assert stored(unit) == by_definition(unit)
    assert stored(unit) == stored(in_order)
    budgets = stored(unit, Excursion.Kind.BUDGET)
    assert budgets == stored(in_order, Excursion.Kind.BUDGET) == budgets_by_definition(unit)


@pytest.mark.parametrize(
    "limits", [{}, {"sensor_policy": SensorPolicy.MEAN.value}, {"allowed_seconds": 1500, "mkt_limit_c": 8.0}]
)
def test_batches_of_one_delivery_are_evaluated_at_its_end_like_deliveries_of_their_own(
    limits: dict[str, object],
) -> None:
    unit, one_by_one = make_unit(**limits), make_unit(**limits)
    ensure_partitions(months_between(START, START))

    @settings(max_examples=30, deadline=None)
    @given(batches=deliveries(), before=st.integers(0, 3))
    def compare(batches: list[list[Row]], before: int) -> None:
        with undone():
            load_all(one_by_one, batches)
            load_all(unit, batches[:before])
            with transaction.atomic():
                evaluation = Evaluation()
                for batch in batches[before:]:
                    columns = ReadingBatch.of_rows(rows_of(unit, batch))
                    evaluation.add(store(columns).new_spans, columns)
                evaluation.run(LATER)
            for kind in (Excursion.Kind.TEMPERATURE, Excursion.Kind.BUDGET):
                assert stored(unit, kind) == stored(one_by_one, kind)
            assert stored(unit) == by_definition(unit)
            assert faults_of(unit) == faults_of(one_by_one)
            assert checks_of(unit) == checks_of(one_by_one)

    compare()


def faults_of(unit: StorageUnit) -> list[tuple[int, datetime, datetime]]:
    """Return the number of each sensor with a fault, and its times."""
    sensors = sorted(unit.sensors.values_list("pk", flat=True))
    faults = SensorFault.objects.filter(storage_unit=unit).values_list("sensor", "since", "last_at")
    return sorted((sensors.index(sensor_id), since, last_at) for sensor_id, since, last_at in faults)


def checks_of(unit: StorageUnit) -> list[datetime]:
    return list(MktCheck.objects.filter(storage_unit=unit).values_list("since", flat=True))


def test_readings_within_the_limits_are_evaluated_with_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    unit = make_unit()
    rows = [(minute, 0, 5) for minute in range(500)]
    load(rows_of(unit, rows[:10]), LATER)
    columns = ReadingBatch.of_rows(rows_of(unit, rows[10:]))
    new_spans = store(columns).new_spans
    # And the two statements of the savepoint that keeps its failure from affecting what is stored.
    with django_assert_num_queries(1 + 2):
        evaluate(new_spans, columns, now=LATER)
    assert not Excursion.objects.exists()


@pytest.mark.parametrize(
    ("temperature_c", "minutes_before", "is_within"),
    [
        pytest.param(5, 60, True, id="within the limits of their time"),
        pytest.param(9, 60, False, id="beyond the limits of their time"),
        pytest.param(5, 20, False, id="valid until after the change"),
    ],
)
def test_readings_from_before_a_change_are_compared_with_the_limits_of_their_time(
    temperature_c: float, minutes_before: int, is_within: bool
) -> None:
    unit = make_unit()
    set_staleness_limits(1800)
    with time_machine.travel(at(500), tick=False):
        UnitLimits.objects.filter(storage_unit=unit).update(high_warning_c=4.0)
        assert update_versions([unit.pk]) == 1
    rows = [(minute, 0, temperature_c) for minute in range(500 - minutes_before)]
    columns = ReadingBatch.of_rows(rows_of(unit, rows))
    new_spans = store(columns).new_spans

    with CaptureQueriesContext(connection) as queries:
        evaluate(new_spans, columns, now=LATER)

    # One query and the savepoint around it tell that nothing is to be evaluated.
    assert (len(queries) == 3) is is_within
    assert stored(unit) == by_definition(unit)


def test_the_number_of_queries_does_not_depend_on_how_many_readings_are_outside() -> None:
    units = [make_unit() for _ in range(4)]

    def evaluate_units(chosen: list[StorageUnit], count: int, begin: int) -> int:
        rows = [row for unit in chosen for row in rows_of(unit, [(begin + n, 0, 9) for n in range(count)])]
        columns = ReadingBatch.of_rows(rows)
        new_spans = store(columns).new_spans
        with CaptureQueriesContext(connection) as queries:
            evaluate(new_spans, columns, now=at(begin + count))
        return len(queries)

    for unit in units:
        evaluate_units([unit], 30, 0)  # their alarms are open from now on
    few = evaluate_units(units[:1], 1, 100)
    assert evaluate_units(units[:1], 300, 200) == few
    assert evaluate_units(units, 50, 600) == few


def test_a_late_reading_opens_an_excursion_that_is_marked_as_detected_late() -> None:
    unit = make_unit()
    load(rows_of(unit, [(0, 0, 5), (60, 0, 5)]), at(61))
    load(rows_of(unit, [(minute, 0, 9) for minute in range(10, 50, 5)]), LATER)
    excursion = Excursion.objects.get()
    assert excursion.is_detected_late
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.is_detected_late, alarm.excursion) == ("closed", True, excursion)


def test_a_late_reading_extends_an_excursion_that_stays_the_same() -> None:
    unit = make_unit()
    load(rows_of(unit, [(0, 0, 5), (10, 0, 9), (20, 0, 5)]), LATER)
    before = Excursion.objects.get()
    load(rows_of(unit, [(5, 0, 9)]), LATER)
    after = Excursion.objects.get()
    assert (after.pk, after.started_at) == (before.pk, at(5))


def test_a_late_reading_splits_an_excursion_and_the_acknowledgement_stays_with_its_part() -> None:
    unit = make_unit()
    load(rows_of(unit, [(minute, 0, 9) for minute in range(0, 60, 5)]), at(56))
    alarm = Alarm.objects.get()
    Alarm.objects.update(state="acknowledged", acknowledged_at=at(57), acknowledged_by="anna", acknowledgement="door")
    load(rows_of(unit, [(42, 0, 5)]), at(58))
    first, second = Excursion.objects.order_by("started_at")
    assert (first.started_at, first.ended_at, second.started_at) == (START, at(42), at(45))
    kept = Alarm.objects.get(pk=alarm.pk)
    assert kept.excursion == first
    assert kept.acknowledgement == "door"


def test_merged_excursions_keep_the_acknowledged_alarm() -> None:
    unit = make_unit(clearing_delay_seconds=0)
    minutes = [(minute, 0, 5 if minute == 30 else 9) for minute in range(0, 60, 5)]
    load(rows_of(unit, minutes), at(56))
    assert Excursion.objects.count() == 2
    second = Alarm.objects.latest("started_at")
    Alarm.objects.filter(pk=second.pk).update(state="acknowledged", acknowledged_at=at(57), acknowledged_by="ben")
    load(rows_of(unit, [(30, 1, 9)]), at(58))
    excursion = Excursion.objects.get()
    kept = Alarm.objects.get(excursion=excursion)
    assert (kept.pk, kept.acknowledged_by, kept.state) == (second.pk, "ben", "acknowledged")


def test_a_saved_detector_continues_with_the_new_readings_only(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    unit = make_unit()
    load(rows_of(unit, [(minute, 0, 9) for minute in range(300)]), at(300))
    load(rows_of(unit, [(301, 0, 9), (302, 0, 9.5)]), at(303))
    assert stored(unit) == by_definition(unit)
    excursion = Excursion.objects.get()
    assert excursion.outside_seconds == 302 * 60
    assert excursion.progress is not None
    assert excursion.progress["at"] is not None


def test_a_changed_set_temperature_applies_from_its_moment_on() -> None:
    unit = StorageUnitFactory(interval_seconds=300)
    sensor = SensorFactory(storage_unit=unit)
    load([ReadingRow(unit.pk, sensor.pk, at(minute), 5.5) for minute in range(5)], at(6))
    assert not Excursion.objects.exists()
    unit = StorageUnit.objects.get(pk=unit.pk)
    unit.set_temperature = 0.0
    unit.save()
    changed_at = unit.limit_versions.latest("valid_from").valid_from
    load([ReadingRow(unit.pk, sensor.pk, changed_at + timedelta(minutes=1), 5.5)], changed_at + timedelta(minutes=2))
    excursion = Excursion.objects.get()
    assert excursion.started_at == changed_at + timedelta(minutes=1)
    assert excursion.limit_version.high_critical_c == 5.0
    assert stored(unit) == by_definition(unit)
