"""How temperatures, ages and shares are written for people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from readings.units.condition import LimitsInForce
from readings.units.formatting import (
    age_text,
    deviation_text,
    duration_text,
    elapsed_text,
    exact_temperature_text,
    limits_text,
    share_text,
    temperature_text,
)

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("temperature_c", "scale", "text"),
    [
        (-74.31, "C", f"−74.31{NBSP}°C"),
        (5.0, "C", f"5.0{NBSP}°C"),
        (5.678, "C", f"5.68{NBSP}°C"),
        (-0.001, "C", f"0.0{NBSP}°C"),
        (-40.0, "F", f"−40.0{NBSP}°F"),
        (0.0, "K", f"273.15{NBSP}K"),
        (None, "C", "–"),
    ],
)
def test_a_temperature_is_written_on_its_scale(temperature_c: float | None, scale: str, text: str) -> None:
    assert temperature_text(temperature_c, scale) == text


def test_a_listed_temperature_keeps_every_digit_that_was_sent() -> None:
    assert exact_temperature_text((-0.148 - 32) * 5 / 9, "F") == f"−0.148{NBSP}°F"


@pytest.mark.parametrize(
    ("deviation_k", "scale", "text"),
    [
        (4.14, "C", f"+4.14{NBSP}K"),
        (-2.0, "K", f"−2.0{NBSP}K"),
        (2.5, "F", f"+4.5{NBSP}°F"),
        (0.0, "C", f"0.0{NBSP}K"),
        (0.004, "C", f"0.0{NBSP}K"),
        (-0.004, "C", f"0.0{NBSP}K"),
        (0.005, "F", f"+0.01{NBSP}°F"),
        (None, "F", "–"),
    ],
)
def test_a_deviation_carries_its_sign_and_the_unit_of_its_scale(
    deviation_k: float | None, scale: str, text: str
) -> None:
    assert deviation_text(deviation_k, scale) == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (None, "never"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(minutes=90), "1 h"),
        (timedelta(hours=47), "47 h"),
        (timedelta(hours=48), "2 days"),
        (timedelta(seconds=-30), "0 s"),
        (timedelta(hours=-1), "ahead"),
    ],
)
def test_an_age_is_written_in_its_largest_unit(age: timedelta | None, text: str) -> None:
    assert age_text(age) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, f"100{NBSP}%"), (0.99999, f"99.9{NBSP}%"), (0.928, f"92.8{NBSP}%"), (0.0, f"0.0{NBSP}%"), (None, "–")],
)
def test_only_the_whole_is_written_as_100_percent(share: float | None, text: str) -> None:
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "none"),
        (30, "30 s"),
        (90, "1 min 30 s"),
        (2_700, "45 min"),
        (12_000, "3 h 20 min"),
        (7_200, "2 h"),
        (86_400, "1 day"),
        (187_200, "2 days 4 h"),
    ],
)
def test_a_duration_is_written_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0.00 s"), (0.234, "0.23 s"), (59.5, "59.50 s"), (75.2, "1 min 15 s")]
)
def test_a_measured_duration_has_fractions_of_a_second_below_a_minute(seconds: float, text: str) -> None:
    assert elapsed_text(seconds) == text


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        (LimitsInForce(), "none"),
        (LimitsInForce(2.0, 2.0, 8.0, 8.0), f"2.0 to 8.0{NBSP}°C"),
        (
            LimitsInForce(-0.5, 2.0, 8.0, 15.0),
            f"2.0 to 8.0{NBSP}°C, critical beyond −0.5 to 15.0{NBSP}°C",
        ),
        (LimitsInForce(high_critical_c=-15.0), f"−15.0{NBSP}°C and colder"),
        (LimitsInForce(low_warning_c=2.0), f"2.0{NBSP}°C and warmer"),
    ],
)
def test_limits_include_critical_ones_that_differ(limits: LimitsInForce, text: str) -> None:
    assert limits_text(limits, "C") == text


def test_limits_are_written_on_the_units_scale() -> None:
    assert limits_text(LimitsInForce(2.0, 2.0, 8.0, 8.0), "F") == f"35.6 to 46.4{NBSP}°F"
