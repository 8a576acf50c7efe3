"""Time-based alarms: missing data, sources that are down, faulty sensors, and cleared alarms."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alarms.lifecycle import transitions
from alarms.limits.retirement import retire
from alarms.models import Alarm, AlarmEvent
from alarms.tests.evaluation import load
from alarms.watchdogs import source_down
from customers.models import Sensor
from ingestion.loading.registration import link_units
from ingestion.models import Source
from ingestion.watchdog import run_watchdogs
from readings.models import LatestReading, Reading, SensorClock
from readings.storage.reading_batch import ReadingRow
from tests.alarm_factories import AlarmFactory
from tests.factories import SensorFactory, SourceFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def sensor() -> Sensor:
    """Create a sensor read every minute: overdue after 3 + 5 minutes, since its customer delivers every 300 s."""
    return SensorFactory(storage_unit=StorageUnitFactory(interval_seconds=60))


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def read(
    sensor: Sensor, recorded_at: datetime, temperature_c: float | None = 5.0, stored_at: datetime | None = None
) -> None:
    load([ReadingRow(sensor.storage_unit_id, sensor.pk, recorded_at, temperature_c)], stored_at or recorded_at)
    for model in (Reading, LatestReading):
        model.objects.filter(recorded_at=recorded_at).update(created_at=stored_at or recorded_at)


def source_of(sensor: Sensor, now: datetime, **fields: object) -> Source:
    """Create a healthy source, unless `fields` say otherwise, that delivers the sensor's unit."""
    fields = {"last_success_at": now, "interval_seconds": 60} | fields
    source = SourceFactory(customer=sensor.storage_unit.facility.customer, **fields)
    link_units([(source.pk, sensor.storage_unit_id)])
    return source


def source_that_recovers(sensor: Sensor, now: datetime) -> Source:
    """Create a source that is down for 20 minutes with the sensor's unit, and succeeds without the unit then."""
    source = source_of(sensor, now, failures_in_a_row=3)
    read(sensor, now)
    run_watchdogs(now + 20 * MINUTE)
    source.failures_in_a_row, source.last_success_at = 0, now + 21 * MINUTE
    source.save()
    run_watchdogs(now + 21 * MINUTE)
    return source


def kinds_of(alarm: Alarm) -> list[str]:
    return [event.kind for event in alarm.events.all()]


def test_missing_data_opens_an_alarm_that_the_next_reading_ends(sensor: Sensor, now: datetime) -> None:
    read(sensor, now)
    run_watchdogs(now + 8 * MINUTE)
    assert not Alarm.objects.exists()
    run_watchdogs(now + 9 * MINUTE)
    run_watchdogs(now + 10 * MINUTE)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state, alarm.started_at) == ("no_data", "open", now)
    read(sensor, now + 11 * MINUTE)
    run_watchdogs(now + 12 * MINUTE)
    alarm.refresh_from_db()
    assert (alarm.state, alarm.ended_at) == ("closed", now + 11 * MINUTE)
    assert sorted(kinds_of(alarm)) == ["closed", "ended", "opened"]


def overdue_after(sensor: Sensor, now: datetime) -> int:
    """Return after how many whole minutes without readings the sensor's unit has an alarm."""
    read(sensor, now)
    for minutes in range(24 * 60):
        run_watchdogs(now + minutes * MINUTE)
        if Alarm.objects.filter(kind="no_data").exists():
            return minutes
    raise AssertionError("No alarm within a day.")


class TestMissingDataIsExpectedByTheIntervalOf:
    """The staleness limit of these units is 3 minutes; their customer's usual interval is 5."""

    def test_the_source_that_delivers_the_unit(self, sensor: Sensor, now: datetime) -> None:
        source_of(sensor, now + timedelta(days=1), interval_seconds=3600)
        assert overdue_after(sensor, now) == 64

    def test_the_most_frequent_of_several_sources(self, sensor: Sensor, now: datetime) -> None:
        for interval_seconds in (7200, 1200):
            source_of(sensor, now + timedelta(days=1), interval_seconds=interval_seconds)
        assert overdue_after(sensor, now) == 24

    @pytest.mark.parametrize("unused", [{"is_paused": True}, {"url": ""}])
    def test_the_customer_without_a_source_that_is_polled(
        self, sensor: Sensor, now: datetime, unused: dict[str, object]
    ) -> None:
        source_of(sensor, now, interval_seconds=3600, **unused)
        assert overdue_after(sensor, now) == 9

    def test_the_customer_who_also_pushes(self, sensor: Sensor, now: datetime) -> None:
        customer = sensor.storage_unit.facility.customer
        customer.data_sharing_method = "push"
        customer.save()
        source_of(sensor, now + timedelta(days=1), interval_seconds=3600)
        assert overdue_after(sensor, now) == 9


