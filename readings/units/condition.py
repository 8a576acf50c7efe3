"""The state of a storage unit, from its newest reading and the limits in force. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Self

from django.utils.html import format_html
from django.utils.safestring import SafeString

from readings.units.comparison import Beyond, beyond


class UnitState(StrEnum):
    """The states of a storage unit, worst first."""

    CRITICAL = "critical"
    NO_DATA = "no data"
    SENSOR_FAULT = "sensor fault"
    WARNING = "warning"
    NO_LIMITS = "no limits"
    IN_LIMITS = "in limits"

    @property
    def rank(self) -> int:
        """The position in order of severity, 0 for the worst."""
        return _RANKS[self]

    @property
    def slug(self) -> str:
        """The state's name in style sheets."""
        return self.value.replace(" ", "-")

    @property
    def mark(self) -> str:
        """A sign that conveys the state without colour."""
        return _MARKS[self]

    @property
    def badge(self) -> SafeString:
        """The state as pages show it."""
        return _badge(self)


_RANKS = {state: rank for rank, state in enumerate(UnitState)}
_MARKS = {
    UnitState.CRITICAL: "■",
    UnitState.NO_DATA: "?",
    UnitState.SENSOR_FAULT: "✕",
    UnitState.WARNING: "▲",
    UnitState.NO_LIMITS: "–",
    UnitState.IN_LIMITS: "✓",
}


@cache
def _badge(state: UnitState) -> SafeString:
    sign = format_html('<span aria-hidden="true">{}</span>', state.mark)
    return format_html('<span class="state state-{}">{} {}</span>', state.slug, sign, state.value)


@dataclass(frozen=True, slots=True)
class DeviationLimits:
    """The permitted deviation from the set temperature in kelvin, before a warning and before it is critical."""

    warning_k: float = 2.0
    critical_k: float = 5.0


# `max_temperature_deviation` before anybody has set it.
DEFAULT_LIMITS = DeviationLimits()

# Of a storage unit, in the order of LimitsInForce.
LIMIT_COLUMNS = (
    "low_critical_c",
    "low_warning_c",
    "high_warning_c",
    "high_critical_c",
    "is_limit_outside",
    "is_low_critical_limit_outside",
)
# The lower and upper bound, None for no limit.
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class LimitsInForce:
    """The limits for a unit's state and chart in °C; None means no limit.

    With `is_inclusive` a temperature exactly at a limit is outside, otherwise within; `is_low_critical_inclusive` is
    the same for the low critical limit alone. They are computed by `alarms.limits.versions`.
    """

    low_critical_c: float | None = None
    low_warning_c: float | None = None
    high_warning_c: float | None = None
    high_critical_c: float | None = None
    is_inclusive: bool = False
    is_low_critical_inclusive: bool = False

    @classmethod
    def of(cls, unit: object) -> Self:
        """Return the limits of a storage unit."""
        return cls(*(getattr(unit, name) for name in LIMIT_COLUMNS))

    def __bool__(self) -> bool:
        """Return whether there is any limit."""
        return any(limit is not None for limit in (*self.warning, *self.critical))

    @property
    def warning(self) -> Bounds:
        """The bounds of a warning."""
        return self.low_warning_c, self.high_warning_c

    @property
    def critical(self) -> Bounds:
        """The bounds of the critical limits."""
        return self.low_critical_c, self.high_critical_c

    @property
    def lowest_and_highest(self) -> Bounds:
        """The bounds of a warning or, without one, the critical ones."""
        low = self.low_critical_c if self.low_warning_c is None else self.low_warning_c
        return low, self.high_critical_c if self.high_warning_c is None else self.high_warning_c


def deviation_k(temperature_c: float | None, set_temperature_c: float | None) -> float | None:
    """Return the temperature's deviation from the set temperature, negative below it; None if either is unknown."""
    if temperature_c is None or set_temperature_c is None:
        return None
    # Both may have come from another scale: 2.0000000000000004 is two kelvin.
    return round(temperature_c - set_temperature_c, 6)


def state_of(
    *,
    age: timedelta | None,
    staleness_limit: timedelta,
    temperature_c: float | None,
    limits: LimitsInForce,
) -> UnitState:
    """Return the state of a unit whose newest reading is `age` old (None: none) and measured `temperature_c`.

    A reading older than the staleness limit says nothing about the present. `temperature_c` None: the sensor answered
    without a measurement.
    """
    if age is None or age > staleness_limit:
        return UnitState.NO_DATA
    if temperature_c is None:
        return UnitState.SENSOR_FAULT
    if not limits:
        return UnitState.NO_LIMITS
    return _STATES[beyond(temperature_c, limits)]


_STATES = {
    Beyond.NONE: UnitState.IN_LIMITS,
    Beyond.WARNING: UnitState.WARNING,
    Beyond.CRITICAL: UnitState.CRITICAL,
}
