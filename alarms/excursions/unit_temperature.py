"""The temperature of a unit at a moment: of its sensors with a valid reading, by the limits' sensor policy.

A reading is valid until its sensor's next one, at most for the staleness limit in force; one without a measurement is
never valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add

from alarms.thresholds import Limits, SensorPolicy, Severity, Side

# Each sensor's last measurement with its time.
Sensors = Mapping[int, tuple[datetime, float]]


@dataclass(slots=True)
class UnitTemperature:
    """The unit's temperature from `since` on; it changes at `until` unless readings or limits change before.

    budget_side: the side whose own budget it uses up.
    """

    since: datetime
    until: datetime
    temperature_c: float
    severity: Severity | None
    beyond_k: float
    budget_side: Side | None = None


def unit_temperature_at(instant: datetime, sensors: Sensors, limits: Limits) -> UnitTemperature | None:
    """Return the unit's temperature at `instant`, None if it is unknown."""
    valid = [sensors[sensor_id] for sensor_id in valid_sensors(instant, sensors, limits)]
    if not valid:
        return None
    since, temperature_c = valid[0]
    if len(valid) > 1 and limits.sensor_policy is SensorPolicy.MEAN:
        since, temperature_c = min(since for since, _ in valid), _mean([each for _, each in valid])
    elif len(valid) > 1:
        # Of several as bad, the first.
        since, temperature_c = max(valid, key=lambda each: _severity_rank(limits, each[1]))
    return UnitTemperature(
        instant,
        since + limits.staleness_limit,
        temperature_c,
        limits.severity_of(temperature_c),
        limits.beyond_k(temperature_c),
        limits.budget_side_of(temperature_c),
    )


def valid_sensors(instant: datetime, sensors: Sensors, limits: Limits) -> list[int]:
    """Return the sensors that count and have a valid reading, in order, so that ties are resolved the same way."""
    staleness_limit = limits.staleness_limit
    valid = [sensor_id for sensor_id, (since, _) in sorted(sensors.items()) if instant - since < staleness_limit]
    if limits.sensor_policy is SensorPolicy.NAMED:
        return [sensor_id for sensor_id in valid if sensor_id == limits.named_sensor_id]
    return valid


def are_clear(measured_c: Mapping[int, float], limits: Limits) -> bool:
    """Return whether these measurements, however old, are together within the limits by the clearing margin."""
    if limits.sensor_policy is SensorPolicy.MEAN:
        return not measured_c or limits.is_clear(_mean([each for _, each in sorted(measured_c.items())]))
    is_named = limits.sensor_policy is SensorPolicy.NAMED
    return all(
        limits.is_clear(temperature_c)
        for sensor_id, temperature_c in measured_c.items()
        if not is_named or sensor_id == limits.named_sensor_id
    )


def _mean(temperatures_c: Sequence[float]) -> float:
    # From left to right, as `alarms.excursions.temperature_columns` adds; from Python 3.12 on `sum` compensates.
    return reduce(add, temperatures_c) / len(temperatures_c)


def _severity_rank(limits: Limits, temperature_c: float) -> tuple[int, float]:
    """Return a key that is larger for worse temperatures; within the limits, for those nearest to a limit."""
    severity = limits.severity_of(temperature_c)
    rank = {None: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}[severity]
    if severity is None and limits.is_clear(temperature_c):
        rank = 0
    return rank, abs(limits.beyond_k(temperature_c))