def test_a_unit_of_a_source_that_is_polled_hourly_recovers_with_its_next_reading(sensor: Sensor, now: datetime) -> None:
    source_of(sensor, now + timedelta(days=1), interval_seconds=3600)
    read(sensor, now)
    run_watchdogs(now + 90 * MINUTE)
    read(sensor, now + 80 * MINUTE)
    run_watchdogs(now + 130 * MINUTE)
    assert Alarm.objects.get().state == "closed"


def test_a_unit_with_only_old_readings_is_not_missing_data(sensor: Sensor, now: datetime) -> None:
    read(sensor, now - timedelta(days=400), stored_at=now)
    run_watchdogs(now)
    assert not Alarm.objects.exists()


def clock_of(sensor: Sensor, now: datetime, drift: timedelta) -> None:
    SensorClock.objects.create(
        sensor=sensor, storage_unit=sensor.storage_unit, drift_seconds=drift.total_seconds(), measured_at=now
    )


def test_a_unit_whose_clock_is_behind_is_missing_data_until_more_arrives(sensor: Sensor, now: datetime) -> None:
    behind = timedelta(hours=5)
    clock_of(sensor, now, -behind)
    read(sensor, now - behind, stored_at=now)
    run_watchdogs(now + 7 * MINUTE)
    assert not Alarm.objects.exists()

    run_watchdogs(now + 9 * MINUTE)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state, alarm.started_at) == ("no_data", "open", now)

    read(sensor, now + 10 * MINUTE - behind, stored_at=now + 10 * MINUTE)
    run_watchdogs(now + 11 * MINUTE)
    alarm.refresh_from_db()
    assert (alarm.state, alarm.ended_at) == ("closed", now + 10 * MINUTE)


def test_a_unit_that_stops_while_it_sends_a_backlog_is_missing_data(sensor: Sensor, now: datetime) -> None:
    clock_of(sensor, now, timedelta())
    read(sensor, now - 90 * MINUTE, stored_at=now)
    run_watchdogs(now + 7 * MINUTE)
    assert not Alarm.objects.exists()

    run_watchdogs(now + 9 * MINUTE)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state, alarm.started_at) == ("no_data", "open", now - 90 * MINUTE)

    # More of the backlog does not end it.
    read(sensor, now - 60 * MINUTE, stored_at=now + 10 * MINUTE)
    run_watchdogs(now + 11 * MINUTE)
    alarm.refresh_from_db()
    assert alarm.state == "open"


@pytest.mark.parametrize("clock", ["of a retired sensor", "of another sensor", "measured long ago"])
def test_a_clock_that_is_behind_delays_no_alarm_of_readings_by_another(
    sensor: Sensor, now: datetime, clock: str
) -> None:
    """A reading was measured before it arrived: also if its clock has been set right since it was last measured."""
    other = SensorFactory(storage_unit=sensor.storage_unit, retired_at=now if clock == "of a retired sensor" else None)
    clock_of(sensor if clock == "measured long ago" else other, now - timedelta(days=30), -timedelta(hours=5))
    read(sensor, now - 90 * MINUTE, stored_at=now)
    run_watchdogs(now + 7 * MINUTE)
    assert not Alarm.objects.exists()

    run_watchdogs(now + 9 * MINUTE)

    assert Alarm.objects.get().kind == "no_data"


@pytest.mark.parametrize("why", ["all sensors are retired", "an import was undone that stored all of its readings"])
def test_a_unit_that_is_monitored_no_longer_misses_no_data(sensor: Sensor, now: datetime, why: str) -> None:
    read(sensor, now)
    run_watchdogs(now + 20 * MINUTE)
    assert Alarm.objects.get().state == "open"
    retire(sensor, now, by="ann") if "retired" in why else LatestReading.objects.all().delete()
    run_watchdogs(now + 21 * MINUTE)
    assert Alarm.objects.get().state == "closed"


