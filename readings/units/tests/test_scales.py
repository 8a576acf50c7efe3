"""Scales: every temperature comes back with the digits it was sent with."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readings.units.scales import (
    Scale,
    convert,
    difference_from_kelvin,
    from_celsius,
    parse_scale,
    to_celsius,
)

sent_values = st.decimals(min_value=-9999, max_value=9999, places=6) | st.decimals(-9999, 9999, places=2)


@pytest.mark.parametrize(
    ("value", "scale", "celsius"),
    [(32.0, "F", 0.0), (-40.0, "F", -40.0), (0.0, "F", -17.77777777777778), (273.15, "K", 0.0), (-74.31, "C", -74.31)],
)
def test_temperatures_become_celsius(value: float, scale: str, celsius: float) -> None:
    assert to_celsius(value, scale) == celsius


@given(value=sent_values, scale=st.sampled_from(Scale))
def test_values_are_returned_with_the_digits_that_were_sent(value: Decimal, scale: Scale) -> None:
    sent = float(value)
    assert from_celsius(to_celsius(sent, scale), scale) == sent


@given(values=st.lists(sent_values, min_size=1, max_size=20), scale=st.sampled_from(Scale))
def test_columns_and_single_values_agree(values: list[Decimal], scale: Scale) -> None:
    sent = [float(value) for value in values]
    celsius = [to_celsius(value, scale) for value in sent]
    assert to_celsius(np.array(sent), scale).tolist() == celsius
    assert from_celsius(np.array(celsius), scale).tolist() == sent
    assert from_celsius(pl.Series(celsius), scale).to_list() == sent
    frame = pl.DataFrame({"celsius": celsius}).select(from_celsius(pl.col("celsius"), scale))
    assert frame["celsius"].to_list() == sent


def test_one_scale_converts_to_another() -> None:
    assert convert(0.0, "K", "F") == -459.67
    assert convert(-74.31, "C", "C") == -74.31
    assert convert(212.0, "F", "K") == 373.15


def test_a_difference_of_five_kelvin_is_nine_fahrenheit() -> None:
    assert difference_from_kelvin(5.0, "F") == 9.0
    assert difference_from_kelvin(5.0, "C") == difference_from_kelvin(5.0, "K") == 5.0


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("C", Scale.CELSIUS),
        (" c ", Scale.CELSIUS),
        ("degrees C", Scale.CELSIUS),
        ("Celsius", Scale.CELSIUS),
        ("℃", Scale.CELSIUS),
        ("ºC", Scale.CELSIUS),
        ("°F", Scale.FAHRENHEIT),
        ("degF", Scale.FAHRENHEIT),
        ("deg. F", Scale.FAHRENHEIT),
        ("FAHRENHEIT", Scale.FAHRENHEIT),
        ("K", Scale.KELVIN),
        ("kelvin", Scale.KELVIN),
        ("", None),
        ("R", None),
        ("degrees", None),
        ("°", None),
    ],
)
def test_scales_are_known_by_many_names(text: str, scale: Scale | None) -> None:
    assert parse_scale(text) is scale


def test_labels_are_what_people_write() -> None:
    assert [scale.label for scale in Scale] == ["°C", "°F", "K"]
