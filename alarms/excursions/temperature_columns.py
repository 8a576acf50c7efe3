"""The unit's temperature at many instants at once: `alarms.excursions.unit_temperature` and limits, by column.

Each function computes exactly what its counterpart for one instant does, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alarms.excursions.sensor_readings import SensorReadings
from alarms.excursions.unit_temperature import Sensors
from alarms.thresholds import Limits, SensorPolicy, Side
from readings.storage.reading_batch import microseconds_of
from readings.units.comparison import ROUNDING_K

Instants = npt.NDArray[np.int64]
Temperatures = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SECOND_US = 1_000_000
NEVER_READ_US = -(2**62)


@dataclass(frozen=True, slots=True)
class SensorColumn:
    """What one sensor measured last at each instant.

    read_us, temperature_c: its last reading; NaN if that had no measurement, and without any. measured_c, measured_at:
    its last measurement, and the position of the instant of that; −1 if that was before the first one.
    """

    sensor_id: int
    read_us: Instants
    temperature_c: Temperatures
    measured_c: Temperatures
    measured_at: npt.NDArray[np.intp]

    def __getitem__(self, instants: slice) -> SensorColumn:
        return SensorColumn(
            self.sensor_id,
            self.read_us[instants],
            self.temperature_c[instants],
            self.measured_c[instants],
            self.measured_at[instants],
        )


def carry_forward(
    readings: SensorReadings, sensors: Sensors, measured_c: Mapping[int, float], retired: Mapping[int, datetime]
) -> tuple[Instants, list[SensorColumn]]:
    """Return the instants of `readings`, and what each sensor measured last at them, by sensor id.

    sensors, measured_c: the state of a detector before the first of them.
    """
    first_rows = readings.first_rows()
    at_us = readings.recorded_at_us[first_rows]
    position = np.searchsorted(at_us, readings.recorded_at_us)
    columns = []
    for sensor_id in sorted({*readings.sensor_ids(), *sensors, *measured_c}):
        rows = readings.sensor_id == sensor_id
        end = len(at_us)
        if sensor_id in retired:
            end = int(np.searchsorted(at_us, microseconds_of(retired[sensor_id])))
            rows &= position < end
        before = _before(sensor_id, sensors, measured_c)
        columns.append(_column(sensor_id, at_us, position[rows], readings.temperature_c[rows], before, end))
    return at_us, columns


class _Before(NamedTuple):
    """The last reading and the last measurement of a sensor before the first instant."""

    read_us: int
    temperature_c: float
    measured_c: float


def _before(sensor_id: int, sensors: Sensors, measured_c: Mapping[int, float]) -> _Before:
    if sensor_id not in sensors:
        return _Before(NEVER_READ_US, np.nan, measured_c.get(sensor_id, np.nan))
    read_at, temperature_c = sensors[sensor_id]
    return _Before(microseconds_of(read_at), temperature_c, measured_c.get(sensor_id, temperature_c))


def _column(
    sensor_id: int,
    at_us: Instants,
    positions: npt.NDArray[np.intp],
    temperature_c: Temperatures,
    before: _Before,
    end: int,
) -> SensorColumn:
    """Return the column of a sensor that was read at these positions, and counts at those before `end` only."""
    is_measured = ~np.isnan(temperature_c)
    last = _last(len(at_us), positions)
    measured_at = _last(len(at_us), positions[is_measured])
    measured_at[end:] = -1
    at_position = np.full(len(at_us) + 1, np.nan)
    at_position[positions] = temperature_c
    column = SensorColumn(
        sensor_id,
        np.where(last < 0, before.read_us, at_us[last]),
        np.where(last < 0, before.temperature_c, at_position[last]),
        np.where(measured_at < 0, before.measured_c, at_position[measured_at]),
        measured_at,
    )
    column.temperature_c[end:] = np.nan
    return column


def _last(count: int, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return for each of `count` instants the last of these positions up to it, −1 before the first."""
    last = np.full(count, -1, np.intp)
    last[positions] = positions
    return np.maximum.accumulate(last)


