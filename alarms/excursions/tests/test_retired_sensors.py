"""A retired sensor counts no longer, and keeps no excursion open."""

from __future__ import annotations

import pytest

from alarms.evaluation.reevaluation import run_reevaluations
from alarms.evaluation.tests.test_evaluate import make_unit, rows_of
from alarms.excursions.detected import EffectiveLimits, SensorReading
from alarms.excursions.detector import detect_excursions
from alarms.models import Alarm, Excursion, Reevaluation, UnitLimits
from alarms.tests.evaluation import (
    START,
    all_budgets_by_definition,
    at,
    by_definition,
    load,
    series,
    stored,
    stored_budgets,
)
from alarms.thresholds import Limits, SensorPolicy
from customers.models import StorageUnit

DEAD, ALIVE = 1, 2


def in_order(*sensors: list[SensorReading]) -> list[SensorReading]:
    return sorted(reading for readings in sensors for reading in readings)


def ends(readings: list[SensorReading], minute: float, **limits: object) -> list[object]:
    """Return when the excursions of these readings end if the first sensor is retired at this minute."""
    values = {"low_warning_c": 2.0, "high_warning_c": 8.0, "gap_limit_seconds": 900} | limits
    versions = [EffectiveLimits(START, Limits(**values))]  # type: ignore[arg-type]  # the names are those of fields
    found = detect_excursions(readings, versions, {DEAD: at(minute)})
    return [each.ended_at for each in found]


def test_an_excursion_ends_when_the_dead_sensor_that_kept_it_open_is_retired() -> None:
    readings = in_order(series(5, 9, sensor_id=DEAD), series(*[5] * 20, sensor_id=ALIVE))
    assert ends(readings, 62) == [at(62)]


def test_it_ends_at_once_even_if_its_last_reading_is_still_valid() -> None:
    assert ends(in_order(series(5, 9, sensor_id=DEAD), series(5, 5, 5, sensor_id=ALIVE)), 7) == [at(7)]


def test_it_ends_where_no_other_sensor_is_read() -> None:
    assert ends(series(5, 9, sensor_id=DEAD), 600) == [at(600)]


def test_it_continues_while_another_sensor_is_outside() -> None:
    readings = in_order(series(5, 9, sensor_id=DEAD), series(5, 5, 9, 9, 9, 5, sensor_id=ALIVE))
    assert ends(readings, 12) == [at(25)]
    assert ends(readings[:-1], 12) == [None]


def test_the_mean_is_that_of_the_remaining_sensors() -> None:
    readings = in_order(series(15, 15, sensor_id=DEAD), series(5, 5, sensor_id=ALIVE))
    assert ends(readings, 7, sensor_policy=SensorPolicy.MEAN) == [at(7)]


def test_what_the_retired_sensor_sends_does_not_count() -> None:
    readings = in_order(series(5, 9, 9, 9, 9, sensor_id=DEAD), series(*[5] * 5, sensor_id=ALIVE))
    assert ends(readings, 12) == [at(12)]


def test_what_is_outside_when_only_the_retired_sensor_is_read_is_not_read_then() -> None:
    readings = in_order(series(5, 5, 9, 9, sensor_id=DEAD, every=4), series(5, 9, sensor_id=ALIVE))
    versions = [EffectiveLimits(START, Limits(high_warning_c=8.0, gap_limit_seconds=900, high_delay_seconds=120))]
    (found,) = detect_excursions(readings, versions, {DEAD: at(1)})
    # As if the retired sensor had not sent at minutes 8 and 12.
    assert (found.last_outside_at, found.alarm_at) == (at(5), None)


def test_time_outside_counts_until_the_retirement() -> None:
    versions = [EffectiveLimits(START, Limits(high_warning_c=8.0, gap_limit_seconds=900))]
    (found,) = detect_excursions(series(9, sensor_id=DEAD), versions, {DEAD: at(20)})
    assert (found.outside_seconds, found.gap_seconds) == (900, 300)


@pytest.mark.django_db
class TestStored:
    def retire(self, unit: StorageUnit, minute: float | None, number: int = 0) -> None:
        sensor = unit.sensors.order_by("pk")[number]
        sensor.retired_at = None if minute is None else at(minute)
        sensor.save()
        assert run_reevaluations(at(200)) == 1

    def test_the_alarm_of_a_dead_sensor_ends(self) -> None:
        unit = make_unit()
        load(rows_of(unit, [(0, 0, 5), (5, 0, 9), (30, 0, 9)]), at(30))
        load(rows_of(unit, [(minute, 1, 5) for minute in range(35, 100, 5)]), at(100))
        assert Alarm.objects.get().ended_at is None

        self.retire(unit, 102)

        assert Excursion.objects.get().ended_at == Alarm.objects.get().ended_at == at(102)
        assert stored(unit) == by_definition(unit)
        assert not Reevaluation.objects.exists()

    @pytest.mark.parametrize("minute", [10, 60, 200])
    def test_stored_excursions_equal_the_definition_whenever_it_is_retired_and_returned(self, minute: float) -> None:
        unit = make_unit(allowed_seconds=600, clearing_delay_seconds=1200)
        load(rows_of(unit, [(0, 0, 5), (5, 0, 9), (30, 0, 9), (40, 1, 5), (45, 1, 9), (60, 1, 5)]), at(60))

        for retired_at in (minute, None, minute):
            self.retire(unit, retired_at)
            assert stored(unit) == by_definition(unit) != []
            assert stored_budgets(unit) == all_budgets_by_definition(unit)
            load(rows_of(unit, [(70, 1, 9), (80, 1, 5)]), at(200))
            assert stored(unit) == by_definition(unit)

    def test_a_budget_counts_until_the_retirement_even_if_no_reading_follows(self) -> None:
        unit = make_unit(allowed_seconds=600)
        load(rows_of(unit, [(0, 0, 9)]), at(0))
        assert not Excursion.objects.filter(kind="budget").exists()

        self.retire(unit, 30)

        assert Excursion.objects.get(kind="budget").started_at == at(10)
        assert stored_budgets(unit) == all_budgets_by_definition(unit)

    def test_a_budget_counts_from_before_the_readings_of_another_retired_sensor(self) -> None:
        unit = make_unit(allowed_seconds=600)
        load(rows_of(unit, [(0, 0, 9), (20, 1, 5)]), at(20))
        self.retire(unit, 0, number=1)
        # That the first sensor was outside until its reading went stale at minute 15 is known only from now on.
        self.retire(unit, 30)

        assert Excursion.objects.get(kind="budget").started_at == at(10)
        assert stored_budgets(unit) == all_budgets_by_definition(unit)

    def test_limits_apply_to_the_time_between_the_newest_reading_and_the_retirement(self) -> None:
        unit = make_unit(allowed_seconds=600)
        load(rows_of(unit, [(0, 0, 9)]), at(0))
        self.retire(unit, 30)
        choice = UnitLimits.objects.get(storage_unit=unit)
        choice.allowed_seconds, choice.applies_from, choice.reason = 840, at(5), "The product tolerates more."
        choice.save()
        run_reevaluations(at(200))

        assert Excursion.objects.get(kind="budget").started_at == at(14)
        assert stored_budgets(unit) == all_budgets_by_definition(unit)
