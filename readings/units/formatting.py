"""How temperatures, ages and shares are written for people."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from readings.units.condition import Bounds, LimitsInForce
from readings.units.scales import SHOWN_DECIMALS, Scale, from_celsius

NOT_KNOWN = "–"
NEVER = "never"
_MINUS = "\N{MINUS SIGN}"
# A share just short of the whole must not read as the whole.
_ALMOST_ALL = 0.999


def temperature_text(temperature_c: float | None, scale: Scale | str, decimals: int = 2) -> str:
    """A temperature on `scale` with at most `decimals` and at least one decimal: "−18.25 °C"; "–" for None."""
    return NOT_KNOWN if temperature_c is None else scaled_text(from_celsius(temperature_c, scale), scale, decimals)


def scaled_text(temperature: float | None, scale: Scale | str, decimals: int = 2) -> str:
    """A temperature that is on `scale` already, written as `temperature_text` writes it."""
    if temperature is None:
        return NOT_KNOWN
    return f"{number_text(temperature, decimals)}\N{NO-BREAK SPACE}{Scale(scale).label}"


def exact_temperature_text(temperature_c: float | None, scale: Scale | str) -> str:
    """A temperature on `scale` with every digit that was sent; "–" for None."""
    return temperature_text(temperature_c, scale, SHOWN_DECIMALS)


def number_text(value: float, decimals: int) -> str:
    """A number with at most `decimals` and at least one decimal, behind a real minus sign where it is negative."""
    whole, _, fraction = f"{abs(value):.{decimals}f}".partition(".")
    text = f"{whole}.{fraction.rstrip('0') or '0'}"
    return _MINUS + text if value < 0 and float(text) else text


def deviation_text(deviation_k: float | None) -> str:
    """A difference in kelvin with its sign: "+2.5 K"; "–" for None."""
    if deviation_k is None:
        return NOT_KNOWN
    sign = "+" if deviation_k > 0 else ""
    return f"{sign}{number_text(deviation_k, 2)}\N{NO-BREAK SPACE}K"


def limits_text(limits: LimitsInForce, scale: Scale | str) -> str:
    """Limits on `scale`: "2.0 to 8.0 °C, critical beyond −0.5 to 15.0 °C"; "none" where there is none."""
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
    """An age in its largest unit: "40 s", "3 min", "5 h", "2 days"; "never" for None, "ahead" for a time to come."""
    return NEVER if age is None else age_text_of_seconds(int(age.total_seconds()))


# Pages of a thousand units ask for the same few ages again and again.
@lru_cache(maxsize=10_000)
def age_text_of_seconds(seconds: int) -> str:
    """`age_text` of so many whole seconds."""
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
    """A stretch of time in its two largest units: "2 days 4 h", "3 h 20 min", "45 min", "30 s"; "none" for none."""
    seconds = round(duration.total_seconds())
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" if minutes else f"{seconds} s" if seconds else "none"


def share_text(share: float | None) -> str:
    """A share of 0 to 1 as a percentage that says 100 % only of the whole; "–" for None."""
    if share is None:
        return NOT_KNOWN
    shown = min(share, _ALMOST_ALL) if share < 1 else 1.0
    return f"{shown:.1%}".replace("%", "\N{NO-BREAK SPACE}%").replace("100.0", "100")
