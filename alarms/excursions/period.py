"""A period of constant limits by column: what each of its instants shows, and what each time between two adds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from alarms.excursions import temperature_columns as by_column
from alarms.excursions.detected import (
    AfterEnd,
    DetectedExcursion,
    EffectiveLimits,
    KnownTime,
    SidePiece,
    add_piece,
    add_side_piece,
)
from alarms.excursions.temperature_columns import SECOND_US, Instants, SensorColumn, TemperatureColumns, Temperatures
from alarms.thresholds import Side
from readings.storage.reading_batch import instant_of, microseconds_of
from readings.storage.time_weighting import ACTIVATION_K, COLDEST_K, ZERO_C_IN_K

Positions = npt.NDArray[np.intp]


@dataclass(slots=True)
class Period:
    """Consecutive instants with the same limits, identified by their positions in it.

    offset: the position of the first among those that `sensors` refer to. known_until_us: until when the temperature at
    an instant is known. times: see `_times`.
    """

    in_force: EffectiveLimits
    at_us: Instants
    sensors: list[SensorColumn]
    offset: int
    temperatures: TemperatureColumns = field(init=False)
    known_until_us: Instants = field(init=False)
    times: Temperatures = field(init=False)
    outside_at: Positions = field(init=False)
    clear_at: Positions = field(init=False)
    known_at: Positions = field(init=False)

    def __post_init__(self) -> None:
        self.temperatures = temperatures = by_column.unit_temperatures(self.at_us, self.sensors, self.in_force.limits)
        until_us = np.where(temperatures.is_known, temperatures.until_us, self.at_us)
        self.known_until_us = np.minimum(until_us[:-1], self.at_us[1:])
        self.times = self._times()
        self.outside_at = np.flatnonzero(temperatures.is_outside)
        self.clear_at = np.flatnonzero(temperatures.is_clear)
        self.known_at = np.flatnonzero(temperatures.is_known)

    def _times(self) -> Temperatures:
        """Return what each time between two instants adds: to the gap, the known time, the time outside, the area.

        The last row is the exponent by which the known time is weighted.
        """
        is_outside = self.temperatures.is_outside[:-1]
        times = np.zeros((5, len(self.known_until_us)))
        times[0] = (self.at_us[1:] - self.known_until_us) / SECOND_US
        times[1] = (self.known_until_us - self.at_us[:-1]) / SECOND_US
        times[2, is_outside] = times[1, is_outside]
        times[3, is_outside] = np.abs(self.temperatures.beyond_k[:-1][is_outside]) * times[1, is_outside] / 60
        temperature_k = np.maximum(self.temperatures.temperature_c[:-1] + ZERO_C_IN_K, COLDEST_K)
        times[4] = np.where(self.temperatures.is_known[:-1], -ACTIVATION_K / temperature_k, 0.0)
        return times

    def partly_stale(self) -> Positions:
        """Return the instants before which a reading that counts has gone stale while others had not."""
        temperatures = self.temperatures
        is_known = temperatures.is_known[:-1] & ~temperatures.is_last_until[:-1]
        return np.flatnonzero(is_known & (self.known_until_us < self.at_us[1:])) + 1

    def critical_since_us(self, critical_since: datetime | None) -> Instants:
        """Return for each critical instant since when all have been; `critical_since` tells it for the first one."""
        since_us = np.zeros(len(self.at_us), np.int64)
        known = self.known_at
        is_critical = self.temperatures.is_critical[known]
        if is_critical.any():
            is_first = is_critical & ~np.concatenate(([False], is_critical[:-1]))
            since_us[known] = np.maximum.accumulate(np.where(is_first, self.at_us[known], 0))
            if critical_since is not None and is_critical[0]:
                first_run = known if is_critical.all() else known[: np.argmin(is_critical)]
                since_us[first_run] = microseconds_of(critical_since)
        return since_us

    def sensors_at(self, position: int) -> dict[int, tuple[datetime, float]]:
        """Return the last reading of each sensor at `position`, without those that had no measurement."""
        rows = ((each, float(each.temperature_c[position])) for each in self.sensors)
        return {
            each.sensor_id: (instant_of(int(each.read_us[position])), temperature_c)
            for each, temperature_c in rows
            if not math.isnan(temperature_c)
        }

    def instant(self, position: int | np.intp) -> datetime:
        """Return the instant at this position."""
        return instant_of(int(self.at_us[position]))

    def add_times(self, current: DetectedExcursion, after_end: AfterEnd, begin: int, end: int) -> None:
        """Add the time between these two instants to the excursion or, once it has ended, after it.

        Sums are accumulated from left to right, as one addition after the other rounds, and weighted by the same `exp`:
        that of numpy differs in the last bit.
        """
        if begin >= end:
            return
        is_over = current.ended_at is not None
        measures: DetectedExcursion | AfterEnd = after_end if is_over else current
        known: KnownTime = after_end if is_over else current.known
        sums = np.empty((5, end - begin + 1))
        sums[:, 0] = (
            measures.gap_seconds,
            known.seconds,
            measures.outside_seconds,
            measures.area_kelvin_minutes,
            known.arrhenius,
        )
        sums[:, 1:] = self.times[:, begin:end]
        sums[4, 1:] = list(map(math.exp, sums[4, 1:].tolist()))
        sums[4, 1:] *= sums[1, 1:]
        (
            measures.gap_seconds,
            known.seconds,
            measures.outside_seconds,
            measures.area_kelvin_minutes,
            known.arrhenius,
        ) = np.add.accumulate(sums, axis=1)[:, -1].tolist()
        self._add_pieces(measures, self.outside(begin, end))

    def _add_pieces(self, measures: DetectedExcursion | AfterEnd, outside: Positions) -> None:
        """Add the times that begin at these instants outside."""
        if not len(outside):
            return
        limits, begin_us, until_us = self.in_force.limits, self.at_us[outside], self.known_until_us[outside]
        for first, last in _touching(begin_us, until_us):
            add_piece(measures.outside_pieces, int(begin_us[first]), int(until_us[last]))
        for side in Side:
            if limits.budget(side) is not None:
                pieces = measures.high_pieces if side is Side.HIGH else measures.low_pieces
                self._add_side_pieces(pieces, side, outside)

    def _add_side_pieces(self, pieces: list[SidePiece], side: Side, outside: Positions) -> None:
        """Add those of the times that the budget of this side counts."""
        counted = outside[by_column.are_counted(self.temperatures.temperature_c[outside], side, self.in_force.limits)]
        if not len(counted):
            return
        begin_us, until_us = self.at_us[counted], self.known_until_us[counted]
        temperature_c = self.temperatures.temperature_c[counted]
        furthest = np.argmax if side is Side.HIGH else np.argmin
        for first, last in _touching(begin_us, until_us):
            worst = first + int(furthest(temperature_c[first : last + 1]))
            piece = [int(begin_us[first]), int(until_us[last]), float(temperature_c[worst]), int(begin_us[worst])]
            add_side_piece(pieces, piece, side)

    def outside(self, begin: int, end: int) -> Positions:
        """Return the instants outside from `begin` to before `end`."""
        return self.outside_at[slice(*self.outside_at.searchsorted((begin, end)))]


def next_of(positions: Positions, first: int, end: int) -> int:
    """Return the first of these positions from `first` to before `end`, or `end`."""
    number = int(positions.searchsorted(first))
    return min(int(positions[number]), end) if number < len(positions) else end


def _touching(begin_us: Instants, end_us: Instants) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of consecutive times that touch each other."""
    first = 0
    for last in (begin_us[1:] != end_us[:-1]).nonzero()[0].tolist():
        yield first, last
        first = last + 1
    yield first, len(begin_us) - 1
