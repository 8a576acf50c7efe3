"""Detect excursions by runs of readings: what `Detector` does instant by instant, some fifteen times as fast.

`advance` is the way to process many readings; a detector that steps through them is the definition, and both arrive at
the same state and at the same excursions, to the last bit. Columns tell for all instants at once whether the unit is
outside, within, or clear; the detector is then moved from one such change to the next, and sums are added in the order
of the steps. It still steps where limits change, where a sensor is retired, and where only some of several sensors go
stale, since those are few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from alarms.excursions import temperature_columns as by_column
from alarms.excursions.detected import DetectedExcursion
from alarms.excursions.detector import Detector
from alarms.excursions.period import Period, Positions, next_of
from alarms.excursions.sensor_readings import SensorReadings
from alarms.excursions.temperature_columns import SECOND_US, Instants, Mask, SensorColumn
from alarms.excursions.unit_temperature import unit_temperature_at
from alarms.thresholds import SensorPolicy, Severity
from readings.storage.reading_batch import instant_of, microseconds_of

# Below this many readings stepping is faster, by measurement.
FEW = 24
# Of a column of each sensor; several are kept for every instant.
MAX_CELLS = 1_000_000


def advance(detector: Detector, readings: SensorReadings, few: int = FEW) -> None:
    """Move the detector through these readings, all later than those before. `few`: up to how many to step."""
    newest_us = readings.recorded_at_us[-1:].tolist()
    readings = readings.before_retirement(detector.retired)
    sensor_count = len({*readings.sensor_ids(), *detector.sensors})
    size = max(MAX_CELLS // max(sensor_count, 1), few)
    for part in _parts(readings, size):
        if len(part) <= few:
            for instant, taken in part.instants():
                detector.step(instant, taken)
        else:
            _advance_part(detector, part, few)
    # The last readings may be those of retired sensors alone.
    for at_us in newest_us:
        detector.retire_until(instant_of(at_us))


def _parts(readings: SensorReadings, size: int) -> Iterator[SensorReadings]:
    """Yield the readings in parts of about this size that end between two instants."""
    first_rows = readings.first_rows()
    while len(readings):
        cut = int(np.searchsorted(first_rows, size))
        end = int(first_rows[cut]) if cut < len(first_rows) else len(readings)
        yield readings[:end]
        readings, first_rows = readings[end:], first_rows[cut:] - end


def _advance_part(detector: Detector, readings: SensorReadings, few: int) -> None:
    measured_c = {} if detector.current is None else detector.measured_c
    at_us, sensors = by_column.carry_forward(readings, detector.sensors, measured_c, detector.retired)
    rows = [*readings.first_rows().tolist(), len(readings)]
    versions = [microseconds_of(each.valid_from) for each in detector.versions]
    version = np.maximum(np.searchsorted(versions, at_us, "right") - 1, 0)
    begins = {0, *(np.flatnonzero(np.diff(version)) + 1).tolist()}
    begins |= set(np.searchsorted(at_us, [microseconds_of(each) for each in detector.retired.values()]).tolist())
    begins.discard(len(at_us))

    def step(position: int) -> None:
        detector.step(instant_of(int(at_us[position])), readings.readings(rows[position], rows[position + 1]))

    for begin, end in pairwise([*sorted(begins), len(at_us)]):
        step(begin)
        if end - begin <= few:
            for position in range(begin + 1, end):
                step(position)
            continue
        own = slice(begin, end)
        period = Period(detector.versions[version[begin]], at_us[own], [each[own] for each in sensors], begin)
        run = _Run(detector, period)
        for first, last in pairwise([0, *period.partly_stale().tolist(), end - begin]):
            if first > 0:
                step(begin + first)
            run.move(first + 1, last)


@dataclass(slots=True)
class _Run:
    """A detector that has stepped to the first instant of a period and is moved through the rest."""

    detector: Detector
    period: Period
    _critical_since_us: Instants = field(init=False)
    # The excursion's sensors: those read from this position on, and these of the period's.
    _since: int = 0
    _members: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._critical_since_us = self.period.critical_since_us(self.detector.critical_since)

    def move(self, begin: int, end: int) -> None:
        """Move the detector, which is at the instant before `begin`, through those before `end`."""
        if begin >= end:
            return
        self._since = begin
        self._members = [each.sensor_id in self.detector.measured_c for each in self.period.sensors]
        done = begin - 1
        while done < end - 1:
            current = self.detector.current
            if current is None:
                done = self._run_idle(done, end)
            elif current.ended_at is None:
                done = self._run_outside(current, done + 1, done, end)
            else:
                done = self._run_after_end(current, done, end)
        self._leave_at(end - 1)

    def _run_idle(self, done: int, end: int) -> int:
        """Begin the next excursion and run through it; return the last instant that is done."""
        begins = next_of(self.period.outside_at, done + 1, end)
        if begins == end:
            return end - 1
        instant, detector = self.period.instant(begins), self.detector
        detector.sensors = self.period.sensors_at(begins)
        temperature_c = float(self.period.temperatures.temperature_c[begins])
        severity = Severity.CRITICAL if self.period.temperatures.is_critical[begins] else Severity.WARNING
        current = detector.begin(instant, temperature_c, severity, self.period.in_force)
        # What was read at that instant counts only if it is valid, which `begin` has determined.
        self._since = begins + 1
        self._members = [each.sensor_id in detector.measured_c for each in self.period.sensors]
        return self._run_outside(current, begins, begins, end)

    def _run_outside(self, current: DetectedExcursion, first: int, done: int, end: int) -> int:
        """Run through an excursion until it ends; `first` is the first instant that it has not observed."""
        ends = self._first_clear(first, end)
        self._observe(current, first, ends)
        last = min(ends, end - 1)
        self.period.add_times(current, self.detector.after_end, done, last)
        if ends < end:
            self.detector.end(self.period.instant(ends))
        return last

    def _run_after_end(self, current: DetectedExcursion, done: int, end: int) -> int:
        """Run until the clearing delay is over, or through the excursion if it continues before."""
        clears_at = microseconds_of(current.clears_at or current.last_outside_at)
        over = next_of(self.period.known_at, max(done + 1, int(self.period.at_us.searchsorted(clears_at))), end)
        again = next_of(self.period.outside_at, done + 1, end)
        if over <= again and over < end:
            self.detector.found.append(current)
            self.detector.current = None
            return over - 1
        last = min(again, end - 1)
        self.period.add_times(current, self.detector.after_end, done, last)
        if again == end:
            return last
        self.detector.resume(current)
        return self._run_outside(current, again, again, end)

    def _first_clear(self, first: int, end: int) -> int:
        """Return the first instant from `first` on that ends the excursion, `end` without any."""
        limits = self.period.in_force.limits
        if len(self.period.sensors) == 1 or limits.sensor_policy is SensorPolicy.NAMED:
            return next_of(self.period.clear_at, first, end)
        size = 64
        while first < end:
            window = slice(first, min(first + size, end))
            is_clear = self.period.temperatures.is_clear[window] & self._are_clear(window)
            if is_clear.any():
                return first + int(np.argmax(is_clear))
            first, size = window.stop, size * 4
        return end

    def _are_clear(self, window: slice) -> Mask:
        """Return `alarms.excursions.unit_temperature.are_clear` of the last measurements at each instant."""
        limits, columns = self.period.in_force.limits, [each[window] for each in self.period.sensors]
        counted = [self._are_members(number, each) for number, each in enumerate(columns)]
        if limits.sensor_policy is SensorPolicy.MEAN:
            mean_c = by_column.mean_c([each.measured_c for each in columns], counted)
            is_any_counted: Mask = np.logical_or.reduce(counted)
            return by_column.are_clear(mean_c, limits) | ~is_any_counted
        each_is_clear = (by_column.are_clear(each.measured_c, limits) for each in columns)
        are_clear: Mask = np.logical_and.reduce(
            [is_clear | ~is_in for is_clear, is_in in zip(each_is_clear, counted, strict=True)]
        )
        return are_clear

    def _are_members(self, number: int, column: SensorColumn) -> Mask:
        """Return at which instants the sensor's last measurement counts for the end of the excursion."""
        return (column.measured_at >= self.period.offset + self._since) | self._members[number]

    def _observe(self, current: DetectedExcursion, first: int, end: int) -> None:
        """Record the instants outside from `first` to before `end`."""
        outside = self.period.outside(first, end)
        if not len(outside):
            return
        temperatures, limits = self.period.temperatures, self.period.in_force.limits
        current.last_outside_at = self.period.instant(outside[-1])
        deviations_k = np.abs(temperatures.beyond_k[outside])
        furthest = int(deviations_k.argmax())
        if deviations_k[furthest] > abs(limits.beyond_k(current.peak_c)):
            current.peak_c = float(temperatures.temperature_c[outside[furthest]])
            current.peak_at = self.period.instant(outside[furthest])
        is_critical = temperatures.is_critical[outside]
        is_any_critical = bool(is_critical.any())
        if is_any_critical:
            current.severity = Severity.CRITICAL
        if current.alarm_at is None:
            is_due = self._is_delay_complete(current, outside)
            if is_any_critical:
                is_due |= is_critical & self._is_critical_delay_complete(outside)
            if is_due.any():
                current.alarm_at = self.period.instant(outside[is_due.argmax()])
        if is_any_critical and current.alarm_at is not None and current.critical_alarm_at is None:
            is_critical &= self.period.at_us[outside] >= microseconds_of(current.alarm_at)
            if is_critical.any():
                current.critical_alarm_at = self.period.instant(outside[is_critical.argmax()])

    def _is_delay_complete(self, current: DetectedExcursion, outside: Positions) -> Mask:
        """Return at which of these instants outside the alarm's delay is complete."""
        limits = self.period.in_force.limits
        lasted_us = self.period.at_us[outside] - microseconds_of(current.started_at)
        return lasted_us >= self._delays_us(outside, limits.low_delay_seconds, limits.high_delay_seconds)

    def _is_critical_delay_complete(self, outside: Positions) -> Mask:
        """Return the same of the delay of critical alarms, which counts for critical instants only."""
        limits = self.period.in_force.limits
        lasted_us = self.period.at_us[outside] - self._critical_since_us[outside]
        delays = limits.low_critical_delay_seconds, limits.high_critical_delay_seconds
        return lasted_us >= self._delays_us(outside, *delays)

    def _delays_us(self, outside: Positions, low_seconds: int, high_seconds: int) -> Instants | int:
        """Return the delay of the side on which each of these instants is; one number if that makes no difference."""
        if low_seconds == high_seconds:
            return low_seconds * SECOND_US
        temperature_c = self.period.temperatures.temperature_c[outside]
        is_cold = by_column.are_cold(temperature_c, self.period.in_force.limits)
        delays_us: Instants = np.where(is_cold, low_seconds, high_seconds) * SECOND_US
        return delays_us

    def _leave_at(self, position: int) -> None:
        """Bring the detector's state to that at `position`."""
        detector, limits = self.detector, self.period.in_force.limits
        detector.at = instant = self.period.instant(position)
        detector.sensors = self.period.sensors_at(position)
        detector.temperature = unit_temperature_at(instant, detector.sensors, limits)
        known = int(self.period.known_at.searchsorted(position, "right"))
        if known > 0:
            last = self.period.known_at[known - 1]
            is_critical = self.period.temperatures.is_critical[last]
            detector.critical_since = instant_of(int(self._critical_since_us[last])) if is_critical else None
        if detector.current is not None:
            here = [each[position : position + 1] for each in self.period.sensors]
            detector.measured_c = {
                each.sensor_id: float(each.measured_c[0])
                for number, each in enumerate(here)
                if self._are_members(number, each)[0]
            }
