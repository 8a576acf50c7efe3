"""Temperatures in forms of pages: entered and shown on a storage unit's scale.

What is stored and what the REST API takes are °C, and kelvin for differences. People who read their units in °F would
convert limits in their heads, and a wrong limit alerts nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import capfirst
from typing_extensions import override

from readings.units.formatting import difference_label, number_text
from readings.units.scales import (
    EXACT_DECIMALS,
    Scale,
    difference_from_kelvin,
    difference_to_kelvin,
    from_celsius,
    to_celsius,
)

# One fewer than are kept, so that a temperature is shown with the digits that were entered.
_SHOWN_DECIMALS = EXACT_DECIMALS - 1


class TemperatureField(forms.FloatField):
    """A temperature on `scale`, °C until `use_scale` names another; its value is in °C, or kelvin for a difference."""

    def __init__(
        self,
        *,
        label: str,
        lowest: float,
        highest: float,
        required: bool,
        help_text: str = "",
        is_difference: bool = False,
    ) -> None:
        super().__init__(required=required, help_text=help_text)
        self._name, self._lowest, self._highest = label, lowest, highest
        self._is_difference = is_difference
        self.use_scale(Scale.CELSIUS)

    def use_scale(self, scale: Scale | str) -> None:
        """Have the temperature entered and shown on this scale."""
        self._scale = Scale(scale)
        unit = difference_label(scale) if self._is_difference else self._scale.label
        self.label = f"{self._name}, {unit}"
        lowest, highest = (number_text(self._shown(each), 2) for each in (self._lowest, self._highest))
        self.validators = [
            MinValueValidator(self._lowest, f"Enter at least {lowest}\N{NO-BREAK SPACE}{unit}."),
            MaxValueValidator(self._highest, f"Enter at most {highest}\N{NO-BREAK SPACE}{unit}."),
        ]

    @override
    def to_python(self, value: object) -> float | None:  # type: ignore[override]  # as that of FloatField
        if isinstance(value, int | float):  # an initial value, which is not entered
            return value
        entered: float | None = super().to_python(value)
        if entered is None or self._scale is Scale.CELSIUS:
            return entered
        convert: Callable[[float, Scale], float] = difference_to_kelvin if self._is_difference else to_celsius
        return round(convert(entered, self._scale), EXACT_DECIMALS)

    @override
    def prepare_value(self, value: object) -> object:
        return self._shown(value) if isinstance(value, int | float) else value

    def compared_value(self, value: object) -> object:
        """Return what identifies the value, also where it is empty: an entry is of the scale it was made on."""
        return self.prepare_value(value), self._scale.value

    @override
    def has_changed(self, initial: object, data: object) -> bool:
        """Return whether something else was entered than was shown: 46.4 °F are 8 °C only when rounded."""
        try:
            entered = self.to_python(data)
        except ValidationError:
            return True
        return not self.disabled and self.prepare_value(initial) != self.prepare_value(entered)

    def _shown(self, value: float) -> float:
        if self._is_difference:
            return round(difference_from_kelvin(value, self._scale), _SHOWN_DECIMALS)
        return value if self._scale is Scale.CELSIUS else round(from_celsius(value, self._scale), _SHOWN_DECIMALS)


def temperature_formfield(field: models.Field[object, object], **kwargs: object) -> TemperatureField | None:
    """Return the form field of a model field in °C (`*_c`) or in kelvin (`*_k`), None for another."""
    if not field.name.endswith(("_c", "_k")):
        return None
    return TemperatureField(
        label=str(kwargs.get("label") or capfirst(re.sub(", (°C|K)$", "", str(field.verbose_name)))),
        lowest=max(each.limit_value for each in field.validators if isinstance(each, MinValueValidator)),
        highest=min(each.limit_value for each in field.validators if isinstance(each, MaxValueValidator)),
        required=not field.blank,
        help_text=str(kwargs.get("help_text") or field.help_text),
        is_difference=field.name.endswith("_k"),
    )


def use_scale(form: forms.BaseForm, scale: Scale | str) -> None:
    """Have the temperatures of a form entered and shown on this scale."""
    for field in form.fields.values():
        if isinstance(field, TemperatureField):
            field.use_scale(scale)
