"""Limits that change while a budget or an MKT limit is exceeded: each version is in force until the next one begins."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.limits.versions import update_versions
from alarms.models import Excursion, MktCheck, UnitLimits
from alarms.tests.evaluation import START, at, budgets_by_definition, by_definition, load, set_staleness_limits, stored
from customers.models import StorageUnit
from readings.storage.reading_batch import ReadingRow
from readings.storage.rollups import refresh

pytestmark = pytest.mark.django_db

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def change_limits(unit: StorageUnit, valid_from: datetime, **limits: object) -> None:
    UnitLimits.objects.filter(storage_unit=unit).update(**limits)
    update_versions([unit.pk], at=valid_from)


def test_a_budget_that_is_exceeded_when_limits_change_is_one_violation_of_each_version() -> None:
    unit = make_unit(allowed_seconds=2, allowed_window_seconds=86_400)
    sensor_id = unit.sensors.earliest("pk").pk
    begin = timezone.now() - timedelta(minutes=5)

    def push(first: int, *temperatures_c: float) -> None:
        rows = [
            ReadingRow(unit.pk, sensor_id, begin + (first + n) * SECOND, each) for n, each in enumerate(temperatures_c)
        ]
        load(rows, timezone.now())
        connection.check_constraints()

    push(0, 12, 12, 12, 12, 12)
    changed_at = begin + 4.5 * SECOND
    change_limits(unit, changed_at, clearing_delay_seconds=60)
    push(5, 12, 12, 12, 12)
    push(9, 5, 5)

    budgets = Excursion.objects.filter(kind=Excursion.Kind.BUDGET).order_by("started_at")
    assert list(budgets.values_list("started_at", "ended_at")) == [
        (begin + 2 * SECOND, changed_at),
        (changed_at, None),
    ]
    push(11, 5)
    assert budgets.count() == 2


def test_an_mkt_window_that_ends_when_limits_change_is_judged_by_the_new_version_only() -> None:
    unit = make_unit(mkt_limit_c=8.0, mkt_window_seconds=4 * 3600, high_warning_c=None, high_critical_c=None)
    set_staleness_limits(1200)
    sensor_id = unit.sensors.earliest("pk").pk
    change_limits(unit, START + 4 * HOUR, mkt_limit_c=9.0)
    for first, last in [(0, 24), (24, 30)]:
        rows = [ReadingRow(unit.pk, sensor_id, START + n * HOUR / 3, 12.0) for n in range(first, last)]
        load(rows, START + last * HOUR / 3)
        refresh()
        run_requested_checks(START + last * HOUR / 3)
        connection.check_constraints()
        # As if nothing but the second version's excursion were near.
        MktCheck.objects.update(since=START + 4 * HOUR)
    found = Excursion.objects.filter(kind=Excursion.Kind.MKT).order_by("started_at")
    assert list(found.values_list("started_at", "ended_at")) == [
        (START + 2 * HOUR, START + 4 * HOUR),
        (START + 4 * HOUR, None),
    ]


def test_an_mkt_excursion_ends_with_its_limits_though_nothing_is_read() -> None:
    unit = make_unit(mkt_limit_c=8.0, mkt_window_seconds=2 * 3600, high_warning_c=None, high_critical_c=None)
    sensor_id = unit.sensors.earliest("pk").pk
    load([ReadingRow(unit.pk, sensor_id, START + n * HOUR / 4, 12.0) for n in range(12)], START + 3 * HOUR)
    refresh()
    run_requested_checks(START + 10 * HOUR)
    assert Excursion.objects.get().ended_at is None
    change_limits(unit, START + 10.5 * HOUR, mkt_limit_c=None)
    run_requested_checks(START + 11 * HOUR)
    assert Excursion.objects.get().ended_at == START + 10.5 * HOUR


def test_a_lower_budget_is_violated_from_its_first_moment_on() -> None:
    unit = make_unit(allowed_seconds=3600)
    sensor_id = unit.sensors.earliest("pk").pk
    for minute, temperature_c in [(0, 9), (10, 9), (20, 5), (30, 5)]:
        load([ReadingRow(unit.pk, sensor_id, at(minute), temperature_c)], at(minute))
    change_limits(unit, at(100), allowed_seconds=600)
    for minute in (240, 250):
        load([ReadingRow(unit.pk, sensor_id, at(minute), 5)], at(minute))
        assert stored(unit, Excursion.Kind.BUDGET) == budgets_by_definition(unit)
        assert Excursion.objects.get(kind=Excursion.Kind.BUDGET).started_at == at(100)


def test_a_reading_that_is_still_valid_is_outside_limits_set_after_it() -> None:
    unit = make_unit()
    warm, cold = (sensor.pk for sensor in unit.sensors.order_by("pk"))
    load([ReadingRow(unit.pk, warm, at(0), 7)], at(0))
    change_limits(unit, at(1), high_warning_c=6.0)
    load([ReadingRow(unit.pk, cold, at(2), 5)], at(2))
    assert stored(unit) == by_definition(unit)
    assert Excursion.objects.get().started_at == at(2)


def test_limits_that_change_before_a_reading_of_a_fast_clock_apply_after_it() -> None:
    unit = make_unit()
    sensor_id = unit.sensors.earliest("pk").pk
    load([ReadingRow(unit.pk, sensor_id, at(0.5), 7)], at(0))
    with time_machine.travel(at(0.25), tick=False):
        UnitLimits.objects.filter(storage_unit=unit).update(high_warning_c=6.0)
        update_versions([unit.pk])
    load([ReadingRow(unit.pk, sensor_id, at(1), 5)], at(1))
    assert stored(unit) == by_definition(unit) == []
    assert unit.limit_versions.latest("valid_from").valid_from == at(0.5) + timedelta(microseconds=1)
