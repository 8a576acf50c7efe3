"""Temperatures, ages, durations and shares as text for people."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from readings.units.condition import Bounds, LimitsInForce
from readings.units.scales import EXACT_DECIMALS, Scale, difference_from_kelvin, from_celsius

UNKNOWN_TEXT = "–"
NEVER = "never"
_MINUS = "\N{MINUS SIGN}"
# A share just below the whole must not read as the whole.
_ALMOST_ALL = 0.999


def temperature_text(temperature_c: float | None, scale: Scale | str, decimals: int = 2) -> str:
    """Format a temperature on `scale` with one to `decimals` decimals: "−18.25 °C"; "–" for None."""
    return UNKNOWN_TEXT if temperature_c is None else scaled_text(from_celsius(temperature_c, scale), scale, decimals)


def scaled_text(temperature: float | None, scale: Scale | str, decimals: int = 2) -> str:
    """Format a temperature that is on `scale` already, like `temperature_text`."""
    if temperature is None:
        return UNKNOWN_TEXT
    return f"{number_text(temperature, decimals)}\N{NO-BREAK SPACE}{Scale(scale).label}"


def exact_temperature_text(temperature_c: float | None, scale: Scale | str) -> str:
    """Format a temperature on `scale` with every digit that was sent; "–" for None."""
    return temperature_text(temperature_c, scale, EXACT_DECIMALS)


def number_text(value: float, decimals: int) -> str:
    """Format a number with one to `decimals` decimals and a real minus sign."""
    whole, _, fraction = f"{abs(value):.{decimals}f}".partition(".")
    text = f"{whole}.{fraction.rstrip('0') or '0'}"
    return _MINUS + text if value < 0 and float(text) else text


def deviation_text(deviation_k: float | None, scale: Scale | str) -> str:
    """Format a difference in kelvin with its sign, in degrees of `scale`: "+2.5 K", "+4.5 °F"; "–" for None."""
    if deviation_k is None:
        return UNKNOWN_TEXT
    difference = number_text(difference_from_kelvin(deviation_k, scale), 2)
    # What rounds to zero has no sign.
    sign = "+" if deviation_k > 0 and float(difference) else ""
    return f"{sign}{difference}\N{NO-BREAK SPACE}{difference_label(scale)}"


def difference_label(scale: Scale | str) -> str:
    """Return the unit of a difference on `scale`: that of °C is the kelvin."""
    return Scale(scale).label if Scale(scale) is Scale.FAHRENHEIT else Scale.KELVIN.label


def limits_text(limits: LimitsInForce, scale: Scale | str) -> str:
    """Format limits: "2.0 to 8.0 °C, critical beyond −0.5 to 15.0 °C"; "none" if there are none."""
    if not limits:
        return "none"
    within, critical = limits.lowest_and_highest, limits.critical
    text = _bounds_text(within, scale)
    return text if critical in (within, (None, None)) else f"{text}, critical beyond {_bounds_text(critical, scale)}"


def _bounds_text(bounds: Bounds, scale: Scale | str) -> str:
    low, high = bounds
    if high is None:
        return f"{temperature_text(low, scale)} and warmer"
    if low is None:
        return f"{temperature_text(high, scale)} and colder"
    return f"{number_text(from_celsius(low, scale), 2)} to {temperature_text(high, scale)}"


def age_text(age: timedelta | None) -> str:
    """Format an age in its largest unit: "40 s", "3 min", "5 h", "2 days"; "never" for None, "ahead" if future."""
    return NEVER if age is None else age_text_of_seconds(int(age.total_seconds()))


# Pages of a thousand units format the same few ages repeatedly.
@lru_cache(maxsize=10_000)
def age_text_of_seconds(seconds: int) -> str:
    """Format an age in whole seconds like `age_text`."""
    if seconds < 0:
        return "ahead" if seconds < -60 else "0 s"
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"


def duration_text(duration: timedelta) -> str:
    """Format a duration in its two largest units: "2 days 4 h", "3 h 20 min", "1 min 30 s", or "none"."""
    seconds = round(duration.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    if minutes:
        return f"{minutes} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    return f"{seconds} s" if seconds else "none"


def elapsed_text(seconds: float) -> str:
    """Format a measured duration: "0.23 s", from a minute on like `duration_text`."""
    return f"{seconds:.2f} s" if seconds < 60 else duration_text(timedelta(seconds=seconds))


def drift_text(seconds: float) -> str:
    """Format the drift of a clock: "20 h ahead", "5 min behind", or "on time" for less than a second."""
    duration = timedelta(seconds=abs(round(seconds)))
    if not duration:
        return "on time"
    return f"{duration_text(duration)} {'ahead' if seconds > 0 else 'behind'}"


def share_text(share: float | None) -> str:
    """Format a share of 0 to 1 as a percentage that is 100 % only for the whole; "–" for None."""
    if share is None:
        return UNKNOWN_TEXT
    rounded = min(share, _ALMOST_ALL) if share < 1 else 1.0
    return f"{rounded:.1%}".replace("%", "\N{NO-BREAK SPACE}%").replace("100.0", "100")
