"""Whether a storage unit is all right, by its newest reading. Pure; limits by profile will take the defaults' place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class UnitState(StrEnum):
    """What a storage unit is in, the worst first."""

    CRITICAL = "critical"
    NO_DATA = "no data"
    SENSOR_FAULT = "sensor fault"
    WARNING = "warning"
    NO_LIMITS = "no limits"
    IN_LIMITS = "in limits"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]

    @property
    def slug(self) -> str:
        """The state's name in style sheets."""
        return self.value.replace(" ", "-")

    @property
    def mark(self) -> str:
        """A sign that tells the state to who sees no colours."""
        return _MARKS[self]


_RANKS = {state: rank for rank, state in enumerate(UnitState)}
_MARKS = {
    UnitState.CRITICAL: "■",
    UnitState.NO_DATA: "?",
    UnitState.SENSOR_FAULT: "✕",
    UnitState.WARNING: "▲",
    UnitState.NO_LIMITS: "–",
    UnitState.IN_LIMITS: "✓",
}


@dataclass(frozen=True, slots=True)
class DeviationLimits:
    """How far a temperature may be from the set temperature, in kelvin: beyond these it is a warning, or critical."""

    warning_k: float = 2.0
    critical_k: float = 5.0


# `max_temperature_deviation` of a unit without a profile.
DEFAULT_LIMITS = DeviationLimits()


def deviation_k(temperature_c: float | None, set_temperature_c: float | None) -> float | None:
    """How far the temperature is above (or, negative, below) the set temperature; None where either is unknown."""
    if temperature_c is None or set_temperature_c is None:
        return None
    # Both may have come from another scale: 2.0000000000000004 is two kelvin.
    return round(temperature_c - set_temperature_c, 6)


def state_of(
    *,
    age: timedelta | None,
    gap_limit: timedelta,
    temperature_c: float | None,
    set_temperature_c: float | None,
    limits: DeviationLimits = DEFAULT_LIMITS,
) -> UnitState:
    """The state of a unit whose newest reading is `age` old (None: there is none) and measured `temperature_c`.

    A reading older than the unit's gap limit says nothing of now, whatever it measured. `temperature_c` None: the
    sensor answered without a measurement. Exactly at a limit is within it.
    """
    if age is None or age > gap_limit:
        return UnitState.NO_DATA
    if temperature_c is None:
        return UnitState.SENSOR_FAULT
    deviation = deviation_k(temperature_c, set_temperature_c)
    if deviation is None:
        return UnitState.NO_LIMITS
    if abs(deviation) > limits.critical_k:
        return UnitState.CRITICAL
    return UnitState.WARNING if abs(deviation) > limits.warning_k else UnitState.IN_LIMITS
