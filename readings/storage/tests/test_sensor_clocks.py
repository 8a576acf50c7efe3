"""A sensor's clock is measured by when its readings arrive; late deliveries are no slow clocks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.utils import timezone

from customers.models import Sensor
from readings.models import FutureReading, Reading, SensorClock
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.sensor_clocks import measure_clocks
from readings.storage.store import store
from tests.factories import SensorFactory

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOW = timezone.now()


@pytest.fixture
def sensor() -> Sensor:
    sensor: Sensor = SensorFactory()
    return sensor


def deliver(sensor: Sensor, ago: float, lags: Iterable[float]) -> None:
    """Let readings arrive together this many minutes ago, each recorded its lag in minutes before that."""
    arrived_at = NOW - ago * MINUTE
    instants = [arrived_at - lag * MINUTE for lag in lags]
    rows = [ReadingRow(sensor.storage_unit_id, sensor.pk, instant, 5.0) for instant in instants]
    store(ReadingBatch.of_rows(rows), arrived_at)
    for model in (Reading, FutureReading):
        model.objects.filter(sensor=sensor, recorded_at__in=instants).update(created_at=arrived_at)


def drift(sensor: Sensor) -> float | None:
    """Measure; return the drift in minutes, None if it was not measured."""
    measure_clocks(NOW)
    clock = SensorClock.objects.filter(sensor=sensor).first()
    return None if clock is None else clock.drift_seconds / 60


def test_a_reading_ahead_of_its_arrival_is_drift(sensor: Sensor) -> None:
    deliver(sensor, 5, [-20 * 60])
    assert drift(sensor) == 20 * 60


def test_a_clock_is_ahead_by_what_the_least_delayed_reading_says(sensor: Sensor) -> None:
    for ago, delay in [(60, 9), (45, 2), (30, 4), (15, 30)]:
        deliver(sensor, ago, [delay - 10])
    assert drift(sensor) == 8


def test_a_clock_that_is_right_has_no_drift(sensor: Sensor) -> None:
    for ago in range(60, 0, -5):
        deliver(sensor, ago, [0.2, 5.2])
    assert drift(sensor) == 0


def test_a_clock_is_behind_by_what_a_wait_for_the_next_delivery_does_not_explain(sensor: Sensor) -> None:
    for ago in range(60, 0, -5):
        deliver(sensor, ago, [60.2])
    assert drift(sensor) == pytest.approx(-(60.2 - 5 - 1))


def test_a_delay_that_the_interval_of_deliveries_explains_is_no_drift(sensor: Sensor) -> None:
    for ago in (100, 70, 40, 10):
        deliver(sensor, ago, [25, 55])
    assert drift(sensor) == 0


@pytest.mark.parametrize("hours", [1, 24])
def test_a_source_that_delivers_hourly_or_daily_shows_a_slow_clock_with_its_third_delivery(
    sensor: Sensor, hours: float
) -> None:
    interval = hours * 60
    for number in (2, 1, 0):
        assert drift(sensor) is None
        deliver(sensor, 10 + number * interval, [1.5 * interval + minutes for minutes in range(0, int(interval), 30)])
    assert drift(sensor) == pytest.approx(-(0.5 * interval - 1))


def test_a_source_that_delivers_daily_and_on_time_has_no_drift(sensor: Sensor) -> None:
    for number in (2, 1, 0):
        deliver(sensor, 10 + number * 1440, range(2, 1440, 15))
    assert drift(sensor) == 0


class TestNothingIsMeasured:
    def test_where_readings_come_once_a_day(self, sensor: Sensor) -> None:
        deliver(sensor, 30, range(60, 1440, 15))
        assert drift(sensor) is None

    def test_while_old_rows_are_fetched_in_pieces(self, sensor: Sensor) -> None:
        for piece in range(5):
            deliver(sensor, 5 - piece / 10, range(1200 - 240 * piece, 960 - 240 * piece, -60))
        assert drift(sensor) is None

    def test_from_files_imported_one_after_the_other(self, sensor: Sensor) -> None:
        for number, day in enumerate((3, 2, 1)):
            deliver(sensor, 10 - number, [day * 300, day * 300 + 60])
        assert drift(sensor) is None

    def test_without_recent_readings(self, sensor: Sensor) -> None:
        deliver(sensor, 3 * 60, [-30])
        assert drift(sensor) is None


def test_an_outage_that_is_caught_up_with_is_no_drift(sensor: Sensor) -> None:
    for ago in (60, 55, 50):
        deliver(sensor, ago, [0.5])
    deliver(sensor, 10, [0.5, 10, 20, 30])
    deliver(sensor, 5, [0.5])
    assert drift(sensor) == 0


def test_a_clock_that_was_set_right_is_measured_as_right(sensor: Sensor) -> None:
    for ago in range(200, 130, -5):
        deliver(sensor, ago, [-20 * 60])
    for ago in range(100, 0, -5):
        deliver(sensor, ago, [0.5])
    assert drift(sensor) == 0


def test_each_sensor_has_its_own_clock(sensor: Sensor) -> None:
    other: Sensor = SensorFactory(storage_unit=sensor.storage_unit)
    for ago in range(30, 0, -5):
        deliver(sensor, ago, [0.5])
        deliver(other, ago, [-3])
    assert (drift(sensor), drift(other)) == (0, 3)


def test_measuring_again_changes_nothing(sensor: Sensor) -> None:
    deliver(sensor, 5, [-3])
    assert (drift(sensor), drift(sensor)) == (3, 3)
    assert SensorClock.objects.get().measured_at == NOW - 5 * MINUTE
