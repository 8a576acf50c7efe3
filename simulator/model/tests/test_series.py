from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.base.instants import HOUR, SECOND
from simulator.conftest import NOON_US
from simulator.model.fleet import Customer
from simulator.model.fleet_file import load_fleet
from simulator.model.series import Rows, UnitSeries

DAY_US = 24 * HOUR
YEAR_US = 365 * DAY_US

ALL_SERIES = [
    UnitSeries.of(7, customer, facility, unit)
    for customer in load_fleet("default").customers
    for facility, unit in customer.located_units()
]
any_series = st.sampled_from(ALL_SERIES)


def as_tuples(rows: Rows) -> list[tuple[object, ...]]:
    return list(zip(*(column.tolist() for column in rows), strict=True))


@given(any_series, st.integers(0, 60_000_000))
def test_the_same_instant_always_gives_the_same_reading(series: UnitSeries, index: int) -> None:
    alone = series.at(np.array([index], dtype=np.int64))
    among_others = series.at(np.arange(index - 20, index + 20, dtype=np.int64))
    assert as_tuples(alone)[0] == as_tuples(among_others)[20]


@settings(max_examples=50)
@given(any_series, st.integers(NOON_US - YEAR_US, NOON_US), st.integers(1, DAY_US), st.integers(1, DAY_US))
def test_overlapping_spans_agree_to_the_last_digit(
    series: UnitSeries, start_us: int, first_us: int, second_us: int
) -> None:
    middle_us, end_us = start_us + first_us, start_us + first_us + second_us
    whole = as_tuples(series.between(start_us, end_us))
    assert whole == as_tuples(series.between(start_us, middle_us)) + as_tuples(series.between(middle_us, end_us))


def test_another_seed_gives_other_readings(freezer: Customer) -> None:
    one, other = (UnitSeries.of(seed, freezer, *next(freezer.located_units())) for seed in (1, 2))
    assert as_tuples(one.between(NOON_US, NOON_US + HOUR)) != as_tuples(other.between(NOON_US, NOON_US + HOUR))


def test_a_known_reading_stays_what_it_was(freezer: Customer) -> None:
    """Ledgers that people keep would be worth nothing if a release changed the readings."""
    rows = UnitSeries.of(1, freezer, *next(freezer.located_units())).at(np.array([30_000_000], dtype=np.int64))
    assert (int(rows.sampled_us[0]), int(rows.thousandths[0])) == (1_800_000_032_542_898, -20_180)


@pytest.mark.parametrize("code", ["A", "B", "C", "E", "J"])
def test_nulls_come_at_the_rate_of_the_customers_kind(code: str) -> None:
    series = [each for each in ALL_SERIES if each.customer.code == code]
    rows = [each.between(NOON_US - YEAR_US // 4, NOON_US) for each in series]
    nulls = sum(int((~each.measured).sum()) for each in rows)
    count = sum(each.size for each in rows)
    expected = count * series[0].customer.data_quality.null_reading
    assert abs(nulls - expected) < 5 * (expected + 1) ** 0.5


def test_temperatures_have_two_decimals() -> None:
    rows = ALL_SERIES[0].between(NOON_US, NOON_US + DAY_US)
    assert (rows.thousandths % 10 == 0).all()
    assert (rows.thousandths % 1_000 != 0).any()


def test_a_unit_in_fahrenheit_reads_around_its_set_temperature_in_fahrenheit() -> None:
    series = next(each for each in ALL_SERIES if each.unit.temperature_unit == "F")
    rows = series.between(NOON_US, NOON_US + DAY_US)
    mean = rows.thousandths[rows.measured].mean() / 1_000
    assert mean == pytest.approx(series.unit.set_temperature, abs=1.5)


def test_sensor_ids_are_stable_and_realistic() -> None:
    sensor_id = ALL_SERIES[0].sensor_id
    assert sensor_id.startswith("sensor_ultra-low_freezer_1_")
    assert ALL_SERIES[0].sensor_id == sensor_id


def test_timestamps_of_whole_seconds_are_cut_not_rounded(freezer: Customer) -> None:
    spaced = replace(freezer, timestamps="space")
    rows = UnitSeries.of(1, spaced, *next(spaced.located_units())).between(NOON_US, NOON_US + HOUR)
    assert (rows.recorded_us % SECOND == 0).all()
    assert ((rows.sampled_us - rows.recorded_us) < SECOND).all()
    assert (rows.recorded_us <= rows.sampled_us).all()
