"""The state of a unit, by its newest reading."""

from __future__ import annotations

from datetime import timedelta

import pytest

from readings.units.condition import LimitsInForce, UnitState, deviation_k, state_of

STALENESS_LIMIT = timedelta(minutes=45)
FRESH = timedelta(minutes=5)
# 2 K and 5 K around 5 °C.
LIMITS = LimitsInForce(0.0, 3.0, 7.0, 10.0)


def state_at(temperature_c: float | None, limits: LimitsInForce = LIMITS) -> UnitState:
    return state_of(age=FRESH, staleness_limit=STALENESS_LIMIT, temperature_c=temperature_c, limits=limits)


@pytest.mark.parametrize(
    ("temperature_c", "state"),
    [
        (5.0, UnitState.IN_LIMITS),
        (7.0, UnitState.IN_LIMITS),
        (7.01, UnitState.WARNING),
        (2.99, UnitState.WARNING),
        (10.0, UnitState.WARNING),
        (10.01, UnitState.CRITICAL),
        (-0.01, UnitState.CRITICAL),
        (None, UnitState.SENSOR_FAULT),
    ],
)
def test_the_state_follows_the_limits_in_force(temperature_c: float | None, state: UnitState) -> None:
    assert state_at(temperature_c) is state


@pytest.mark.parametrize(
    ("temperature_c", "state"),
    [
        (7.0, UnitState.WARNING),
        (6.99, UnitState.IN_LIMITS),
        (3.0, UnitState.WARNING),
        (10.0, UnitState.CRITICAL),
        (0.0, UnitState.CRITICAL),
    ],
)
def test_exactly_at_an_inclusive_limit_is_outside(temperature_c: float, state: UnitState) -> None:
    assert state_at(temperature_c, LimitsInForce(0.0, 3.0, 7.0, 10.0, is_inclusive=True)) is state


@pytest.mark.parametrize(
    ("temperature_c", "state"),
    [(-0.5, UnitState.CRITICAL), (-0.49, UnitState.WARNING), (2.0, UnitState.IN_LIMITS), (8.0, UnitState.IN_LIMITS)],
)
def test_the_low_critical_limit_alone_can_be_inclusive(temperature_c: float, state: UnitState) -> None:
    assert state_at(temperature_c, LimitsInForce(-0.5, 2.0, 8.0, 8.0, is_low_critical_inclusive=True)) is state


@pytest.mark.parametrize(
    ("temperature_c", "state"), [(-80.0, UnitState.IN_LIMITS), (-17.0, UnitState.WARNING), (-14.0, UnitState.CRITICAL)]
)
def test_nothing_is_beyond_a_missing_limit(temperature_c: float, state: UnitState) -> None:
    assert state_at(temperature_c, LimitsInForce(high_warning_c=-18.0, high_critical_c=-15.0)) is state


def test_without_a_warning_limit_the_critical_one_applies() -> None:
    assert state_at(9.0, LimitsInForce(high_critical_c=8.0)) is UnitState.CRITICAL
    assert state_at(8.0, LimitsInForce(high_critical_c=8.0)) is UnitState.IN_LIMITS


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (STALENESS_LIMIT, UnitState.CRITICAL),
        (STALENESS_LIMIT + timedelta(seconds=1), UnitState.NO_DATA),
        (None, UnitState.NO_DATA),
        (timedelta(minutes=-5), UnitState.CRITICAL),
    ],
)
def test_a_reading_older_than_the_staleness_limit_is_no_data(age: timedelta | None, state: UnitState) -> None:
    assert state_of(age=age, staleness_limit=STALENESS_LIMIT, temperature_c=90.0, limits=LIMITS) is state


def test_without_limits_the_state_is_no_limits() -> None:
    assert state_at(5.0, LimitsInForce()) is UnitState.NO_LIMITS


def test_zero_degrees_is_a_limit() -> None:
    assert state_at(0.1, LimitsInForce(high_warning_c=0.0)) is UnitState.WARNING


def test_rounding_of_fahrenheit_does_not_put_a_reading_outside() -> None:
    at_the_limit_c = (44.6 - 32) * 5 / 9
    assert at_the_limit_c != 7.0
    assert state_at(at_the_limit_c) is UnitState.IN_LIMITS
    assert state_at(at_the_limit_c, LimitsInForce(high_warning_c=7.0, is_inclusive=True)) is UnitState.WARNING


def test_rounding_of_fahrenheit_does_not_change_a_deviation() -> None:
    assert deviation_k((38.6 - 32) * 5 / 9, (35.0 - 32) * 5 / 9) == 2.0


def test_the_worst_ranks_first() -> None:
    assert sorted(UnitState, key=lambda state: state.rank)[0] is UnitState.CRITICAL
    assert UnitState.IN_LIMITS.rank == len(UnitState) - 1
