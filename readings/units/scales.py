"""Temperature scales: their names, and exact conversions.

Readings are stored in degrees Celsius together with the scale they were sent in. A temperature sent with up to
``EXACT_DECIMALS`` decimals is returned with exactly the digits that were sent.
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
EXACT_DECIMALS = 6


class Scale(StrEnum):
    """A temperature scale; the value is the stored letter."""

    CELSIUS = "C"
    FAHRENHEIT = "F"
    KELVIN = "K"

    @property
    def label(self) -> str:
        """The symbol: "°C", "°F", "K"."""
        return "K" if self is Scale.KELVIN else f"°{self.value}"


_NAMES = {
    "c": Scale.CELSIUS,
    "celsius": Scale.CELSIUS,
    "cel": Scale.CELSIUS,
    "celcius": Scale.CELSIUS,
    "centigrade": Scale.CELSIUS,
    "℃": Scale.CELSIUS,
    "f": Scale.FAHRENHEIT,
    "fahrenheit": Scale.FAHRENHEIT,
    "farenheit": Scale.FAHRENHEIT,
    "fahrenhiet": Scale.FAHRENHEIT,
    "ferenheit": Scale.FAHRENHEIT,
    "fahr": Scale.FAHRENHEIT,
    "℉": Scale.FAHRENHEIT,
    "k": Scale.KELVIN,
    "kelvin": Scale.KELVIN,
    "kelvins": Scale.KELVIN,
}
# The prefix of the name: a degree sign (or the ordinal sign and the ring used as one), or the word.
_DEGREES = re.compile(r"^(?:[°º˚]|degrees?|deg\.?)[\s_]*", re.IGNORECASE)


def parse_scale(text: str) -> Scale | None:
    """Return the scale that a text names ("C", "°F", "degrees Celsius", "degF", "kelvin"), None if none."""
    return _NAMES.get(_DEGREES.sub("", text.strip(), count=1).lower())


def to_celsius(value: Exact, scale: Scale | str) -> Exact:
    """Convert a temperature (a float or a numpy array) of `scale` to °C.

    Not for polars, which divides by multiplying with the inverse: the last bit would differ, and the same reading would
    contradict itself.
    """
    scale = Scale(scale)
    if scale is Scale.FAHRENHEIT:
        return (value - 32.0) * 5.0 / 9.0
    if scale is Scale.KELVIN:
        return value + ABSOLUTE_ZERO_C
    return value


def from_celsius(value_c: Temperatures, scale: Scale | str) -> Temperatures:
    """Convert a temperature (a float, a numpy array, a polars series or expression) in °C to `scale`.

    To the digits that were sent, see the module; °C is returned as it is.
    """
    if scale == Scale.CELSIUS:  # as most are: looking the member up would take longer than this
        return value_c
    if Scale(scale) is Scale.FAHRENHEIT:
        return _rounded(value_c * 9.0 / 5.0 + 32.0)
    return _rounded(value_c - ABSOLUTE_ZERO_C)


def column_from_celsius(temperatures_c: NDArray[np.float64], scale: Scale | str, decimals: int) -> list[float | None]:
    """Return a column of temperatures in °C in `scale`, rounded, with None for NaN."""
    values: list[float] = from_celsius(temperatures_c, scale).round(decimals).tolist()
    return [None if value != value else value for value in values]  # NaN differs from itself


def convert(value: Exact, source: Scale | str, target: Scale | str) -> Exact:
    """Convert a temperature from one scale to another; return it unchanged if they are the same."""
    return value if Scale(source) is Scale(target) else from_celsius(to_celsius(value, source), target)


def difference_from_kelvin(difference_k: Temperatures, scale: Scale | str) -> Temperatures:
    """Convert a temperature difference in kelvin to steps of `scale`: 5 K are 9 °F."""
    return _rounded(difference_k * 9.0 / 5.0) if Scale(scale) is Scale.FAHRENHEIT else difference_k


def difference_to_kelvin(difference: float, scale: Scale | str) -> float:
    """Convert a temperature difference in steps of `scale` to kelvin: 9 °F are 5 K."""
    return difference * 5.0 / 9.0 if Scale(scale) is Scale.FAHRENHEIT else difference


def _rounded(value: Temperatures) -> Temperatures:
    return round(value, EXACT_DECIMALS) if isinstance(value, float | int) else value.round(EXACT_DECIMALS)
