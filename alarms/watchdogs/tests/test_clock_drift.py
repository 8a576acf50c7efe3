"""A sensor whose clock is wrong by more than the limit raises an alarm until it is set right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from alarms.limits.retirement import retire
from alarms.models import Alarm, Message
from alarms.notifications.messages import alarm_content
from alarms.watchdogs.clock_drift import check_clocks
from customers.models import Sensor
from readings.models import FutureReading, SensorClock
from tests.factories import SensorFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db

NOW = timezone.now()
MINUTE = timedelta(minutes=1)


@pytest.fixture
def sensor() -> Sensor:
    sensor: Sensor = SensorFactory(sensor_code="S1")
    return sensor


def set_drift(sensor: Sensor, seconds: float, measured_at: timedelta = timedelta(0)) -> None:
    """Let the sensor's clock have been measured, `measured_at` after now."""
    SensorClock.objects.update_or_create(
        sensor=sensor,
        defaults={
            "storage_unit": sensor.storage_unit,
            "drift_seconds": seconds,
            "measured_at": NOW + measured_at,
        },
    )


def test_a_reading_dated_tomorrow_raises_an_alarm_that_names_the_sensor(sensor: Sensor) -> None:
    store_reading(sensor.storage_unit, recorded_at=NOW + timedelta(hours=20), received_at=NOW)
    assert FutureReading.objects.exists()
    check_clocks(timezone.now())
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.state, alarm.severity, alarm.sensor) == ("clock_drift", "open", "warning", sensor)
    assert alarm.storage_unit == sensor.storage_unit
    [event] = alarm.events.all()
    assert event.text.startswith("The clock of sensor S1 is 19 h") or event.text.startswith(
        "The clock of sensor S1 is 20 h"
    )
    assert event.text.endswith(" ahead.")


@pytest.mark.parametrize(("seconds", "opens"), [(300, False), (301, True), (-300, False), (-301, True)])
def test_the_limit_applies_in_both_directions(sensor: Sensor, seconds: float, opens: bool) -> None:
    set_drift(sensor, seconds)
    check_clocks(NOW)
    assert Alarm.objects.exists() == opens


def test_the_message_says_which_clock_is_wrong_by_how_much(sensor: Sensor) -> None:
    set_drift(sensor, 5_400)
    check_clocks(NOW)
    message = alarm_content(Alarm.objects.get(), Message.Reason.OPENED, NOW)
    assert message.subject.startswith("Warning: clock drift, ")
    assert "Sensor: S1, its clock is 1 h 30 min ahead" in message.body.splitlines()


def test_a_customer_can_have_a_limit_of_its_own(sensor: Sensor) -> None:
    customer = sensor.storage_unit.facility.customer
    customer.max_clock_drift_seconds = 1_000
    customer.save()
    other = SensorFactory()
    for each in (sensor, other):
        set_drift(each, -900)
    check_clocks(NOW)
    assert [alarm.sensor for alarm in Alarm.objects.all()] == [other]
    set_drift(sensor, 1_001)
    check_clocks(NOW)
    alarm = Alarm.objects.get(sensor=sensor)
    set_drift(sensor, 800)
    check_clocks(NOW)
    alarm.refresh_from_db()
    assert alarm.state == "closed"


def test_the_limit_is_a_setting(sensor: Sensor, settings: Settings) -> None:
    settings.MAX_CLOCK_DRIFT_SECONDS = 1_000
    set_drift(sensor, 900)
    check_clocks(NOW)
    assert not Alarm.objects.exists()


def test_checking_again_opens_no_second_alarm_but_one_for_another_sensor(sensor: Sensor) -> None:
    other = SensorFactory(storage_unit=sensor.storage_unit)
    set_drift(sensor, 3_600)
    check_clocks(NOW)
    check_clocks(NOW + 5 * MINUTE)
    assert Alarm.objects.count() == 1
    set_drift(other, 3_600)
    check_clocks(NOW + 10 * MINUTE)
    assert Alarm.objects.count() == 2


def test_it_ends_when_the_clock_is_well_within_the_limit(sensor: Sensor) -> None:
    set_drift(sensor, 3_600)
    check_clocks(NOW)
    alarm = Alarm.objects.get()
    for seconds, state in [(290, "open"), (241, "open"), (240, "closed")]:
        set_drift(sensor, seconds, measured_at=5 * MINUTE)
        check_clocks(NOW + 5 * MINUTE)
        alarm.refresh_from_db()
        assert alarm.state == state
    assert alarm.ended_at == NOW + 5 * MINUTE


def test_it_ends_when_the_sensor_has_reported_nothing_for_a_day(sensor: Sensor) -> None:
    set_drift(sensor, 3_600)
    check_clocks(NOW)
    check_clocks(NOW + timedelta(hours=25))
    assert Alarm.objects.get().state == "open"
    check_clocks(NOW + timedelta(hours=25, seconds=1))
    assert Alarm.objects.get().state == "closed"


def test_it_ends_when_the_sensor_is_retired(sensor: Sensor) -> None:
    """From then on its clock raises no alarm, and nobody can set it right."""
    set_drift(sensor, 600)
    check_clocks(NOW)
    retire(sensor, timezone.now(), by="anna")
    check_clocks(NOW + 5 * MINUTE)
    assert Alarm.objects.get().state == "closed"


@pytest.mark.parametrize("why", ["synthetic", "inactive"])
def test_drill_units_and_inactive_customers_raise_none(why: str) -> None:
    unit = StorageUnitFactory(is_synthetic=why == "synthetic")
    unit.facility.customer.is_active = why != "inactive"
    unit.facility.customer.save()
    set_drift(SensorFactory(storage_unit=unit), 3_600)
    check_clocks(NOW)
    assert not Alarm.objects.exists()