@pytest.mark.parametrize("why", ["synthetic", "inactive"])
def test_drill_units_and_inactive_customers_are_not_monitored(sensor: Sensor, now: datetime, why: str) -> None:
    unit = sensor.storage_unit
    if why == "synthetic":
        unit.is_synthetic = True
        unit.save()
    else:
        unit.facility.customer.is_active = False
        unit.facility.customer.save()
    read(sensor, now)
    run_watchdogs(now + 60 * MINUTE)
    assert not Alarm.objects.exists()


def test_a_source_without_a_success_for_three_intervals_is_down_until_it_succeeds(
    sensor: Sensor, now: datetime
) -> None:
    source = source_of(sensor, now)
    run_watchdogs(now + 4 * MINUTE)
    assert not Alarm.objects.exists()
    run_watchdogs(now + 4 * MINUTE + timedelta(seconds=1))
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.source_key, alarm.started_at) == ("source_down", source.public_id, now)
    source.last_success_at = now + 5 * MINUTE
    source.save()
    run_watchdogs(now + 5 * MINUTE)
    alarm.refresh_from_db()
    assert alarm.state == "closed"


def test_a_source_that_is_down_inhibits_the_alarms_of_its_units(sensor: Sensor, now: datetime) -> None:
    source_of(sensor, now, failures_in_a_row=3)
    read(sensor, now)
    run_watchdogs(now + 20 * MINUTE)
    down = Alarm.objects.get(kind="source_down")
    missing = Alarm.objects.get(kind="no_data")
    assert list(down.suppressed.all()) == [missing]
    assert kinds_of(missing) == [AlarmEvent.Kind.SUPPRESSED]


def test_missing_data_waits_while_its_source_fails_but_is_not_down(sensor: Sensor, now: datetime) -> None:
    source_of(sensor, now, failures_in_a_row=1, interval_seconds=3600)
    read(sensor, now)
    run_watchdogs(now + 30 * MINUTE)
    assert not Alarm.objects.exists()


def test_a_unit_with_another_working_source_is_not_inhibited(sensor: Sensor, now: datetime) -> None:
    source_of(sensor, now, failures_in_a_row=1, interval_seconds=3600)
    source_of(sensor, now, last_success_at=now + 30 * MINUTE)
    read(sensor, now)
    run_watchdogs(now + 30 * MINUTE)
    assert Alarm.objects.get().kind == "no_data"


def test_an_alarm_that_opened_before_its_source_was_down_is_inhibited_then(sensor: Sensor, now: datetime) -> None:
    source = source_of(sensor, now + 20 * MINUTE)
    read(sensor, now)
    run_watchdogs(now + 10 * MINUTE)
    missing = Alarm.objects.get()
    assert missing.suppressed_by is None
    source.failures_in_a_row = 9
    source.save()
    run_watchdogs(now + 30 * MINUTE)
    missing.refresh_from_db()
    assert missing.suppressed_by == Alarm.objects.get(kind="source_down")


def test_a_unit_without_data_after_its_source_has_recovered_is_released(sensor: Sensor, now: datetime) -> None:
    source = source_that_recovers(sensor, now)
    missing = Alarm.objects.get(kind="no_data")
    assert missing.suppressed_by is not None
    source.last_success_at = now + 30 * MINUTE
    source.save()
    run_watchdogs(now + 30 * MINUTE)
    missing = Alarm.objects.get(pk=missing.pk)
    assert (missing.state, missing.suppressed_by) == ("open", None)
    assert kinds_of(missing)[-1] == AlarmEvent.Kind.RELEASED


def test_an_alarm_remains_inhibited_while_its_source_is_down_again(sensor: Sensor, now: datetime) -> None:
    source = source_that_recovers(sensor, now)
    source.failures_in_a_row = 3
    source.save()

    run_watchdogs(now + 40 * MINUTE)

    missing = Alarm.objects.get(kind="no_data")
    assert missing.suppressed_by == Alarm.objects.get(kind="source_down", state="open")
    assert AlarmEvent.Kind.RELEASED not in kinds_of(missing)


