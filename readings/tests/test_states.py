"""The state of a unit, by its newest reading."""

from datetime import timedelta

import pytest

from readings.states import DeviationLimits, UnitState, deviation_k, state_of

GAP_LIMIT = timedelta(minutes=45)
FRESH = timedelta(minutes=5)


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
def test_the_deviation_from_the_set_temperature_decides(temperature_c, state):
    given = state_of(age=FRESH, gap_limit=GAP_LIMIT, temperature_c=temperature_c, set_temperature_c=5.0)
    assert given is state


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (GAP_LIMIT, UnitState.CRITICAL),
        (GAP_LIMIT + timedelta(seconds=1), UnitState.NO_DATA),
        (None, UnitState.NO_DATA),
        (timedelta(minutes=-5), UnitState.CRITICAL),
    ],
)
def test_a_reading_older_than_the_gap_limit_says_nothing_of_now(age, state):
    assert state_of(age=age, gap_limit=GAP_LIMIT, temperature_c=90.0, set_temperature_c=5.0) is state


def test_without_a_set_temperature_nothing_is_said_to_be_in_limits():
    given = state_of(age=FRESH, gap_limit=GAP_LIMIT, temperature_c=5.0, set_temperature_c=None)
    assert given is UnitState.NO_LIMITS


def test_other_limits_take_the_defaults_place():
    given = state_of(
        age=FRESH, gap_limit=GAP_LIMIT, temperature_c=5.6, set_temperature_c=5.0, limits=DeviationLimits(0.5, 1.0)
    )
    assert given is UnitState.WARNING


def test_two_kelvin_out_of_fahrenheit_are_two_kelvin():
    assert deviation_k((38.6 - 32) * 5 / 9, (35.0 - 32) * 5 / 9) == 2.0


def test_the_worst_ranks_first():
    assert sorted(UnitState, key=lambda state: state.rank)[0] is UnitState.CRITICAL
    assert UnitState.IN_LIMITS.rank == len(UnitState) - 1
