"""The comparison of a temperature with limits, the same for states, excursions and alarms. Pure functions."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

# A temperature sent in °F, or a limit in kelvin from a set temperature, may be off by the last digit.
ROUNDING_K = 5e-7


class Beyond(IntEnum):
    """Which limits a temperature is beyond."""

    NONE = 0
    WARNING = 1
    CRITICAL = 2


class ComparedLimits(Protocol):
    """Four limits in °C, None for no limit, and whether a temperature exactly at one is beyond it.

    `is_inclusive` is about every limit, `is_low_critical_inclusive` about the low critical limit alone.
    """

    @property
    def low_critical_c(self) -> float | None: ...  # noqa: D102  a column
    @property
    def low_warning_c(self) -> float | None: ...  # noqa: D102
    @property
    def high_warning_c(self) -> float | None: ...  # noqa: D102
    @property
    def high_critical_c(self) -> float | None: ...  # noqa: D102
    @property
    def is_inclusive(self) -> bool: ...  # noqa: D102
    @property
    def is_low_critical_inclusive(self) -> bool: ...  # noqa: D102


def beyond(temperature_c: float, limits: ComparedLimits) -> Beyond:
    """Return the outermost limits that the temperature is beyond."""
    is_low_critical = is_beyond(
        temperature_c, limits.low_critical_c, None, limits.is_inclusive or limits.is_low_critical_inclusive
    )
    if is_low_critical or is_beyond(temperature_c, None, limits.high_critical_c, limits.is_inclusive):
        return Beyond.CRITICAL
    is_warning = is_beyond(temperature_c, limits.low_warning_c, limits.high_warning_c, limits.is_inclusive)
    return Beyond.WARNING if is_warning else Beyond.NONE


def is_beyond(temperature_c: float, low_c: float | None, high_c: float | None, is_inclusive: bool) -> bool:
    """Return whether the temperature is beyond either limit; at a limit it is if `is_inclusive`."""
    margin = -ROUNDING_K if is_inclusive else ROUNDING_K
    return (high_c is not None and temperature_c > high_c + margin) or (
        low_c is not None and temperature_c < low_c - margin
    )
