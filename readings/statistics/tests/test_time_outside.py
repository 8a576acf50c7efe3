"""For how long a unit was outside its limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from customers.models import StorageUnit
from readings.statistics.time_outside import MAX_WEIGHTED_RANGE, TimeOutside, TooMuchOutside, time_outside
from readings.time_ranges import TimeRange
from tests.factories import SensorFactory, StorageUnitFactory, store_reading, store_readings

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def outside_of(unit: StorageUnit, since: datetime = START, until: datetime = START + DAY) -> TimeOutside | None:
    return time_outside(unit.pk, TimeRange(since, until))


def set_limits(unit: StorageUnit, **limits: float) -> None:
    """Give the unit these limits, and no others at any time."""
    unit.limit_versions.all().delete()
    columns = dict.fromkeys(("low_critical_c", "low_warning_c", "high_warning_c", "high_critical_c"))
    StorageUnit.objects.filter(pk=unit.pk).update(**(columns | limits))


def warning_time_of(unit: StorageUnit, since: datetime = START, until: datetime = START + DAY) -> timedelta:
    """Return the time outside the warning limits, which must be known."""
    found = outside_of(unit, since, until)
    assert found is not None
    return found.outside


@pytest.fixture
def unit() -> StorageUnit:
    """Set to 5 °C; a reading is valid for 45 minutes at most."""
    return StorageUnitFactory()


def test_a_unit_always_within_its_limits_was_never_outside(unit: StorageUnit) -> None:
    store_readings(unit, [5.0, 7.0, 3.0], start=START)
    assert outside_of(unit) == TimeOutside(timedelta(), timedelta())


def test_each_reading_outside_counts_until_the_next_one(unit: StorageUnit) -> None:
    store_readings(unit, [5.0, 7.1, 11.0, 5.0, 2.9, 5.0], start=START)
    assert outside_of(unit) == TimeOutside(45 * MINUTE, 15 * MINUTE)


def test_the_last_reading_outside_counts_until_the_staleness_limit(unit: StorageUnit) -> None:
    store_reading(unit, 20.0, START + 50 * MINUTE)
    assert outside_of(unit) == TimeOutside(45 * MINUTE, 45 * MINUTE)


def test_a_reading_valid_at_the_start_of_the_range_counts_from_there(unit: StorageUnit) -> None:
    store_readings(unit, [20.0, 5.0], start=START - 10 * MINUTE, every=30 * MINUTE)
    assert warning_time_of(unit) == 20 * MINUTE


def test_a_reading_valid_at_the_end_of_the_range_counts_up_to_there(unit: StorageUnit) -> None:
    store_reading(unit, 20.0, START + DAY - 10 * MINUTE)
    assert warning_time_of(unit) == 10 * MINUTE


def test_two_sensors_outside_at_one_time_count_once(unit: StorageUnit) -> None:
    store_readings(unit, [20.0, 5.0], start=START)
    store_readings(unit, [20.0, 5.0], start=START + 5 * MINUTE, sensor=SensorFactory(storage_unit=unit))
    assert warning_time_of(unit) == 20 * MINUTE


def test_a_fault_is_not_outside(unit: StorageUnit) -> None:
    store_readings(unit, [20.0, None, 5.0], start=START)
    assert warning_time_of(unit) == 15 * MINUTE


def test_without_limits_it_is_unknown() -> None:
    unit = StorageUnitFactory(set_temperature=None)
    store_reading(unit, 20.0, START)
    assert outside_of(unit) is None


def test_exactly_at_an_inclusive_limit_is_outside(unit: StorageUnit) -> None:
    store_readings(unit, [7.0, 10.0, 3.0, 5.0], start=START)
    limits = {"low_critical_c": 0.0, "low_warning_c": 3.0, "high_warning_c": 7.0, "high_critical_c": 10.0}
    set_limits(unit, **limits)
    assert outside_of(unit) == TimeOutside(15 * MINUTE, timedelta())
    set_limits(unit, **limits, is_limit_outside=True)
    assert outside_of(unit) == TimeOutside(45 * MINUTE, 15 * MINUTE)


def test_an_upper_limit_alone_counts_warmer_readings(unit: StorageUnit) -> None:
    store_readings(unit, [-30.0, -16.0, -10.0, -20.0], start=START)
    set_limits(unit, high_warning_c=-18.0, high_critical_c=-15.0)
    assert outside_of(unit) == TimeOutside(30 * MINUTE, 15 * MINUTE)


def test_a_short_time_outside_is_known_over_years(unit: StorageUnit) -> None:
    store_readings(unit, [20.0, 5.0], start=START)
    assert warning_time_of(unit, START - 1000 * DAY, START + 1000 * DAY) == 15 * MINUTE


def test_a_long_time_outside_is_unknown_for_a_long_range(unit: StorageUnit) -> None:
    days = MAX_WEIGHTED_RANGE // DAY + 1
    store_readings(unit, [20.0] * 24 * days, start=START, every=60 * MINUTE)
    with pytest.raises(TooMuchOutside):
        outside_of(unit, START, START + days * DAY)
    assert warning_time_of(unit, START, START + DAY) == 24 * 45 * MINUTE