def test_a_faulty_sensor_opens_an_alarm_that_its_next_measurement_ends(sensor: Sensor, now: datetime) -> None:
    read(sensor, now)
    for minute in range(1, 4):
        read(sensor, now + minute * MINUTE, None)
    run_watchdogs(now + 3 * MINUTE)
    assert not Alarm.objects.exists()
    read(sensor, now + 4 * MINUTE, None)
    run_watchdogs(now + 4 * MINUTE)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.sensor, alarm.started_at) == ("sensor_fault", sensor, now + MINUTE)
    read(sensor, now + 5 * MINUTE)
    run_watchdogs(now + 5 * MINUTE)
    alarm.refresh_from_db()
    assert alarm.state == "closed"


def test_alarms_of_a_faulty_sensor_and_of_an_excursion_end_with_their_customer(sensor: Sensor, now: datetime) -> None:
    """As those of missing data, clocks and sources do: nothing is monitored any more."""
    for minutes in range(5):
        read(sensor, now + minutes * MINUTE, None)
    run_watchdogs(now + 5 * MINUTE)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state) == ("sensor_fault", "open")
    excursion_alarm = AlarmFactory(storage_unit=sensor.storage_unit)
    customer = sensor.storage_unit.facility.customer
    customer.is_active = False
    customer.save()

    run_watchdogs(now + 6 * MINUTE)

    alarm.refresh_from_db()
    assert (alarm.state, alarm.ended_at) == ("closed", now + 6 * MINUTE)
    excursion_alarm.refresh_from_db()
    assert (excursion_alarm.state, excursion_alarm.ended_at) == ("closed", None)


def test_late_faults_open_no_alarm(sensor: Sensor, now: datetime) -> None:
    for minute in range(10):
        read(sensor, now - timedelta(days=2) + minute * MINUTE, None, stored_at=now)
    run_watchdogs(now)
    assert not Alarm.objects.exists()


def test_an_alarm_closes_automatically_once_its_clearing_delay_has_passed(sensor: Sensor, now: datetime) -> None:
    unit = sensor.storage_unit
    load([ReadingRow(unit.pk, sensor.pk, now + minute * MINUTE, 9.0) for minute in range(40)], now + 40 * MINUTE)
    alarm = Alarm.objects.get()
    assert alarm.state == "open"
    read(sensor, now + 40 * MINUTE)
    run_watchdogs(now + 40 * MINUTE)
    alarm.refresh_from_db()
    assert (alarm.state, alarm.ended_at) == ("closed", now + 40 * MINUTE)


def test_an_alarm_that_cannot_be_opened_keeps_no_other_from_opening(
    sensor: Sensor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SensorFactory(storage_unit=StorageUnitFactory(interval_seconds=60))
    for each in (sensor, other):
        read(each, now)

    def dispatch_unless_first(event: AlarmEvent) -> None:
        if event.alarm.storage_unit_id == sensor.storage_unit_id:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")

    with monkeypatch.context() as patched:
        patched.setattr(transitions, "dispatch", dispatch_unless_first)
        assert run_watchdogs(now + 9 * MINUTE)
    assert [alarm.storage_unit_id for alarm in Alarm.objects.all()] == [other.storage_unit_id]

    run_watchdogs(now + 10 * MINUTE)

    assert {alarm.storage_unit_id for alarm in Alarm.objects.all()} == {sensor.storage_unit_id, other.storage_unit_id}


def test_a_watchdog_that_fails_keeps_no_other_from_running(
    sensor: Sensor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(sensor, now)
    monkeypatch.setattr(source_down, "open_alarm", None)
    monkeypatch.setattr("ingestion.watchdog.UNITS_OF_FAILING_SOURCES", "SELECT 1 / 0")
    source_of(sensor, now - 60 * MINUTE, failures_in_a_row=3)
    fault = SensorFactory(storage_unit=StorageUnitFactory(interval_seconds=60))
    for minutes in range(10):
        read(fault, now + minutes * MINUTE, None)

    assert run_watchdogs(now + 10 * MINUTE)

    assert [alarm.kind for alarm in Alarm.objects.all()] == ["sensor_fault"]


def test_an_alarm_of_a_source_does_not_end_because_it_cannot_be_told_which_sources_fail(
    sensor: Sensor, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    source_of(sensor, now, failures_in_a_row=3)
    run_watchdogs(now + 20 * MINUTE)

    monkeypatch.setattr("ingestion.watchdog.with_state", None)
    assert run_watchdogs(now + 21 * MINUTE)

    assert Alarm.objects.get(kind="source_down").state == "open"
