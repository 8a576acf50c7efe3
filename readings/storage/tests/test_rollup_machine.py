"""Whatever happens to units and their readings in whatever order, roll-ups are those that a rebuild computes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from customers.models import Sensor, StorageUnit
from readings.models import DailyRollup, FutureReading, HourlyRollup, LatestReading, Reading
from readings.storage.future_readings import store_due
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.revisions import NewMeasurement, replace_measurement, withdraw
from readings.storage.rollups import rebuild, refresh, settle
from readings.storage.store import StoredSpan, store
from readings.storage.tests.test_equivalent_ways import undone
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory
from tests.state_machines import DatabaseMachine, run_machine

# About six seconds of CPU time.
EXAMPLES, STEPS = 12, 15
# Before midnight in London and the end of summer time.
START = datetime(2026, 10, 24, 21, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
zones = st.sampled_from(["Europe/London", "Asia/Kathmandu", "America/Havana"])
minutes = st.sampled_from([0, 5, 29, 30, 59, 60, 61, 200, 800])
temperatures = st.sampled_from([None, 4.0, 5.5, 60.0])


class Rollups(DatabaseMachine):
    """Two sensors of a unit."""

    def __init__(self) -> None:
        super().__init__(START + 200 * MINUTE)
        self.unit = StorageUnitFactory(facility__time_zone="Europe/London", gap_limit_seconds=5_400)
        self.sensors = SensorFactory.create_batch(2, storage_unit=self.unit)
        self.spans: list[StoredSpan] = []
        # Most steps change nothing without readings.
        self.send([(0, 0, 4.0), (1, 5, 5.5), (0, 60, 5.5), (1, 61, None), (0, 800, 4.0)])

    @initialize(is_refreshed_at_once=st.booleans())
    def choose(self, is_refreshed_at_once: bool) -> None:
        self.is_refreshed_at_once = is_refreshed_at_once

    @rule(sent=st.lists(st.tuples(st.integers(0, 1), minutes, temperatures), min_size=1, max_size=5))
    def send(self, sent: list[tuple[int, int, float | None]]) -> None:
        rows = [
            ReadingRow(self.unit.pk, self.sensors[number].pk, START + minute * MINUTE, temperature_c)
            for number, minute, temperature_c in sent
        ]
        self.spans += store(ReadingBatch.of_rows(rows), self.now).spans

    @rule(passed=minutes)
    def let_time_come(self, passed: int) -> None:
        self.pass_time(passed * MINUTE)
        store_due(self.unit.pk, self.now)

    @precondition(lambda self: Reading.objects.exists() or FutureReading.objects.exists())
    @rule(data=st.data(), temperature_c=temperatures)
    def replace(self, data: st.DataObject, temperature_c: float | None) -> None:
        key = ("sensor_id", "recorded_at")
        keys = [*Reading.objects.values_list(*key), *FutureReading.objects.values_list(*key)]
        sensor_id, recorded_at = data.draw(st.sampled_from(sorted(keys)))
        new = NewMeasurement(temperature_c, "C", 0.5, 2)
        replace_measurement(self.unit, sensor_id, recorded_at, new, by="ann", reason="A test.")

    @precondition(lambda self: self.spans)
    @rule()
    def withdraw_what_was_stored_last(self) -> None:
        withdraw(self.unit, [self.spans.pop()], by="ann", reason="A test.")
        rebuild([self.unit.pk])

    @rule(number=st.integers(0, 1), at=st.none() | minutes)
    def retire(self, number: int, at: int | None) -> None:
        sensor = Sensor.objects.get(pk=self.sensors[number].pk)
        sensor.retired_at = None if at is None else START + at * MINUTE
        sensor.save()

    @rule(seconds=st.sampled_from([600, 5_400, 90_000]))
    def change_the_staleness_limit(self, seconds: int) -> None:
        unit = StorageUnit.objects.get(pk=self.unit.pk)
        unit.gap_limit_seconds = seconds
        unit.save()

    @rule(zone=zones)
    def move_to_another_facility(self, zone: str) -> None:
        unit = StorageUnit.objects.get(pk=self.unit.pk)
        unit.facility = FacilityFactory(time_zone=zone)
        unit.save()

    @rule(zone=zones)
    def change_the_time_zone(self, zone: str) -> None:
        facility = StorageUnit.objects.get(pk=self.unit.pk).facility
        facility.time_zone = zone
        facility.save()

    @rule()
    def refresh_rollups(self) -> None:
        refresh()

    @rule()
    def rebuild_what_is_requested(self) -> None:
        run_requested_rebuilds()

    @invariant()
    def rollups_are_those_of_a_rebuild(self) -> None:
        if self.is_refreshed_at_once:
            run_tasks()
        with undone():
            run_tasks()
            stored_rows = rows()
            rebuild([self.unit.pk])
            settle(self.unit.pk)
            assert stored_rows == rows()


def run_tasks() -> None:
    run_requested_rebuilds()
    refresh()


def rows() -> list[list[tuple[object, ...]]]:
    """Return the rows of the roll-ups with readings or time in which one is valid, and the latest reading."""
    rollups = (
        model.objects.exclude(reading_count=0, weighted_seconds=0).order_by("pk")
        for model in (HourlyRollup, DailyRollup)
    )
    return [list(each.values_list()) for each in (*rollups, LatestReading.objects.all())]


@pytest.mark.django_db
@pytest.mark.storing
def test_no_sequence_of_events_makes_rollups_differ_from_rebuilt_ones() -> None:
    run_machine(Rollups, examples=EXAMPLES, steps=STEPS)
