"""The limits by which a storage unit's readings are evaluated: a value with pure functions.

Values and profiles follow USP <659> and <1079.2>, WHO PQS E006, HACCP practice and EC 37/2005; see
`alarms.limits.profiles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from readings.units.comparison import ROUNDING_K, Beyond, beyond, is_beyond


class Severity(StrEnum):
    """The severity of being beyond a limit."""

    WARNING = "warning"
    CRITICAL = "critical"


_SEVERITIES = {Beyond.NONE: None, Beyond.WARNING: Severity.WARNING, Beyond.CRITICAL: Severity.CRITICAL}


class SensorPolicy(StrEnum):
    """Which of a unit's sensors determine its temperature."""

    ANY = "any"  # each: the unit is outside as soon as one of them is
    MEAN = "mean"  # their mean
    NAMED = "named"  # one of them


class Side(StrEnum):
    """A side of the limits."""

    HIGH = "high"
    LOW = "low"


class Budget(NamedTuple):
    """How long the temperature may be outside within any window of this length, in seconds."""

    allowed_seconds: int
    window_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The permitted temperatures of a unit, and for how long others are tolerated.

    `*_c` are °C; None is no limit. With `is_inclusive` a temperature exactly at a limit is outside, else it is within.
    With `is_low_critical_inclusive` that is so for the low critical limit only, which a warning limit then precedes.
    A reading completes the warning delay when it is outside and the excursion began at least `high_delay_seconds` (too
    warm) or `low_delay_seconds` (too cold) before it. It completes the critical delay when it is beyond a critical
    limit and all have been since `high_critical_delay_seconds` or `low_critical_delay_seconds` before it, or when it
    completes the warning delay. The excursion is over once a reading is back within the limits by `clearing_margin_k`;
    one that leaves them again less than `clearing_delay_seconds` later continues it.

    allowed_seconds: how long within any `allowed_window_seconds` the temperature may be outside the limits of a
    warning in all, of which reaching it is a violation. high_allowed_seconds, low_allowed_seconds: the same on one side
    only and, if it has a temperature `*_allowed_c`, only for the time beyond that, too. mkt_limit_c: what the mean
    kinetic temperature of any `mkt_window_seconds` may be. None: no such limit. gap_limit_seconds: how long a reading
    is valid if no other follows.
    """

    low_critical_c: float | None = None
    low_warning_c: float | None = None
    high_warning_c: float | None = None
    high_critical_c: float | None = None
    is_inclusive: bool = False
    is_low_critical_inclusive: bool = False
    high_delay_seconds: int = 1_800
    low_delay_seconds: int = 1_800
    high_critical_delay_seconds: int = 300
    low_critical_delay_seconds: int = 300
    clearing_margin_k: float = 0.0
    clearing_delay_seconds: int = 0
    allowed_seconds: int | None = None
    allowed_window_seconds: int = 86_400
    high_allowed_seconds: int | None = None
    high_allowed_window_seconds: int = 86_400
    high_allowed_c: float | None = None
    low_allowed_seconds: int | None = None
    low_allowed_window_seconds: int = 86_400
    low_allowed_c: float | None = None
    mkt_limit_c: float | None = None
    mkt_window_seconds: int = 86_400
    gap_limit_seconds: int = 2_700
    sensor_policy: SensorPolicy = SensorPolicy.ANY
    named_sensor_id: int | None = None

    @property
    def staleness_limit(self) -> timedelta:
        """How long a reading is valid if no other follows."""
        return timedelta(seconds=self.gap_limit_seconds)

    @property
    def clearing_delay(self) -> timedelta:
        """How long an excursion must be over before a return is another one."""
        return timedelta(seconds=self.clearing_delay_seconds)

    def warning_delay_of(self, temperature_c: float) -> timedelta:
        """Return how long the excursion of this temperature may last before it is an alarm."""
        return timedelta(seconds=self.low_delay_seconds if self._is_cold(temperature_c) else self.high_delay_seconds)

    def critical_delay_of(self, temperature_c: float) -> timedelta:
        """Return how long this temperature may be beyond a critical limit before it is a critical alarm."""
        is_cold = self._is_cold(temperature_c)
        return timedelta(seconds=self.low_critical_delay_seconds if is_cold else self.high_critical_delay_seconds)

    def budget(self, side: Side | None) -> Budget | None:
        """Return the budget of this side, or of both together; None if there is none."""
        seconds, window_seconds = {
            None: (self.allowed_seconds, self.allowed_window_seconds),
            Side.HIGH: (self.high_allowed_seconds, self.high_allowed_window_seconds),
            Side.LOW: (self.low_allowed_seconds, self.low_allowed_window_seconds),
        }[side]
        return None if seconds is None else Budget(seconds, window_seconds)

    def budget_side_of(self, temperature_c: float) -> Side | None:
        """Return the side whose own budget this temperature uses up, None if it uses up none."""
        high, low = self.highest_c, self.lowest_c
        if self.high_allowed_seconds is not None and high is not None:
            level_c = high if self.high_allowed_c is None else max(high, self.high_allowed_c)
            if is_beyond(temperature_c, None, level_c, self.is_inclusive):
                return Side.HIGH
        if self.low_allowed_seconds is not None and low is not None:
            level_c = low if self.low_allowed_c is None else min(low, self.low_allowed_c)
            if is_beyond(temperature_c, level_c, None, self.is_inclusive):
                return Side.LOW
        return None

    def severity_of(self, temperature_c: float) -> Severity | None:
        """Return the severity of this temperature, None within the limits."""
        return _SEVERITIES[beyond(temperature_c, self)]

    def is_clear(self, temperature_c: float) -> bool:
        """Return whether it is within the limits by the clearing margin, which ends an excursion.

        Where the limits are so close that the margin leaves nothing between them, the middle clears.
        """
        low, high, margin = self.lowest_c, self.highest_c, self.clearing_margin_k
        if low is not None and high is not None:
            margin = min(margin, (high - low) / 2)
        if self.severity_of(temperature_c) is not None:
            return False
        is_warm_enough = low is None or temperature_c >= low + margin - ROUNDING_K
        return is_warm_enough and (high is None or temperature_c <= high - margin + ROUNDING_K)

    def beyond_k(self, temperature_c: float) -> float:
        """Return the deviation beyond the warning limits, negative below the lowest; 0 within them."""
        if self.highest_c is not None and temperature_c > self.highest_c:
            return temperature_c - self.highest_c
        if self.lowest_c is not None and temperature_c < self.lowest_c:
            return temperature_c - self.lowest_c
        return 0.0

    @property
    def lowest_c(self) -> float | None:
        """The lower warning limit or, without one, the critical one."""
        return self.low_critical_c if self.low_warning_c is None else self.low_warning_c

    @property
    def highest_c(self) -> float | None:
        """The upper warning limit or, without one, the critical one."""
        return self.high_critical_c if self.high_warning_c is None else self.high_warning_c

    def _is_cold(self, temperature_c: float) -> bool:
        return self.lowest_c is not None and temperature_c <= self.lowest_c + ROUNDING_K
