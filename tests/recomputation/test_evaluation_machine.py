"""Whatever happens to a unit in whatever order: no step fails, and stored excursions equal the definition."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from django.db import connection
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.evaluation.reevaluation import run_reevaluations
from alarms.evaluation.retries import retry_failed
from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.excursions.reconcile import LIVE_WITHIN
from alarms.excursions.what_if import replay_limits
from alarms.lifecycle.actions import acknowledge
from alarms.limits.retirement import RetirementError, retire, return_to_service
from alarms.models import Alarm, EvaluationFailure, Excursion, LimitProfile, LimitVersion, UnitLimits
from alarms.tests.evaluation import START, all_budgets_by_definition, by_definition, load, stored, stored_budgets
from alarms.tests.mkt_definition import mkt_by_definition, stored_mkt
from alarms.thresholds import SensorPolicy
from customers.models import Sensor, StorageUnit
from ingestion.loading import conflicts
from ingestion.loading.replay import replay as replay_rejected
from ingestion.models import Conflict, RejectedRow
from ingestion.watchdog import run_watchdogs
from readings.storage.reading_batch import ReadingRow
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.rollups import refresh
from tests.alarm_factories import MaintenanceWindowFactory
from tests.factories import ConflictFactory, RejectedRowFactory
from tests.state_machines import DatabaseMachine, run_machine

MINUTE = timedelta(minutes=1)
# About twenty seconds of CPU time.
EXAMPLES, STEPS = 12, 25
# Kinds of alarms without an excursion.
WATCHED = ("no_data", "sensor_fault", "clock_drift")
OTHER = {"low_critical_c": None, "low_warning_c": None, "high_critical_c": None}
# Mostly within the limits, or between those that are changed: where nothing is outside, most units are no candidates.
temperatures = st.sampled_from([5.0, 5.0, 5.0, 6.5, 6.5, 7.5, 7.5, 9.0, 12.0, 1.5, None])
sensors = st.integers(0, 1)
gaps = st.sampled_from([1, 4, 5, 10, 20, 70])
delays = st.sampled_from([0, 300, 900, 1800])
allowed = st.sampled_from([None, 2, 60, 600, 1800])
windows = st.sampled_from([3600, 7200, 86_400])
mkt_limits = st.sampled_from([None, 6.0, 8.0])


class Evaluation(DatabaseMachine):
    """One unit with two sensors, read every few minutes of a clock that only the rules move."""

    def __init__(self) -> None:
        super().__init__(START)
        self.sent: list[ReadingRow] = []
        self.unit = make_unit(
            allowed_seconds=600, allowed_window_seconds=7200, mkt_limit_c=8.0, mkt_window_seconds=7200
        )
        self.sensors = list(self.unit.sensors.order_by("pk"))

    def _row(self, recorded_at: datetime, sensor: int, temperature_c: float | None) -> ReadingRow:
        return ReadingRow(self.unit.pk, self.sensors[sensor].pk, recorded_at, temperature_c)

    @rule(readings=st.lists(st.tuples(gaps, sensors, temperatures), min_size=1, max_size=4))
    def push(self, readings: list[tuple[int, int, float | None]]) -> None:
        rows = []
        for minutes, sensor, temperature_c in readings:
            self.pass_time(minutes * MINUTE)
            rows.append(self._row(self.now, sensor, temperature_c))
        self.sent += rows
        load(rows, self.now)

    @rule(readings=st.lists(st.tuples(st.integers(0, 200), sensors, temperatures), min_size=1, max_size=2))
    def push_late_rows(self, readings: list[tuple[int, int, float | None]]) -> None:
        load([self._row(self.now - ago * MINUTE, sensor, each) for ago, sensor, each in readings], self.now)

    @rule(sensor=sensors, temperature_c=temperatures, seconds=st.integers(1, 60))
    def push_from_a_fast_clock(self, sensor: int, temperature_c: float | None, seconds: int) -> None:
        load([self._row(self.now + timedelta(seconds=seconds), sensor, temperature_c)], self.now)

    @rule(ago=st.sampled_from([75, 130]), sensor=sensors, temperature_c=temperatures)
    def push_a_backlog(self, ago: int, sensor: int, temperature_c: float | None) -> None:
        rows = [self._row(self.now - minutes * MINUTE, sensor, temperature_c) for minutes in range(ago, 0, -5)]
        for part in (rows[:3], rows[3:]):
            load(part, self.now)

    @precondition(lambda self: self.sent)
    @rule(count=st.integers(1, 10))
    def push_rows_again(self, count: int) -> None:
        load(self.sent[-count:], self.now)

    @rule(minutes=st.sampled_from([1, 15, 61, 300]))
    def wait(self, minutes: int) -> None:
        self.pass_time(minutes * MINUTE)

    @rule(
        high_c=st.sampled_from([6.0, 7.0, 8.0]),
        delay=delays,
        clearing_delay=delays,
        margin=st.sampled_from([0.0, 1.0]),
        policy=st.sampled_from([SensorPolicy.ANY, SensorPolicy.MEAN, SensorPolicy.NAMED]),
    )
    def change_limits(
        self, high_c: float, delay: int, clearing_delay: int, margin: float, policy: SensorPolicy
    ) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.profile = None
        chosen.high_warning_c, chosen.high_delay_seconds = high_c, delay
        chosen.clearing_delay_seconds, chosen.clearing_margin_k = clearing_delay, margin
        chosen.sensor_policy = policy.value
        chosen.named_sensor = self.sensors[0] if policy is SensorPolicy.NAMED else None
        chosen.save()

    @rule(ago=st.integers(0, 300), high_c=st.sampled_from([6.0, 7.0, 8.0]), allowed_seconds=allowed)
    def backdate_limits(self, ago: int, high_c: float, allowed_seconds: int | None) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.high_warning_c, chosen.allowed_seconds = high_c, allowed_seconds
        chosen.applies_from, chosen.reason = self.now - ago * MINUTE, "The product tolerates less."
        chosen.save()
        run_reevaluations(self.now)

    @rule(allowed_seconds=allowed, window_seconds=windows)
    def change_budget(self, allowed_seconds: int | None, window_seconds: int) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.allowed_seconds, chosen.allowed_window_seconds = allowed_seconds, window_seconds
        chosen.save()

    @rule(allowed_seconds=allowed, window_seconds=windows, level_c=st.sampled_from([None, 8.0, 9.0]))
    def change_budget_too_warm(self, allowed_seconds: int | None, window_seconds: int, level_c: float | None) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.high_allowed_seconds, chosen.high_allowed_window_seconds = allowed_seconds, window_seconds
        chosen.high_allowed_c = level_c
        chosen.save()

    @rule(allowed_seconds=allowed, window_seconds=windows, low_c=st.sampled_from([None, 2.0, 6.0]))
    def change_budget_too_cold(self, allowed_seconds: int | None, window_seconds: int, low_c: float | None) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.low_warning_c, chosen.low_critical_c = low_c, None
        chosen.low_allowed_seconds, chosen.low_allowed_window_seconds = allowed_seconds, window_seconds
        chosen.save()

    @rule(seconds=st.sampled_from([600, 3600, 10_800]))
    def change_the_staleness_limit(self, seconds: int) -> None:
        unit = StorageUnit.objects.get(pk=self.unit.pk)
        unit.gap_limit_seconds = seconds
        unit.save()

    @rule(limit_c=mkt_limits, window_seconds=windows)
    def change_mkt_limit(self, limit_c: float | None, window_seconds: int) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.mkt_limit_c, chosen.mkt_window_seconds = limit_c, window_seconds
        chosen.save()

    @rule(name=st.sampled_from(["refrigerated medicine", "chilled food (HACCP)", "controlled room temperature"]))
    def select_a_profile(self, name: str) -> None:
        chosen = UnitLimits.objects.get(storage_unit=self.unit)
        chosen.profile = LimitProfile.objects.get(name=name)
        chosen.save()

    @rule(high_c=st.sampled_from([5.5, 8.0]), allowed_seconds=allowed, limit_c=mkt_limits)
    def change_the_profile(self, high_c: float, allowed_seconds: int | None, limit_c: float | None) -> None:
        profile = UnitLimits.objects.get(storage_unit=self.unit).profile
        if profile is not None:
            profile.high_warning_c, profile.allowed_seconds, profile.mkt_limit_c = high_c, allowed_seconds, limit_c
            profile.low_warning_c, profile.low_critical_c, profile.high_critical_c = 1.0, None, None
            profile.save()

    @rule(minutes=st.sampled_from([10, 120]))
    def begin_maintenance(self, minutes: int) -> None:
        MaintenanceWindowFactory(
            customer=self.unit.facility.customer,
            storage_unit=self.unit,
            starts_at=self.now,
            ends_at=self.now + minutes * MINUTE,
        )

    @rule(sensor=sensors, ago=st.integers(0, 300))
    def retire_a_sensor(self, sensor: int, ago: int) -> None:
        # The reference sensor of the limits cannot be retired.
        with suppress(RetirementError):
            retire(Sensor.objects.get(pk=self.sensors[sensor].pk), self.now - ago * MINUTE, by="ann")
        run_reevaluations(self.now)

    @rule(sensor=sensors)
    def return_a_sensor_to_service(self, sensor: int) -> None:
        return_to_service(Sensor.objects.get(pk=self.sensors[sensor].pk), by="ann")
        run_reevaluations(self.now)

    @rule(ago=st.integers(0, 100), sensor=sensors, temperature_c=temperatures)
    def replay_a_rejected_row(self, ago: int, sensor: int, temperature_c: float | None) -> None:
        recorded_at = self.now - ago * MINUTE
        retired_at = Sensor.objects.get(pk=self.sensors[sensor].pk).retired_at
        # Rows of a retired sensor remain rejected.
        assume(retired_at is None or recorded_at < retired_at)
        raw = {
            "facility_id": self.unit.facility.facility_code,
            "unit_id": self.unit.unit_code,
            "sensor_id": self.sensors[sensor].sensor_code,
            "temperature": temperature_c,
            "timestamp": recorded_at.isoformat(),
            "number": RejectedRow.objects.count(),
        }
        RejectedRowFactory(delivery__source__customer=self.unit.facility.customer, raw=json.dumps(raw))
        assert replay_rejected(RejectedRow.objects.all(), by="ann").still_rejected == 0

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), temperature_c=temperatures)
    def accept_a_conflict(self, data: st.DataObject, temperature_c: float | None) -> None:
        row = data.draw(st.sampled_from(self.sent))
        sensor = next(each for each in self.sensors if each.pk == row.sensor_id)
        # The same row may contradict again what has been accepted since.
        Conflict.objects.filter(sensor=sensor, recorded_at=row.recorded_at, temperature_c=temperature_c).delete()
        conflict = ConflictFactory(sensor=sensor, recorded_at=row.recorded_at, temperature_c=temperature_c)
        # Replaying rejected rows leaves conflicts, too.
        assert conflicts.accept(Conflict.objects.filter(pk=conflict.pk), by="ann") == 1

    @rule(high_c=st.sampled_from([5.5, 8.0]))
    def replay_other_limits(self, high_c: float) -> None:
        replay_limits(self.unit, OTHER | {"high_warning_c": high_c}, self.now)

    @precondition(lambda self: Alarm.objects.filter(state="open").exists())
    @rule()
    def acknowledge_an_alarm(self) -> None:
        acknowledge(Alarm.objects.filter(state="open").latest("pk"), by="ann", comment="I close the door.")

    @rule()
    def run_periodic_tasks(self) -> None:
        assert run_watchdogs(self.now)
        retry_failed(self.now)
        run_requested_rebuilds()
        refresh()
        run_requested_checks(self.now)
        assert stored_mkt(self.unit) == mkt_by_definition(self.unit, self.now)

    @invariant()
    def stored_excursions_equal_the_definition(self) -> None:
        connection.check_constraints()
        assert list(EvaluationFailure.objects.values_list("error", flat=True)) == []
        assert stored(self.unit) == by_definition(self.unit)
        assert stored_budgets(self.unit) == all_budgets_by_definition(self.unit)

    @invariant()
    def every_excursion_that_is_active_now_has_a_live_alarm(self) -> None:
        versions = LimitVersion.objects.filter(is_provisional=False)
        active = Excursion.objects.filter(ended_at=None, alarm_at__isnull=False, limit_version__in=versions)
        for excursion in active.filter(last_outside_at__gte=self.now - LIVE_WITHIN):
            assert excursion.alarms.get(is_withdrawn=False).is_live, excursion

    @invariant()
    def alarms_are_those_of_their_excursions(self) -> None:
        for alarm in Alarm.objects.exclude(state="closed").exclude(kind__in=WATCHED).select_related("excursion"):
            excursion = alarm.excursion
            assert excursion is not None, alarm
            assert (alarm.state == "pending") == (excursion.alarm_at is None), alarm
            mirrored = (alarm.started_at, alarm.ended_at, alarm.temperature_c, alarm.recorded_at)
            assert mirrored == (excursion.started_at, excursion.ended_at, excursion.peak_c, excursion.peak_at), alarm


@pytest.mark.django_db
def test_no_sequence_of_events_makes_stored_excursions_differ_from_the_definition() -> None:
    run_machine(Evaluation, examples=EXAMPLES, steps=STEPS)
