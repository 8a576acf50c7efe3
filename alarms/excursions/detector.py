"""The definition of an excursion: a pure function of a unit's readings and of the limits in force.

`detect_excursions` is the definition. `Detector` computes it instant by instant. Its state can be saved and restored,
so that `alarms.evaluation.evaluate` processes a new reading at the cost of one step.

An excursion begins with the first instant at which a sensor was read and the unit's temperature (see
`alarms.excursions.unit_temperature`) is outside the limits in force. It ends with the first one at which it is back
within them by the clearing margin, and so are the last measurements, however old, of all sensors that were valid when
it began or were read since. Unknown is not within: neither a fault nor the silence of a sensor ends an excursion, even
if others are read. A retired sensor does not count from its retirement on, which ends an excursion that it alone kept
from ending. A return within the clearing delay continues the same excursion, which then ends later.

Its measures are sums over every moment of it, by the readings valid and the limits in force at that moment: the time
outside, the time in which no reading is valid (the gap), and what depends on temperatures.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

import msgspec

from alarms.excursions.detected import (
    AfterEnd,
    DetectedExcursion,
    EffectiveLimits,
    SensorReading,
    add_piece,
    add_side_piece,
)
from alarms.excursions.unit_temperature import UnitTemperature, are_clear, unit_temperature_at, valid_sensors
from alarms.thresholds import Severity, Side
from readings.storage.reading_batch import microseconds_of
from readings.storage.time_weighting import arrhenius

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Detector:
    """Find the excursions of one unit reading by reading, in order of time.

    `found` holds the completed excursions, `current` the one that may still continue. `retired`: the sensors that are
    retired, and since when.
    """

    versions: Sequence[EffectiveLimits]
    retired: Mapping[int, datetime] = field(default_factory=dict)
    found: list[DetectedExcursion] = field(default_factory=list)
    current: DetectedExcursion | None = None
    sensors: dict[int, tuple[datetime, float]] = field(default_factory=dict)
    at: datetime | None = None
    temperature: UnitTemperature | None = None
    critical_since: datetime | None = None
    after_end: AfterEnd = field(default_factory=AfterEnd)
    measured_c: dict[int, float] = field(default_factory=dict)

    def is_idle_at(self, instant: datetime) -> bool:
        """Return whether an instant outside at that time would begin a new excursion."""
        return self.current is None or (self.current.clears_at is not None and instant >= self.current.clears_at)

    def prime(self, readings: Iterable[SensorReading]) -> None:
        """Record readings before the first evaluated instant, which may still be valid then."""
        for reading in readings:
            self._carry_forward(reading)

    def step(self, instant: datetime, readings: Iterable[SensorReading]) -> None:
        """Advance to `instant`, later than every one before, at which these readings were taken.

        Those of retired sensors do not count: if there are no others, it is as if nothing had been read.
        """
        if self.retired:
            self.retire_until(instant)
            readings = [each for each in readings if not self._is_retired(each)]
            if not readings:
                return
        if self.current is not None:
            self._accumulate(instant)
        for reading in readings:
            self._carry_forward(reading)
        in_force = self._version_at(instant)
        self.at = instant
        self.temperature = unit_temperature_at(instant, self.sensors, in_force.limits)
        if self.temperature is not None:
            self._apply(instant, self.temperature, in_force)

    def retire_until(self, instant: datetime) -> None:
        """Let the sensors that are retired until then count no longer, each from its own moment on."""
        due = sorted((at, sensor_id) for sensor_id, at in self.retired.items() if at <= instant)
        for at, sensor_id in due:
            counts = self._counts(sensor_id, at)
            if counts and self.at is not None and self.at < at:
                if self.current is not None:
                    self._accumulate(at)
                self.at = at
            self.sensors.pop(sensor_id, None)
            was_measured = self.measured_c.pop(sensor_id, None) is not None
            if not counts or self.at is None:
                continue
            limits = self._version_at(self.at).limits
            self.temperature = unit_temperature_at(self.at, self.sensors, limits)
            is_within = self.temperature is None or self.temperature.severity is None
            if was_measured and is_within and are_clear(self.measured_c, limits):
                self.end(self.at)

    def _counts(self, sensor_id: int, instant: datetime) -> bool:
        """Return whether the sensor has a valid reading at `instant`, or keeps an excursion from ending."""
        if self.current is not None and self.current.ended_at is None and sensor_id in self.measured_c:
            return True
        return sensor_id in valid_sensors(instant, self.sensors, self._version_at(instant).limits)

    def all_excursions(self) -> list[DetectedExcursion]:
        """Return the excursions so far, including the current one."""
        return self.found if self.current is None else [*self.found, self.current]

    def current_until(self, instant: datetime) -> DetectedExcursion | None:
        """Return the current excursion with its metrics up to `instant`, after which the detector is of no more use."""
        self._accumulate(instant)
        return self.current

    def _is_retired(self, reading: SensorReading) -> bool:
        return reading.recorded_at >= self.retired.get(reading.sensor_id, NEVER)

    def _carry_forward(self, reading: SensorReading) -> None:
        if self.retired and self._is_retired(reading):
            return
        if reading.temperature_c is None:
            self.sensors.pop(reading.sensor_id, None)
            return
        self.sensors[reading.sensor_id] = (reading.recorded_at, reading.temperature_c)
        if self.current is not None:
            self.measured_c[reading.sensor_id] = reading.temperature_c

    def _version_at(self, instant: datetime) -> EffectiveLimits:
        newest = self.versions[-1]
        if instant >= newest.valid_from:
            return newest
        return self.versions[max(bisect_right(self.versions, instant, key=_valid_from) - 1, 0)]

    def _next_version_at(self, instant: datetime) -> datetime:
        """Return when the limits in force at `instant` are replaced."""
        if instant >= self.versions[-1].valid_from:
            return NEVER
        position = max(bisect_right(self.versions, instant, key=_valid_from), 1)
        return self.versions[position].valid_from if position < len(self.versions) else NEVER

    def _apply(self, instant: datetime, temperature: UnitTemperature, in_force: EffectiveLimits) -> None:
        limits = in_force.limits
        if self.current is not None and self.is_idle_at(instant):
            self.found.append(self.current)
            self.current = None
        if temperature.severity is not None:
            self._record_outside(instant, temperature, in_force)
            return
        self.critical_since = None
        current = self.current
        if current is not None and limits.is_clear(temperature.temperature_c) and are_clear(self.measured_c, limits):
            self.end(instant)

    def end(self, instant: datetime) -> None:
        """End the current excursion unless it has ended already."""
        current = self.current
        if current is None or current.ended_at is not None:
            return
        current.ended_at = instant
        self.critical_since, self.after_end = None, AfterEnd()
        if self.is_idle_at(instant):
            self.found.append(current)
            self.current = None

    def begin(
        self, instant: datetime, temperature_c: float, severity: Severity, in_force: EffectiveLimits
    ) -> DetectedExcursion:
        """Begin an excursion with the first instant outside, at which `sensors` are up to date."""
        valid = valid_sensors(instant, self.sensors, in_force.limits)
        self.critical_since = None
        self.measured_c = {sensor_id: self.sensors[sensor_id][1] for sensor_id in valid}
        self.current = DetectedExcursion(
            started_at=instant,
            version_id=in_force.version_id,
            clearing_delay=in_force.limits.clearing_delay,
            severity=severity,
            peak_c=temperature_c,
            peak_at=instant,
            last_outside_at=instant,
        )
        return self.current

    def _record_outside(self, instant: datetime, temperature: UnitTemperature, in_force: EffectiveLimits) -> None:
        severity, temperature_c = temperature.severity or Severity.WARNING, temperature.temperature_c
        limits = in_force.limits
        current = self.current or self.begin(instant, temperature_c, severity, in_force)
        if current.ended_at is not None:
            self.resume(current)
        current.last_outside_at = instant
        if abs(temperature.beyond_k) > abs(limits.beyond_k(current.peak_c)):
            current.peak_c, current.peak_at = temperature_c, instant
        if current.alarm_at is None and instant - current.started_at >= limits.warning_delay_of(temperature_c):
            current.alarm_at = instant
        if severity is Severity.CRITICAL:
            self._record_critical(instant, current, limits.critical_delay_of(temperature_c))
        else:
            self.critical_since = None

    def _record_critical(self, instant: datetime, current: DetectedExcursion, delay: timedelta) -> None:
        """Record an instant beyond a critical limit; after the warning delay it needs no delay of its own."""
        current.severity = Severity.CRITICAL
        self.critical_since = self.critical_since or instant
        if current.alarm_at is None and instant - self.critical_since >= delay:
            current.alarm_at = instant
        if current.alarm_at is not None and current.critical_alarm_at is None:
            current.critical_alarm_at = instant

    def resume(self, current: DetectedExcursion) -> None:
        """Continue an excursion that had seemed to be over, including the time since."""
        after_end = self.after_end
        current.ended_at = None
        current.known.seconds += after_end.seconds
        current.known.arrhenius += after_end.arrhenius
        current.gap_seconds += after_end.gap_seconds
        current.outside_seconds += after_end.outside_seconds
        current.area_kelvin_minutes += after_end.area_kelvin_minutes
        for begin_us, end_us in after_end.outside_pieces:
            add_piece(current.outside_pieces, begin_us, end_us)
        for piece in after_end.high_pieces:
            add_side_piece(current.high_pieces, piece, Side.HIGH)
        for piece in after_end.low_pieces:
            add_side_piece(current.low_pieces, piece, Side.LOW)

    def _accumulate(self, instant: datetime) -> None:
        """Add the time since the previous instant, cut where a reading goes stale or the limits change."""
        since, temperature = self.at or instant, self.temperature
        while since < instant:
            until = min(instant, NEVER if temperature is None else temperature.until, self._next_version_at(since))
            self._add_time(since, until, temperature)
            since = until
            if since < instant:
                temperature = unit_temperature_at(since, self.sensors, self._version_at(since).limits)

    def _add_time(self, since: datetime, until: datetime, temperature: UnitTemperature | None) -> None:
        """Add a time of constant temperature, None for unknown, to the excursion or, once it has ended, after it."""
        current, seconds = self.current, (until - since).total_seconds()
        if current is None:
            return
        measures = current if current.ended_at is None else self.after_end
        if temperature is None:
            measures.gap_seconds += seconds
            return
        known = current.known if current.ended_at is None else self.after_end
        known.seconds += seconds
        known.arrhenius += seconds * arrhenius(temperature.temperature_c)
        if temperature.severity is not None:
            measures.outside_seconds += seconds
            measures.area_kelvin_minutes += abs(temperature.beyond_k) * seconds / 60
            begin_us, end_us = microseconds_of(since), microseconds_of(until)
            add_piece(measures.outside_pieces, begin_us, end_us)
            if (side := temperature.budget_side) is not None:
                pieces = measures.high_pieces if side is Side.HIGH else measures.low_pieces
                add_side_piece(pieces, [begin_us, end_us, temperature.temperature_c, begin_us], side)

    def dump_state(self) -> dict[str, object]:
        """Return the state that the next step needs as JSON, for `load_state`."""
        state = _State(
            self.current,
            self.sensors,
            self.at,
            self.temperature,
            self.critical_since,
            self.after_end,
            self.measured_c,
        )
        plain: dict[str, object] = msgspec.to_builtins(state, str_keys=True)
        return plain

    @classmethod
    def load_state(
        cls,
        saved: dict[str, object],
        versions: Sequence[EffectiveLimits],
        retired: Mapping[int, datetime] | None = None,
    ) -> Detector:
        """Return the detector whose state `dump_state` returned."""
        state = msgspec.convert(saved, _State, str_keys=True)
        return cls(
            versions,
            retired or {},
            current=state.current,
            sensors=state.sensors,
            at=state.at,
            temperature=state.standing,
            critical_since=state.critical_since,
            after_end=state.after_end,
            # States saved before this was kept have none.
            measured_c=state.measured_c or {sensor_id: c for sensor_id, (_, c) in state.sensors.items()},
        )


@dataclass(slots=True)
class _State:
    """The saved state of a detector.

    Excursions store it in `progress`, so its field names and those of its parts must not change.
    """

    current: DetectedExcursion | None
    sensors: dict[int, tuple[datetime, float]]
    at: datetime | None
    standing: UnitTemperature | None
    critical_since: datetime | None
    after_end: AfterEnd
    measured_c: dict[int, float] | None = None


def detect_excursions(
    readings: Iterable[SensorReading],
    versions: Sequence[EffectiveLimits],
    retired: Mapping[int, datetime] | None = None,
) -> list[DetectedExcursion]:
    """Return the excursions of a unit. `readings` are in order of time, `versions` by start of validity."""
    detector = Detector(versions, retired or {})
    for instant, taken in group_by_instant(readings):
        detector.step(instant, taken)
    detector.retire_until(NEVER)
    return detector.all_excursions()


def group_by_instant(readings: Iterable[SensorReading]) -> Iterator[tuple[datetime, Iterator[SensorReading]]]:
    """Group readings, in order of time, by their instants."""
    return groupby(readings, itemgetter(0))


def limits_in_force(
    versions: Sequence[EffectiveLimits], since: datetime, until: datetime
) -> Iterator[tuple[EffectiveLimits, datetime, datetime]]:
    """Yield each version with the part of [since, until) in which it is in force, half-open and never empty."""
    ends = [version.valid_from for version in versions[1:]] + [until]
    for version, ends_at in zip(versions, ends, strict=True):
        begins, ends_at = max(version.valid_from, since), min(ends_at, until)
        if begins < ends_at:
            yield version, begins, ends_at


def _valid_from(version: EffectiveLimits) -> datetime:
    return version.valid_from
