"""What every metric of an excursion means, in plain Python: each moment is looked up again in all readings and limits.

It shares no code with the product. Temperatures are in °C, times are aware.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tests.recomputation.definition import HOUR, Reading, Unit, mean_kinetic_temperature, statistics, union

SIDES = ("both", "high", "low")


@dataclass(frozen=True)
class Budget:
    """The time allowed outside in any window; `beyond` is a temperature of its own, past which alone time counts."""

    allowed: timedelta
    window: timedelta
    beyond: float | None = None


@dataclass(frozen=True)
class Limits:
    """The limits in force from a moment on, as docs/alarms.md describes them."""

    since: datetime
    low_critical: float | None
    low_warning: float | None
    high_warning: float | None
    high_critical: float | None
    is_inclusive: bool
    is_low_critical_inclusive: bool
    high_delay: timedelta
    low_delay: timedelta
    high_critical_delay: timedelta
    low_critical_delay: timedelta
    clearing_margin: float
    clearing_delay: timedelta
    staleness: timedelta
    policy: str
    named_sensor: str | None
    budgets: Mapping[str, Budget]
    mkt_limit: float | None
    mkt_window: timedelta

    @property
    def low(self) -> float | None:
        """The lower limit of what is within."""
        return self.low_critical if self.low_warning is None else self.low_warning

    @property
    def high(self) -> float | None:
        """The upper limit of what is within."""
        return self.high_critical if self.high_warning is None else self.high_warning

    def severity(self, temperature: float) -> int:
        """Return 2 beyond a critical limit, 1 beyond a warning limit, 0 within."""
        if self._is_beyond(temperature, self.low_critical, self.high_critical):
            return 2
        is_at_low_critical = self.low_critical is not None and round(temperature, 6) == self.low_critical
        if self.is_low_critical_inclusive and is_at_low_critical:
            return 2
        return int(self._is_beyond(temperature, self.low, self.high))

    def _is_beyond(self, temperature: float, low: float | None, high: float | None) -> bool:
        # Six decimals are compared: more are the rounding of a conversion.
        rounded = round(temperature, 6)
        if self.is_inclusive:
            return (low is not None and rounded <= low) or (high is not None and rounded >= high)
        return (low is not None and rounded < low) or (high is not None and rounded > high)

    def uses_up(self, side: str, temperature: float) -> bool:
        """Return whether a temperature uses up the budget of a side, "high" or "low", or of "both"."""
        if side == "both":
            return self.severity(temperature) > 0
        budget = self.budgets.get(side)
        if budget is None:
            return False
        levels = [each for each in ((self.high if side == "high" else self.low), budget.beyond) if each is not None]
        is_beyond = [
            self._is_beyond(temperature, *((None, level) if side == "high" else (level, None))) for level in levels
        ]
        has_limit = (self.high if side == "high" else self.low) is not None
        return has_limit and all(is_beyond)

    def is_clear(self, temperature: float) -> bool:
        """Return whether a temperature is within by the clearing margin, or in the middle if that leaves nothing."""
        margin = self.clearing_margin
        if self.low is not None and self.high is not None:
            margin = min(margin, (self.high - self.low) / 2)
        is_warm_enough = self.low is None or round(temperature - margin, 6) >= self.low
        is_cold_enough = self.high is None or round(temperature + margin, 6) <= self.high
        return self.severity(temperature) == 0 and is_warm_enough and is_cold_enough

    def beyond(self, temperature: float) -> float:
        """Return by how many kelvin a temperature is beyond the limits, 0 within."""
        above = 0.0 if self.high is None else temperature - self.high
        below = 0.0 if self.low is None else self.low - temperature
        return max(above, below, 0.0)

    def is_cold(self, temperature: float) -> bool:
        """Return whether the delays of low temperatures apply."""
        return self.low is not None and round(temperature, 6) <= self.low


@dataclass
class Excursion:
    """An excursion; `ended_at` None means ongoing."""

    started_at: datetime
    clearing_delay: timedelta
    severity: int
    peak: float
    peak_at: datetime
    last_outside_at: datetime
    ended_at: datetime | None = None
    alarm_at: datetime | None = None
    critical_alarm_at: datetime | None = None
    critical_since: datetime | None = None
    outside: list[tuple[datetime, datetime]] = field(default_factory=list)
    counted: dict[str, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    outside_seconds: float = 0.0
    gap_seconds: float = 0.0
    area_kelvin_minutes: float = 0.0
    mkt: float | None = None


@dataclass
class History:
    """The readings of a unit and its limits over time, each in order of time; sensors in the order of registration.

    `retired`: since when sensors are retired; they do not count from then on, whatever they sent.
    """

    readings: Sequence[Reading]
    versions: Sequence[Limits]
    sensors: Sequence[str]
    retired: Mapping[str, datetime]

    def counts(self, sensor: str, instant: datetime) -> bool:
        """Return whether a sensor is not retired yet."""
        return sensor not in self.retired or instant < self.retired[sensor]

    @property
    def counting(self) -> list[Reading]:
        """The readings of sensors that were not retired."""
        return [reading for reading in self.readings if self.counts(reading.sensor, reading.at)]

    @property
    def newest(self) -> datetime:
        """The time of the last reading, or retirement."""
        return max([reading.at for reading in self.readings] + list(self.retired.values()))

    def limits_at(self, instant: datetime) -> Limits:
        """Return the limits in force; those of the first version also before it."""
        return next((each for each in reversed(self.versions) if each.since <= instant), self.versions[0])

    def valid_at(self, instant: datetime) -> dict[str, float]:
        """Return the valid measurement of each sensor that has one and counts."""
        limits, valid = self.limits_at(instant), {}
        for sensor in self.sensors:
            if not self.counts(sensor, instant):
                continue
            read = [reading for reading in self.readings if reading.sensor == sensor and reading.at <= instant]
            last = max(read, key=lambda reading: reading.at, default=None)
            if last is not None and last.temperature_c is not None and instant - last.at < limits.staleness:
                valid[sensor] = last.temperature_c
        if limits.policy == "named":
            return {sensor: value for sensor, value in valid.items() if sensor == limits.named_sensor}
        return valid

    def temperature_at(self, instant: datetime) -> float | None:
        """Return the unit's temperature: of its worst sensor, the first of equals, or the mean; None if unknown."""
        limits, valid = self.limits_at(instant), self.valid_at(instant)
        if not valid:
            return None
        if limits.policy == "mean":
            return sum(valid.values()) / len(valid)
        return max(
            valid.values(), key=lambda each: (limits.severity(each), not limits.is_clear(each), limits.beyond(each))
        )

    def have_returned(self, started_at: datetime, instant: datetime) -> bool:
        """Return whether all sensors valid at the start or read since were last measured within by the margin."""
        limits, last = self.limits_at(instant), self.valid_at(started_at)
        for reading in self.counting:
            if started_at <= reading.at <= instant and reading.temperature_c is not None:
                last[reading.sensor] = reading.temperature_c
        last = {sensor: value for sensor, value in last.items() if self.counts(sensor, instant)}
        if limits.policy == "mean":
            return not last or limits.is_clear(sum(last.values()) / len(last))
        if limits.policy == "named":
            last = {sensor: value for sensor, value in last.items() if sensor == limits.named_sensor}
        return all(limits.is_clear(value) for value in last.values())

    def steps(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the parts of [start, end) in which nothing changes."""
        turns = {start, end, *(version.since for version in self.versions), *self.retired.values()}
        for reading in self.readings:
            turns |= {reading.at, *(reading.at + version.staleness for version in self.versions)}
        inside = sorted(turn for turn in turns if start <= turn <= end)
        yield from pairwise(inside)


def excursions(history: History, until: datetime | None = None) -> list[Excursion]:
    """Return the temperature excursions.

    The metrics of an ongoing one are those `until` then, or until the last reading that counts or retirement.
    """
    found: list[Excursion] = []
    read_at = {reading.at for reading in history.counting}
    for instant in sorted(read_at | set(history.retired.values())):
        limits, temperature = history.limits_at(instant), history.temperature_at(instant)
        current = found[-1] if found else None
        if instant in history.retired.values():
            _end_by_retirement(current, history, instant)
        if temperature is None or instant not in read_at:
            continue
        if current and current.ended_at is not None and instant >= current.ended_at + current.clearing_delay:
            current = None
        if limits.severity(temperature):
            if current is None:
                current = Excursion(
                    instant, limits.clearing_delay, limits.severity(temperature), temperature, instant, instant
                )
                found.append(current)
            _note_outside(current, instant, temperature, limits)
        elif current is not None:
            current.critical_since = None
            is_back = limits.is_clear(temperature) and history.have_returned(current.started_at, instant)
            if current.ended_at is None and is_back:
                current.ended_at = instant
    until = until or max([*read_at, *history.retired.values()])
    for each in found:
        _measure(each, history, each.ended_at or until)
    return found


def _end_by_retirement(current: Excursion | None, history: History, instant: datetime) -> None:
    """End an excursion that only sensors retired then kept open: they were valid at its start or measured since."""
    if current is None or current.ended_at is not None:
        return
    retired = {sensor for sensor, since in history.retired.items() if since == instant}
    since_start = [reading for reading in history.counting if current.started_at <= reading.at < instant]
    took_part = {reading.sensor for reading in since_start if reading.temperature_c is not None}
    took_part |= history.valid_at(current.started_at).keys()
    temperature = history.temperature_at(instant)
    is_within = temperature is None or not history.limits_at(instant).severity(temperature)
    if retired & took_part and is_within and history.have_returned(current.started_at, instant):
        current.ended_at, current.critical_since = instant, None


def _note_outside(current: Excursion, instant: datetime, temperature: float, limits: Limits) -> None:
    current.ended_at, current.last_outside_at = None, instant
    if limits.beyond(temperature) > limits.beyond(current.peak):
        current.peak, current.peak_at = temperature, instant
    is_cold, is_critical = limits.is_cold(temperature), limits.severity(temperature) == 2
    current.severity = max(current.severity, limits.severity(temperature))
    current.critical_since = (current.critical_since or instant) if is_critical else None
    delay = limits.low_delay if is_cold else limits.high_delay
    is_complete = instant - current.started_at >= delay
    if current.critical_since is not None:
        critical_delay = limits.low_critical_delay if is_cold else limits.high_critical_delay
        is_complete |= instant - current.critical_since >= critical_delay
    if current.alarm_at is None and is_complete:
        current.alarm_at = instant
    if current.alarm_at is not None and is_critical and current.critical_alarm_at is None:
        current.critical_alarm_at = instant


def _measure(excursion: Excursion, history: History, end: datetime) -> None:
    known, gaps, areas = [], [], []
    for since, until in history.steps(excursion.started_at, end):
        seconds = (until - since).total_seconds()
        limits, temperature = history.limits_at(since), history.temperature_at(since)
        if temperature is None:
            gaps.append(seconds)
            continue
        known.append((seconds, temperature))
        if limits.severity(temperature):
            excursion.outside.append((since, until))
            for side in SIDES:
                if limits.uses_up(side, temperature):
                    excursion.counted.setdefault(side, []).append((since, until))
            areas.append(limits.beyond(temperature) * seconds / 60)
    excursion.outside = union(excursion.outside)
    excursion.outside_seconds = math.fsum((until - since).total_seconds() for since, until in excursion.outside)
    excursion.gap_seconds, excursion.area_kelvin_minutes = math.fsum(gaps), math.fsum(areas)
    excursion.mkt = mean_kinetic_temperature(known)


def seconds_outside(history: History, start: datetime, end: datetime) -> tuple[float, float]:
    """Return for how long the unit is known to be beyond its limits within [start, end), and beyond critical ones."""
    seconds = [0.0, 0.0, 0.0]
    for since, until in history.steps(start, end):
        temperature = history.temperature_at(since)
        if temperature is not None:
            seconds[history.limits_at(since).severity(temperature)] += (until - since).total_seconds()
    return seconds[1] + seconds[2], seconds[2]


@dataclass(frozen=True)
class Exceeded:
    """A period in which a budget or a mean kinetic temperature was exceeded, and the most it was."""

    started_at: datetime
    ended_at: datetime | None
    most: float


def budgets(history: History, side: str) -> list[Exceeded]:
    """Return the periods in which the time that counts within the window before a moment reached the allowed time."""
    newest = history.newest
    counted = [piece for each in excursions(history) for piece in union(each.counted.get(side, []))]
    found = []
    for version, since, until in _in_force(history, newest):
        if budget := version.budgets.get(side):
            found += list(_exceeded(counted, budget.allowed, budget.window, since, min(until or newest, newest), until))
    return found


def _in_force(history: History, newest: datetime) -> Iterator[tuple[Limits, datetime, datetime | None]]:
    """Yield each version of the limits with the start and the end of its validity, None for the last one's."""
    first = min(reading.at for reading in history.readings)
    ends = [*(version.since for version in history.versions[1:]), None]
    for version, until in zip(history.versions, ends, strict=True):
        since = max(version.since, first)
        if since <= newest and (until is None or until > since):
            yield version, since, until if until is None or until <= newest else None


def _exceeded(
    outside: Sequence[tuple[datetime, datetime]],
    allowed: timedelta,
    window: timedelta,
    since: datetime,
    last: datetime,
    until: datetime | None,
) -> Iterator[Exceeded]:
    """Yield the periods from `since` to `last`; one that is not over then ends at `until`."""

    def used(instant: datetime) -> timedelta:
        parts = ((max(begin, instant - window), min(end, instant)) for begin, end in outside)
        return sum((end - begin for begin, end in parts if end > begin), timedelta())

    turns = {instant + shift for piece in outside for instant in piece for shift in (timedelta(), window)}
    moments = sorted({since, last, *(turn for turn in turns if since < turn < last)})
    started, most = (since, used(since)) if used(since) >= allowed else (None, timedelta())
    # Between two moments the time used only rises, only falls, or stays, by a second per second.
    for begin, end in pairwise(moments):
        if started is None and used(end) >= allowed:
            started, most = begin + (allowed - used(begin)), timedelta()
        if started is not None:
            most = max(most, used(max(begin, started)), used(end))
            if used(end) < allowed:
                yield Exceeded(started, begin + (used(begin) - allowed), most.total_seconds())
                started = None
    if started is not None and (until is None or started < until):
        yield Exceeded(started, until, most.total_seconds())


def mkt_excursions(history: History, unit: Unit, now: datetime) -> list[Exceeded]:
    """Return the periods from the first to the last window that exceeds the limit; windows end with hours of UTC.

    A window counts if at least half of it is covered. Limits end with the version they belong to.
    """
    found: list[Exceeded] = []
    hour = min(reading.at for reading in unit.readings).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for version, since, until in _in_force(history, now):
        current: Exceeded | None = None
        while hour <= now and (until is None or hour < until):
            of_window = statistics([unit], hour - version.mkt_window, hour)
            if hour >= since - HOUR and version.mkt_limit is not None and of_window.coverage >= 0.5:
                mkt = of_window.mkt_c or 0.0
                if mkt > version.mkt_limit:
                    most = max(mkt, current.most) if current else mkt
                    current = Exceeded(current.started_at if current else hour, None, most)
                elif current is not None:
                    found.append(replace(current, ended_at=hour))
                    current = None
            hour += HOUR
        if current is not None:
            found.append(replace(current, ended_at=until))
    return found