@dataclass(frozen=True, slots=True)
class TemperatureColumns:
    """The unit's temperature at each instant, by one set of limits.

    temperature_c: NaN while unknown. until_us: when it changes unless readings or limits change before.
    is_last_until: whether nothing is known from then on.
    """

    temperature_c: Temperatures
    until_us: Instants
    is_last_until: Mask
    is_known: Mask
    is_outside: Mask
    is_critical: Mask
    is_clear: Mask
    beyond_k: Temperatures


def unit_temperatures(at_us: Instants, sensors: Iterable[SensorColumn], limits: Limits) -> TemperatureColumns:
    """Return the temperatures of a unit with these sensors."""
    staleness_us = limits.gap_limit_seconds * SECOND_US
    columns = [each for each in sensors if counts(each.sensor_id, limits)]
    valid = [~np.isnan(each.temperature_c) & (at_us - each.read_us < staleness_us) for each in columns]
    if len(columns) > 1:
        combine = _mean if limits.sensor_policy is SensorPolicy.MEAN else _worst
        temperature_c, since_us, latest_us = combine(columns, valid, limits)
    elif columns:
        temperature_c, since_us = np.where(valid[0], columns[0].temperature_c, np.nan), columns[0].read_us
        latest_us = since_us
    else:
        temperature_c, since_us = np.full(len(at_us), np.nan), np.full(len(at_us), NEVER_READ_US)
        latest_us = since_us
    return TemperatureColumns(
        temperature_c,
        since_us + staleness_us,
        since_us == latest_us,
        ~np.isnan(temperature_c),
        are_outside(temperature_c, limits),
        are_critical(temperature_c, limits),
        are_clear(temperature_c, limits),
        beyond_k(temperature_c, limits),
    )


def counts(sensor_id: int, limits: Limits) -> bool:
    """Return whether the sensor counts by the sensor policy."""
    return limits.sensor_policy is not SensorPolicy.NAMED or sensor_id == limits.named_sensor_id


def _mean(columns: list[SensorColumn], valid: list[Mask], limits: Limits) -> tuple[Temperatures, Instants, Instants]:
    """Return the mean of the valid sensors, the time of the earliest of their readings, and that of the latest."""
    earliest_us = np.full(len(valid[0]), -NEVER_READ_US)
    latest_us = np.full(len(valid[0]), NEVER_READ_US)
    for column, is_valid in zip(columns, valid, strict=True):
        earliest_us = np.where(is_valid, np.minimum(earliest_us, column.read_us), earliest_us)
        latest_us = np.where(is_valid, np.maximum(latest_us, column.read_us), latest_us)
    return mean_c([each.temperature_c for each in columns], valid), earliest_us, latest_us


def mean_c(temperatures_c: Iterable[Temperatures], is_counted: Iterable[Mask]) -> Temperatures:
    """Return the means of those that are counted, NaN without any."""
    total: Temperatures | float = 0.0
    count: npt.NDArray[np.intp] | int = 0
    for each_c, is_in in zip(temperatures_c, is_counted, strict=True):
        total, count = total + np.where(is_in, each_c, 0.0), count + is_in
    means_c: Temperatures = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=np.greater(count, 0))
    return means_c


def _worst(columns: list[SensorColumn], valid: list[Mask], limits: Limits) -> tuple[Temperatures, Instants, Instants]:
    """Return the worst temperature, of several as bad the first, the time of its reading, and that of the latest."""
    count = len(valid[0])
    worst_c, since_us, latest_us = np.full(count, np.nan), np.full(count, NEVER_READ_US), np.full(count, NEVER_READ_US)
    worst_rank, worst_k = np.full(count, -1, np.int8), np.zeros(count)
    for column, is_valid in zip(columns, valid, strict=True):
        each_c = column.temperature_c
        deviation_k = np.abs(beyond_k(each_c, limits))
        rank = np.where(are_clear(each_c, limits), 0, 1).astype(np.int8)
        rank[are_outside(each_c, limits)] = 2
        rank[are_critical(each_c, limits)] = 3
        is_worse = is_valid & ((rank > worst_rank) | ((rank == worst_rank) & (deviation_k > worst_k)))
        worst_c, since_us = np.where(is_worse, each_c, worst_c), np.where(is_worse, column.read_us, since_us)
        worst_rank, worst_k = np.where(is_worse, rank, worst_rank), np.where(is_worse, deviation_k, worst_k)
        latest_us = np.where(is_valid, np.maximum(latest_us, column.read_us), latest_us)
    return worst_c, since_us, latest_us


