"""Temperatures in forms: what is entered on a unit's scale is kept in °C, and shown as it was entered."""

from __future__ import annotations

import pytest
from django import forms
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from readings.units.scales import Scale
from readings.web.temperature_fields import TemperatureField, use_scale

scales = st.sampled_from(Scale)


def field_on(scale: Scale, *, is_difference: bool = False) -> TemperatureField:
    lowest, highest = (0.0, 50.0) if is_difference else (-273.15, 1_000.0)
    field = TemperatureField(
        label="High warning", lowest=lowest, highest=highest, required=False, is_difference=is_difference
    )
    field.use_scale(scale)
    return field


@pytest.mark.parametrize(
    ("scale", "entered", "temperature_c"),
    [(Scale.CELSIUS, "8", 8.0), (Scale.FAHRENHEIT, "46.4", 8.0), (Scale.KELVIN, "281.15", 8.0)],
)
def test_a_temperature_is_entered_on_the_scale(scale: Scale, entered: str, temperature_c: float) -> None:
    assert field_on(scale).clean(entered) == temperature_c


@pytest.mark.parametrize(
    ("scale", "entered", "difference_k"),
    [(Scale.CELSIUS, "5", 5.0), (Scale.FAHRENHEIT, "9", 5.0), (Scale.KELVIN, "5", 5.0)],
)
def test_a_difference_is_entered_in_degrees_of_the_scale(scale: Scale, entered: str, difference_k: float) -> None:
    assert field_on(scale, is_difference=True).clean(entered) == difference_k


def test_an_empty_field_is_no_temperature() -> None:
    assert field_on(Scale.FAHRENHEIT).clean("") is None


@given(st.decimals(min_value=-100, max_value=1_000, places=4), scales, st.booleans())
def test_it_is_shown_as_it_was_entered(entered: object, scale: Scale, is_difference: bool) -> None:
    field = field_on(scale, is_difference=is_difference)

    kept = field.to_python(str(entered))

    assert field.prepare_value(kept) == float(str(entered))
    assert not field.has_changed(kept, str(entered))


@given(st.decimals(min_value=-270, max_value=1_000, places=4), scales, st.booleans())
def test_what_was_set_in_celsius_is_kept_if_it_is_sent_as_shown(
    temperature_c: object, scale: Scale, is_difference: bool
) -> None:
    field, kept = field_on(scale, is_difference=is_difference), float(str(temperature_c))

    shown = str(field.prepare_value(kept))

    assert field.to_python(shown) == kept
    assert not field.has_changed(kept, shown)


def test_another_temperature_is_a_change() -> None:
    field = field_on(Scale.FAHRENHEIT)
    assert field.has_changed(8.0, "46.5")
    assert field.has_changed(8.0, "")
    assert field.has_changed(None, "46.4")
    assert field.has_changed(8.0, "cold")


@pytest.mark.parametrize(
    ("scale", "entered", "message"),
    [
        (Scale.CELSIUS, "-300", "Enter at least −273.15 °C."),
        (Scale.FAHRENHEIT, "-500", "Enter at least −459.67 °F."),
        (Scale.FAHRENHEIT, "2000", "Enter at most 1832.0 °F."),
        (Scale.KELVIN, "-1", "Enter at least 0.0 K."),
    ],
)
def test_bounds_are_named_on_the_scale(scale: Scale, entered: str, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        field_on(scale).clean(entered)
    assert raised.value.messages == [message.replace(" °", "\N{NO-BREAK SPACE}°").replace(" K", "\N{NO-BREAK SPACE}K")]


@pytest.mark.parametrize("entered", ["cold", "nan", "inf", "1e400", "46.4 °F"])
def test_what_is_no_number_is_rejected(entered: str) -> None:
    with pytest.raises(ValidationError):
        field_on(Scale.FAHRENHEIT).clean(entered)


def test_a_form_shows_its_temperatures_on_a_scale() -> None:
    class LimitForm(forms.Form):
        high_c = TemperatureField(label="High", lowest=-273.15, highest=1_000.0, required=False)
        margin_k = TemperatureField(label="Margin", lowest=0.0, highest=50.0, required=False, is_difference=True)

    form = LimitForm(initial={"high_c": 8.0, "margin_k": 2.5})
    use_scale(form, "F")

    assert [(each.label, each.value()) for each in form] == [("High, °F", 46.4), ("Margin, °F", 4.5)]
    assert LimitForm()["high_c"].label == "High, °C"
