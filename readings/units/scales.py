"""Temperature scales: what they are called, and exact ways between them.

Readings are stored in degrees Celsius beside the scale in which they were sent. Whatever was sent with up to
``SHOWN_DECIMALS`` decimals is shown again with the very digits that were sent.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Exact = TypeVar("Exact", float, NDArray[np.float64])
    Temperatures = TypeVar("Temperatures", float, NDArray[np.float64], pl.Series, pl.Expr)
else:
    Exact = TypeVar("Exact")
    Temperatures = TypeVar("Temperatures")

ABSOLUTE_ZERO_C = -273.15
# Below 10,000 degrees a float64 holds more than eleven decimals, and going there and back costs less than the
# twelfth: rounding to six restores any value of up to six decimals exactly.
SHOWN_DECIMALS = 6


class Scale(StrEnum):
    """A temperature scale; the value is the letter that is stored."""

    CELSIUS = "C"
    FAHRENHEIT = "F"
    KELVIN = "K"

    @property
    def label(self) -> str:
        """How people write it: "°C", "°F", "K"."""
        return "K" if self is Scale.KELVIN else f"°{self.value}"


_NAMES = {
    "c": Scale.CELSIUS,
    "celsius": Scale.CELSIUS,
    "celcius": Scale.CELSIUS,
    "centigrade": Scale.CELSIUS,
    "℃": Scale.CELSIUS,
    "f": Scale.FAHRENHEIT,
    "fahrenheit": Scale.FAHRENHEIT,
    "℉": Scale.FAHRENHEIT,
    "k": Scale.KELVIN,
    "kelvin": Scale.KELVIN,
    "kelvins": Scale.KELVIN,
}
# What stands before the name: a degree sign (or the ordinal sign and the ring that pass for one), or the word.
_DEGREES = re.compile(r"^(?:[°º˚]|degrees?|deg\.?)[\s_]*", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")


def parse_scale(text: str) -> Scale | None:
    """The scale that a text names ("C", "°F", "degrees Celsius", "degF", "kelvin"), or None where it names none."""
    return _NAMES.get(_DEGREES.sub("", text.strip(), count=1).lower())


def scale_in_title(title: str) -> Scale | None:
    """The scale named in a column's title ("Temperature(°C)", "Temp °F", "temp_f"), or None where it names none."""
    for inside in _IN_BRACKETS.findall(title):
        if scale := parse_scale(inside):
            return scale
    words = re.split(r"[\s_,;:/-]+", title.strip())
    for count in (1, 2):  # the last word, or the last two: "Temp deg C"
        if len(words) > count and (scale := parse_scale(" ".join(words[-count:]))):
            return scale
    return None


def to_celsius(value: Exact, scale: Scale | str) -> Exact:
    """A temperature (a float or a numpy array) of `scale` in °C.

    Not for polars, which divides by a number by multiplying with its inverse: the last bit would differ, and the same
    reading would contradict itself.
    """
    scale = Scale(scale)
    if scale is Scale.FAHRENHEIT:
        return (value - 32.0) * 5.0 / 9.0
    if scale is Scale.KELVIN:
        return value + ABSOLUTE_ZERO_C
    return value


def from_celsius(value_c: Temperatures, scale: Scale | str) -> Temperatures:
    """A temperature (a float, a numpy array, a polars series or expression) in °C on `scale`.

    To the digits that were sent, see the module; °C is returned as it is.
    """
    scale = Scale(scale)
    if scale is Scale.FAHRENHEIT:
        return _rounded(value_c * 9.0 / 5.0 + 32.0)
    if scale is Scale.KELVIN:
        return _rounded(value_c - ABSOLUTE_ZERO_C)
    return value_c


def convert(value: Exact, source: Scale | str, target: Scale | str) -> Exact:
    """A temperature of the scale `source` on the scale `target`; the value itself where they are the same."""
    return value if Scale(source) is Scale(target) else from_celsius(to_celsius(value, source), target)


def difference_to_kelvin(difference: Temperatures, scale: Scale | str) -> Temperatures:
    """A difference between two temperatures of `scale` in kelvin (a kelvin and a °C are the same step)."""
    return difference * 5.0 / 9.0 if Scale(scale) is Scale.FAHRENHEIT else difference


def difference_from_kelvin(difference_k: Temperatures, scale: Scale | str) -> Temperatures:
    """A difference in kelvin in the steps of `scale`: 5 K are 9 °F."""
    return _rounded(difference_k * 9.0 / 5.0) if Scale(scale) is Scale.FAHRENHEIT else difference_k


def _rounded(value: Temperatures) -> Temperatures:
    return round(value, SHOWN_DECIMALS) if isinstance(value, float | int) else value.round(SHOWN_DECIMALS)
