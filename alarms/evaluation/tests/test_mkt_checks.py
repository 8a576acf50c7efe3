"""Limits on the mean kinetic temperature of a window: excursions of their own kind, from refreshed roll-ups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from alarms.evaluation import mkt_checks
from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.models import Alarm, Excursion, MktCheck, UnitLimits
from alarms.tests.evaluation import START, at, load, set_staleness_limits, stored, undone
from alarms.tests.mkt_definition import mkt_by_definition, stored_mkt
from customers.models import StorageUnit
from readings.storage.reading_batch import ReadingRow
from readings.storage.rollups import refresh

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

MKT = Excursion.Kind.MKT
HOUR = timedelta(hours=1)
LATER = START + timedelta(days=30)


@pytest.fixture
def unit() -> StorageUnit:
    """Up to 8 °C on the mean of any 4 hours; read every 20 minutes."""
    return make_mkt_unit()


def make_mkt_unit() -> StorageUnit:
    return make_unit(mkt_limit_c=8.0, mkt_window_seconds=4 * 3600, high_warning_c=None, high_critical_c=None)


def hours(unit: StorageUnit, *temperatures_c: int, begin: int = 0) -> list[ReadingRow]:
    """Three readings an hour of each of these temperatures."""
    sensor = unit.sensors.earliest("pk")
    return [
        ReadingRow(unit.pk, sensor.pk, START + (begin + hour) * HOUR + third * HOUR / 3, each)
        for hour, each in enumerate(temperatures_c)
        for third in range(3)
    ]


@pytest.fixture(autouse=True)
def interval(unit: StorageUnit) -> None:
    set_staleness_limits(1200)


def evaluate_units(now: datetime = LATER) -> int:
    refresh()
    return run_requested_checks(now)


def test_a_warm_period_is_an_excursion_from_the_window_whose_mkt_is_above_the_limit(unit: StorageUnit) -> None:
    load(hours(unit, 5, 5, 5, 5, 12, 12, 5, 5, 5, 5, 5), LATER)
    evaluate_units()
    excursion = Excursion.objects.get(kind=MKT)
    # Two warm hours of four have an MKT of 9.21 °C, one has one of 7.37 °C.
    assert (excursion.started_at, excursion.ended_at) == (START + 6 * HOUR, START + 9 * HOUR)
    assert excursion.peak_c == pytest.approx(9.21, abs=0.005)
    assert Alarm.objects.get().kind == Alarm.Kind.MKT


def test_a_window_with_little_coverage_is_ignored(unit: StorageUnit) -> None:
    load(hours(unit, 12, 12, 12), LATER)
    evaluate_units()
    # Until the newest whole hour, two of four hours are covered.
    assert Excursion.objects.get(kind=MKT).started_at == START + 2 * HOUR


def test_stale_hours_are_left_to_the_next_run(unit: StorageUnit) -> None:
    load(hours(unit, 12, 12, 12, 12), LATER)
    assert run_requested_checks(LATER) == 0
    assert MktCheck.objects.exists()
    assert evaluate_units() == 1
    assert not MktCheck.objects.exists()


def test_a_unit_without_an_mkt_limit_requests_no_check() -> None:
    load(hours(make_unit(), 12, 12), LATER)
    assert not MktCheck.objects.exists()


def test_any_order_and_splitting_ends_in_the_same_excursions(unit: StorageUnit) -> None:
    in_order = make_mkt_unit()
    set_staleness_limits(1200)

    @settings(max_examples=15, deadline=None)
    @given(
        temperatures_c=st.lists(st.sampled_from([5, 8, 12]), min_size=3, max_size=14),
        order=st.randoms(use_true_random=False),
        parts=st.integers(1, 4),
    )
    def compare(temperatures_c: list[int], order: Random, parts: int) -> None:
        with undone():
            load(hours(in_order, *temperatures_c), LATER)
            evaluate_units()
            rows = hours(unit, *temperatures_c)
            order.shuffle(rows)
            for part in range(parts):
                load(rows[part::parts], LATER)
                evaluate_units()
            assert stored(unit, MKT) == stored(in_order, MKT)

    compare()


def test_a_window_that_ends_after_the_newest_reading_counts_once_it_is_over(unit: StorageUnit) -> None:
    load(hours(unit, 5, 5, 5, 12), START + 4 * HOUR)
    evaluate_units(START + 4 * HOUR)
    assert not Excursion.objects.filter(kind=MKT).exists()
    # Three hours of the window are covered, one of them warm; nothing was read since.
    evaluate_units(START + 5 * HOUR - timedelta(seconds=1))
    assert not Excursion.objects.filter(kind=MKT).exists()
    evaluate_units(START + 5 * HOUR)
    excursion = Excursion.objects.get(kind=MKT)
    assert (excursion.started_at, excursion.ended_at) == (START + 5 * HOUR, None)
    assert excursion.peak_c == pytest.approx(8.03, abs=0.005)


def test_the_request_of_a_silent_unit_remains_until_no_window_can_be_covered_by_half(unit: StorageUnit) -> None:
    load(hours(unit, 5, 5, 5, 5), START + 4 * HOUR)
    evaluate_units(START + 4 * HOUR)
    assert MktCheck.objects.get().due_at == START + 5 * HOUR
    assert evaluate_units(START + 4.5 * HOUR) == 0
    evaluate_units(START + 7 * HOUR)
    assert not MktCheck.objects.exists()


def test_limits_that_are_replaced_end_their_excursion_within_the_hour(unit: StorageUnit) -> None:
    load(hours(unit, 12, 12, 12, 12), START + 4 * HOUR)
    evaluate_units(START + 4 * HOUR)
    unit.refresh_from_db()
    replaced_at = START + 4.5 * HOUR
    with time_machine.travel(replaced_at, tick=False):
        chosen = UnitLimits.objects.get(storage_unit=unit)
        chosen.mkt_limit_c = 20.0
        chosen.save()
    evaluate_units(replaced_at)
    assert Excursion.objects.get(kind=MKT).ended_at == replaced_at
    assert stored_mkt(unit) == mkt_by_definition(unit, replaced_at)
    # Nothing of it changes at the next hour.
    evaluate_units(START + 5 * HOUR)
    assert Excursion.objects.get(kind=MKT).ended_at == replaced_at


@pytest.mark.parametrize("window_hours", [1, 2, 4, 7])
def test_stored_excursions_equal_the_definition_at_every_check(window_hours: int) -> None:
    unit = make_unit(mkt_limit_c=8.0, mkt_window_seconds=window_hours * 3600, high_warning_c=None, high_critical_c=None)
    sensors = [sensor.pk for sensor in unit.sensors.order_by("pk")]

    @settings(max_examples=10, deadline=None)
    @given(
        readings=st.dictionaries(
            st.tuples(st.integers(0, 90), st.integers(0, 1)),
            st.one_of(st.none(), st.sampled_from([4.25, 7.5, 9.0, 13.0])),
            min_size=1,
            max_size=70,
        ),
        staleness_minutes=st.sampled_from([20, 45, 90]),
        checked_after=st.lists(st.integers(0, 20), min_size=1, max_size=4).map(sorted),
    )
    def compare(
        readings: dict[tuple[int, int], float | None], staleness_minutes: int, checked_after: list[int]
    ) -> None:
        with undone():
            set_staleness_limits(staleness_minutes * 60)
            unit.refresh_from_db()
            rows = [ReadingRow(unit.pk, sensors[n], at(9 * step), each) for (step, n), each in sorted(readings.items())]
            newest = rows[-1].recorded_at
            load(rows, newest)
            for now in (newest + hours_later * HOUR for hours_later in checked_after):
                evaluate_units(now)
                assert stored_mkt(unit) == mkt_by_definition(unit, now)

    compare()


def test_units_that_are_checked_together_have_the_excursions_of_their_own_limits() -> None:
    units = [
        make_unit(mkt_limit_c=limit_c, mkt_window_seconds=hours * 3600, high_warning_c=None, high_critical_c=None)
        for limit_c, hours in ((8.0, 1), (8.0, 4), (6.0, 7), (None, 4))
    ]
    measured = st.lists(st.sampled_from([None, 4, 9, 13]), min_size=4, max_size=24)

    @settings(max_examples=15, deadline=None)
    @given(
        of_units=st.tuples(*[measured] * len(units)),
        late=st.sampled_from([0, 3]),
        windows_at_once=st.sampled_from([1, 30, 1_000]),
    )
    def compare(of_units: tuple[list[int | None], ...], late: int, windows_at_once: int) -> None:
        with undone(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(mkt_checks, "WINDOWS_AT_ONCE", windows_at_once)
            now = START + 40 * HOUR
            for part in (slice(late, None), slice(0, late)):
                load([row for unit, each in zip(units, of_units, strict=True) for row in thirds(unit, each)[part]], now)
                evaluate_units(now)
                for unit in units:
                    assert stored_mkt(unit) == mkt_by_definition(unit, now)

    compare()


def thirds(unit: StorageUnit, temperatures_c: Sequence[int | None]) -> list[ReadingRow]:
    """Return three readings an hour of these temperatures, none in the hours without."""
    sensor = unit.sensors.earliest("pk")
    return [
        ReadingRow(unit.pk, sensor.pk, START + hour * HOUR + third * HOUR / 3, each)
        for hour, each in enumerate(temperatures_c)
        for third in range(3)
        if each is not None
    ]


def test_the_number_of_queries_does_not_depend_on_the_number_of_units() -> None:
    units = [make_mkt_unit() for _ in range(12)]
    for unit in units:
        set_staleness_limits(1200)
        load(hours(unit, 5, 5, 5, 5), START + 4 * HOUR)
    refresh()

    def queries_of(some: list[StorageUnit]) -> int:
        MktCheck.objects.exclude(pk__in=[unit.pk for unit in some]).delete()
        with CaptureQueriesContext(connection) as queries:
            assert run_requested_checks(START + 4 * HOUR) == len(some)
        return len(queries)

    with undone():
        many = queries_of(units)
    assert queries_of(units[:2]) == many
