"""Backdated limits: excursions of the past follow them, alarms that were reported stay as they were."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.forms.models import model_to_dict

from alarms.evaluation.reevaluation import run_reevaluations
from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.excursions.what_if import preview_backdated
from alarms.limits.versions import limits_of
from alarms.models import Alarm, Excursion, LimitVersion, UnitLimits
from alarms.tests.evaluation import (
    all_budgets_by_definition,
    at,
    budgets_by_definition,
    by_definition,
    load,
    stored,
    stored_budgets,
)
from customers.models import StorageUnit
from readings.statistics.time_outside import TimeOutside, time_outside
from readings.storage.reading_batch import ReadingRow
from readings.time_ranges import TimeRange

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> StorageUnit:
    """Return a unit at 2 to 8 °C, critical above 10 °C, with an alarm from minute 25 to 60."""
    unit = make_unit()
    read(unit, (0, 5), (5, 9), (25, 9), (60, 5), (100, 7), (200, 7), (300, 5))
    return unit


def read(unit: StorageUnit, *readings: tuple[float, float]) -> None:
    sensor = unit.sensors.order_by("pk").first()
    assert sensor is not None
    for minute, temperature_c in readings:
        load([ReadingRow(unit.pk, sensor.pk, at(minute), temperature_c)], at(minute))


def backdate(unit: StorageUnit, applies_from: datetime, **limits: object) -> UnitLimits:
    choice = UnitLimits.objects.get(storage_unit=unit)
    choice.applies_from, choice.reason = applies_from, "The product tolerates less."
    for name, value in limits.items():
        setattr(choice, name, value)
    choice.save()
    return choice


def test_excursions_since_then_follow_the_limits_and_earlier_ones_stay(unit: StorageUnit) -> None:
    earlier = stored(unit)
    backdate(unit, at(90), high_warning_c=6.0)
    run_reevaluations(at(301))
    assert stored(unit)[:1] == earlier
    assert stored(unit) == by_definition(unit)
    assert list(Excursion.objects.order_by("started_at").values_list("started_at", flat=True)) == [at(5), at(100)]


def test_limits_backdated_to_shortly_before_the_latest_reading_apply_to_it(unit: StorageUnit) -> None:
    backdate(unit, at(299.5), high_warning_c=4.0)
    run_reevaluations(at(400))
    assert stored(unit) == by_definition(unit)
    assert LimitVersion.objects.filter(storage_unit=unit).latest("valid_from").valid_from == at(299.5)
    assert Excursion.objects.filter(ended_at=None, started_at__gte=at(100)).exists()


@pytest.mark.parametrize("minutes_ago", [0, 1])
def test_limits_that_begin_after_a_reading_of_a_fast_clock_are_superseded(unit: StorageUnit, minutes_ago: int) -> None:
    read(unit, (310.5, 7))
    with time_machine.travel(at(310), tick=False):
        choice = UnitLimits.objects.get(storage_unit=unit)
        choice.high_warning_c = 6.5
        choice.save()
        ahead = LimitVersion.objects.get(storage_unit=unit, valid_from__gt=at(310.5))

        backdate(unit, at(310 - minutes_ago), high_warning_c=6.0)
        run_reevaluations(at(311))

    ahead.refresh_from_db()
    assert ahead.superseded_at is not None
    assert LimitVersion.objects.filter(storage_unit=unit).latest("valid_from").valid_from == at(310 - minutes_ago)
    assert stored(unit) == by_definition(unit) != []


def test_an_ended_violation_of_a_budget_follows_the_peak_of_its_excursion() -> None:
    unit = make_unit(low_warning_c=6.0, allowed_seconds=600, allowed_window_seconds=3600)
    read(unit, (0, 5), (80, 9))
    # By these limits, 9 °C is further outside than 5 °C was.
    backdate(unit, at(70), low_warning_c=None, high_warning_c=6.0)
    run_reevaluations(at(81))

    budget, *_ = Excursion.objects.filter(kind=Excursion.Kind.BUDGET).order_by("started_at")
    assert budget.ended_at is not None
    assert (budget.ended_at < at(70), budget.peak_c) == (True, 9)
    assert stored_budgets(unit) == all_budgets_by_definition(unit)


def test_alarms_that_were_reported_stay_as_they_were(unit: StorageUnit) -> None:
    Alarm.objects.update(state="closed", closed_at=at(70))
    before = [model_to_dict(alarm, exclude=["excursion"]) for alarm in Alarm.objects.all()]
    backdate(unit, at(0), high_warning_c=9.5)
    run_reevaluations(at(301))
    assert stored(unit) == by_definition(unit) == []
    assert [model_to_dict(alarm, exclude=["excursion"]) for alarm in Alarm.objects.all()] == before


def test_an_active_alarm_that_is_none_by_the_limits_is_closed(unit: StorageUnit) -> None:
    read(unit, (310, 9), (330, 9))
    backdate(unit, at(305), high_warning_c=9.5)
    run_reevaluations(at(331))
    alarm = Alarm.objects.get(started_at=at(310))
    assert (alarm.state, alarm.is_withdrawn) == ("closed", False)
    assert "no alarm" in alarm.events.latest("pk").text


def test_what_is_outside_now_raises_an_alarm(unit: StorageUnit) -> None:
    read(unit, (310, 7), (330, 7))
    backdate(unit, at(305), high_warning_c=6.0)
    run_reevaluations(at(331))
    assert Alarm.objects.get(started_at=at(310)).state == "open"


def test_a_closed_alarm_whose_excursion_continues_until_now_is_reopened(unit: StorageUnit) -> None:
    Alarm.objects.update(state="closed", closed_at=at(70))
    read(unit, (310, 7))
    # 7 °C, the temperature since the alarm ended, is outside by these limits.
    backdate(unit, at(50), high_warning_c=4.0, low_warning_c=None)
    run_reevaluations(at(311))
    alarm = Alarm.objects.get()
    assert (alarm.state, alarm.ended_at, alarm.reopened_count) == ("open", None, 1)


def test_the_history_keeps_the_limits_that_were_replaced_and_the_reason(unit: StorageUnit) -> None:
    backdate(unit, at(90), high_warning_c=6.0)
    backdate(unit, at(50), high_warning_c=7.0)
    in_force = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    assert [(version.high_warning_c, version.reason) for version in in_force] == [
        (8.0, ""),
        (7.0, "The product tolerates less."),
    ]
    (superseded,) = LimitVersion.history.filter(storage_unit=unit, superseded_at__isnull=False)
    assert (superseded.valid_from, superseded.high_warning_c) == (at(90), 6.0)
    unit.refresh_from_db()
    assert unit.high_warning_c == 7.0


def test_time_outside_follows_the_limits(unit: StorageUnit) -> None:
    time_range = TimeRange(at(90), at(250))
    assert time_outside(unit.pk, time_range) == TimeOutside(timedelta(0), timedelta(0))
    backdate(unit, at(120), high_warning_c=6.5)
    backdate(unit, at(90), high_warning_c=6.0)
    # Each of the two readings is valid for a quarter of an hour.
    assert time_outside(unit.pk, time_range) == TimeOutside(timedelta(minutes=30), timedelta(0))


def test_budgets_follow_the_limits_also_if_there_is_none_any_more() -> None:
    unit = make_unit(allowed_seconds=600)
    read(unit, (0, 5), (5, 9), (25, 9), (60, 5))
    assert stored(unit, Excursion.Kind.BUDGET)
    backdate(unit, at(1), allowed_seconds=1_200)
    run_reevaluations(at(61))
    assert stored(unit, Excursion.Kind.BUDGET) == budgets_by_definition(unit)
    backdate(unit, at(0), allowed_seconds=None)
    run_reevaluations(at(61))
    assert stored(unit, Excursion.Kind.BUDGET) == []


def test_the_preview_shows_what_would_change_and_changes_nothing(unit: StorageUnit) -> None:
    before = stored(unit)
    choice = UnitLimits.objects.get(storage_unit=unit)
    choice.high_warning_c = 6.0
    preview = preview_backdated(unit, limits_of(choice), at(90), at(301))
    assert [each.started_at for each in preview.added] == [at(100)]
    assert (preview.removed, preview.unchanged) == ([], [])
    backdate(unit, at(90), high_warning_c=6.0)
    run_reevaluations(at(301))
    assert stored(unit)[: len(before)] == before
    assert Excursion.objects.filter(started_at__gte=at(90)).get().started_at == at(100)


def test_readings_of_the_past_stay_valid_for_as_long_as_they_were(unit: StorageUnit) -> None:
    with time_machine.travel(at(150), tick=False):
        unit.gap_limit_seconds = 3_600
        unit.save()
    outside = TimeRange(at(0), at(300))

    with time_machine.travel(at(310), tick=False):
        unit.gap_limit_seconds = 600
        unit.save()
        backdate(unit, at(0), high_warning_c=6.0)
        run_reevaluations(at(310))

    in_force = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    seconds = list(in_force.values_list("valid_from", "gap_limit_seconds"))
    assert seconds[1:] == [(at(0), 900), (at(150), 3_600), (at(310), 600)]
    assert stored(unit) == by_definition(unit)
    # 15 minutes after each reading of minutes 5, 25 and 100, an hour after that of minute 200. That of minute 100 is
    # valid again from minute 150 to 160.
    assert time_outside(unit.pk, outside) == TimeOutside(timedelta(minutes=3 * 15 + 10 + 60), timedelta())


def test_the_preview_keeps_staleness_limits_of_the_past(unit: StorageUnit) -> None:
    choice = UnitLimits.objects.get(storage_unit=unit)
    choice.high_warning_c = 6.0
    with time_machine.travel(at(310), tick=False):
        unit.gap_limit_seconds = 300
        unit.save()

    replay = preview_backdated(unit, limits_of(choice), at(0), at(310))

    with time_machine.travel(at(311), tick=False):
        backdate(unit, at(0), high_warning_c=6.0)
        run_reevaluations(at(311))
    expected = Excursion.objects.filter(kind="temperature").order_by("started_at").values_list("started_at", "ended_at")
    found = [*replay.added, *(after for _, after in replay.unchanged)]
    assert sorted((each.started_at, each.ended_at) for each in found) == list(expected)