def are_outside(temperature_c: Temperatures, limits: Limits) -> Mask:
    """Return which temperatures are beyond any limit, NaN beyond none."""
    is_warning = _are_beyond(temperature_c, limits.low_warning_c, limits.high_warning_c, limits.is_inclusive)
    return is_warning | are_critical(temperature_c, limits)


def are_critical(temperature_c: Temperatures, limits: Limits) -> Mask:
    """Return which temperatures are beyond a critical limit, NaN beyond none."""
    is_inclusive = limits.is_inclusive or limits.is_low_critical_inclusive
    is_low = _are_beyond(temperature_c, limits.low_critical_c, None, is_inclusive)
    return is_low | _are_beyond(temperature_c, None, limits.high_critical_c, limits.is_inclusive)


def are_clear(temperature_c: Temperatures, limits: Limits) -> Mask:
    """Return which temperatures are within the limits by the clearing margin, as `Limits.is_clear`; NaN is not."""
    low_c, high_c, margin_k = limits.lowest_c, limits.highest_c, limits.clearing_margin_k
    if low_c is not None and high_c is not None:
        margin_k = min(margin_k, (high_c - low_c) / 2)
    is_clear = ~np.isnan(temperature_c) & ~are_outside(temperature_c, limits)
    if low_c is not None:
        is_clear &= temperature_c >= low_c + margin_k - ROUNDING_K
    if high_c is not None:
        is_clear &= temperature_c <= high_c - margin_k + ROUNDING_K
    return is_clear


def are_cold(temperature_c: Temperatures, limits: Limits) -> Mask:
    """Return for which temperatures the delays of the cold side apply."""
    if limits.lowest_c is None:
        return np.zeros(len(temperature_c), bool)
    return temperature_c <= limits.lowest_c + ROUNDING_K


def beyond_k(temperature_c: Temperatures, limits: Limits) -> Temperatures:
    """Return the deviations beyond the warning limits, negative below the lowest; 0 within them."""
    deviation_k = np.zeros(len(temperature_c))
    if limits.lowest_c is not None:
        np.subtract(temperature_c, limits.lowest_c, out=deviation_k, where=temperature_c < limits.lowest_c)
    if limits.highest_c is not None:
        np.subtract(temperature_c, limits.highest_c, out=deviation_k, where=temperature_c > limits.highest_c)
    return deviation_k


def are_counted(temperature_c: Temperatures, side: Side, limits: Limits) -> Mask:
    """Return which temperatures use up the budget of this side, as `Limits.budget_side_of`."""
    high_c, low_c = limits.highest_c, limits.lowest_c
    is_high, is_low = np.zeros((2, len(temperature_c)), bool)
    if limits.high_allowed_seconds is not None and high_c is not None:
        level_c = high_c if limits.high_allowed_c is None else max(high_c, limits.high_allowed_c)
        is_high = _are_beyond(temperature_c, None, level_c, limits.is_inclusive)
    if side is Side.HIGH:
        return is_high
    if limits.low_allowed_seconds is not None and low_c is not None:
        level_c = low_c if limits.low_allowed_c is None else min(low_c, limits.low_allowed_c)
        is_low = _are_beyond(temperature_c, level_c, None, limits.is_inclusive)
    return is_low & ~is_high


def _are_beyond(temperature_c: Temperatures, low_c: float | None, high_c: float | None, is_inclusive: bool) -> Mask:
    """Return what `readings.units.comparison.is_beyond` does for each temperature."""
    margin_k = -ROUNDING_K if is_inclusive else ROUNDING_K
    is_beyond = np.zeros(len(temperature_c), bool)
    if high_c is not None:
        is_beyond |= temperature_c > high_c + margin_k
    if low_c is not None:
        is_beyond |= temperature_c < low_c - margin_k
    return is_beyond
