"""What an excursion is: a pure function of a unit's readings, in the order of time, and of the limits in force.

`excursions_of` is the definition. `Walk` is how it is computed, one instant after the other, and can be put down and
taken up again, which `alarms.evaluation.evaluate` does so that a new reading costs no more than itself.

At every instant at which any of the unit's sensors was read, its temperature is what the sensors that stand say by the
limits' policy: a reading stands until its sensor's next one, for the gap limit at the most, and one without a
measurement for nothing. An excursion begins with the first instant outside the limits in force and lasts until one
that is back within them by the clearing margin. Not to know is not to be within: a gap or a fault ends no excursion,
and is counted in it. What returns within the clearing delay is one excursion, whose end is then the later one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from alarms.thresholds import Limits, SensorPolicy, Severity
from readings.storage.reading_batch import microseconds_of
from readings.storage.time_weighting import arrhenius, mean_kinetic_temperature_c


class Measured(NamedTuple):
    """One reading of one sensor of the unit; `temperature_c` None: without a measurement."""

    recorded_at: datetime
    sensor_id: int
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class InForce:
    """Limits from `valid_from` on; `version_id` is passed through."""

    valid_from: datetime
    limits: Limits
    version_id: int = 0


@dataclass(slots=True)
class _Weights:
    """Σt and Σt·exp(−10000/T) of known time, and how much time was not known; all in seconds."""

    seconds: float = 0.0
    arrhenius: float = 0.0
    gap_seconds: float = 0.0


@dataclass(slots=True)
class FoundExcursion:
    """An excursion, with the names of `alarms.models.Excursion`; instants are aware, None for `ended_at`: it lasts.

    version_id: of the limits in force when it began. outside_pieces: from when to when the temperature is known to be
    outside, in microseconds since 1970, touching pieces joined.
    """

    started_at: datetime
    version_id: int
    clearing_delay: timedelta
    severity: Severity
    peak_c: float
    peak_at: datetime
    last_outside_at: datetime
    ended_at: datetime | None = None
    area_kelvin_minutes: float = 0.0
    outside_seconds: float = 0.0
    gap_seconds: float = 0.0
    alarm_at: datetime | None = None
    critical_alarm_at: datetime | None = None
    outside_pieces: list[list[int]] = field(default_factory=list)
    known: _Weights = field(default_factory=_Weights)

    @property
    def clears_at(self) -> datetime | None:
        """From when on a return would be another excursion; None: it lasts."""
        return None if self.ended_at is None else self.ended_at + self.clearing_delay

    @property
    def mkt_c(self) -> float | None:
        """The mean kinetic temperature of its known time; None where that is nothing."""
        return mean_kinetic_temperature_c(self.known.arrhenius, self.known.seconds)


@dataclass(slots=True)
class _Standing:
    """What the unit's temperature is from `since` on, until `until` at the latest."""

    since: datetime
    until: datetime
    temperature_c: float
    severity: Severity | None
    beyond_k: float


@dataclass(slots=True)
class Walk:
    """The readings of one unit being gone through, in the order of time.

    `found` gathers the excursions that are over for good; the one at hand is `current`.
    """

    versions: Sequence[InForce]
    found: list[FoundExcursion] = field(default_factory=list)
    current: FoundExcursion | None = None
    sensors: dict[int, tuple[datetime, float]] = field(default_factory=dict)
    at: datetime | None = None
    _standing: _Standing | None = None
    _critical_since: datetime | None = None
    _after_end: _Weights = field(default_factory=_Weights)

    def is_calm_at(self, instant: datetime) -> bool:
        """Would an instant outside, then, begin an excursion of its own?"""
        return self.current is None or (self.current.clears_at is not None and instant >= self.current.clears_at)

    def prime(self, readings: Iterable[Measured]) -> None:
        """Take note of what stands, without judging it: readings before those that are walked."""
        for reading in readings:
            self._note(reading)

    def step(self, instant: datetime, readings: Iterable[Measured]) -> None:
        """Go on to `instant`, at which these readings were taken; later than every one before."""
        if self.current is not None:
            self._weigh(instant)
        for reading in readings:
            self._note(reading)
        in_force = self.versions[max(bisect_right(self.versions, instant, key=_valid_from) - 1, 0)]
        self.at = instant
        self._standing = self._stand(instant, in_force.limits)
        if self._standing is not None:
            self._judge(instant, self._standing, in_force)

    def all_found(self) -> list[FoundExcursion]:
        """The excursions so far, the one at hand included."""
        return self.found if self.current is None else [*self.found, self.current]

    def _note(self, reading: Measured) -> None:
        if reading.temperature_c is None:
            self.sensors.pop(reading.sensor_id, None)
        else:
            self.sensors[reading.sensor_id] = (reading.recorded_at, reading.temperature_c)

    def _stand(self, instant: datetime, limits: Limits) -> _Standing | None:
        """What the unit's temperature is at `instant`; None where it is not known."""
        staleness_limit = limits.staleness_limit
        # By sensor, so that of equally bad ones it is always the same that counts.
        standing = [
            (sensor_id, since, temperature_c)
            for sensor_id, (since, temperature_c) in sorted(self.sensors.items())
            if instant - since < staleness_limit
        ]
        if limits.sensor_policy is SensorPolicy.NAMED:
            standing = [each for each in standing if each[0] == limits.named_sensor_id]
        if not standing:
            return None
        if limits.sensor_policy is SensorPolicy.MEAN:
            temperature_c = sum(each[2] for each in standing) / len(standing)
            until = max(each[1] for each in standing) + staleness_limit
        else:
            worst = max(standing, key=lambda each: _badness(limits, each[2])) if len(standing) > 1 else standing[0]
            _, since, temperature_c = worst
            until = since + staleness_limit
        return _Standing(
            instant, until, temperature_c, limits.severity_of(temperature_c), limits.beyond_k(temperature_c)
        )

    def _judge(self, instant: datetime, standing: _Standing, in_force: InForce) -> None:
        limits = in_force.limits
        if self.current is not None and self.is_calm_at(instant):
            self.found.append(self.current)
            self.current = None
        if standing.severity is not None:
            self._be_outside(instant, standing, in_force)
            return
        self._critical_since = None
        current = self.current
        if current is not None and current.ended_at is None and limits.is_clear(standing.temperature_c):
            current.ended_at = instant
            self._after_end = _Weights()
            if self.is_calm_at(instant):
                self.found.append(current)
                self.current = None

    def _be_outside(self, instant: datetime, standing: _Standing, in_force: InForce) -> None:
        severity, temperature_c = standing.severity or Severity.WARNING, standing.temperature_c
        limits, current = in_force.limits, self.current
        if current is None:
            self._critical_since = None
            current = self.current = FoundExcursion(
                started_at=instant,
                version_id=in_force.version_id,
                clearing_delay=limits.clearing_delay,
                severity=severity,
                peak_c=temperature_c,
                peak_at=instant,
                last_outside_at=instant,
            )
        elif current.ended_at is not None:
            self._return(current)
        current.last_outside_at = instant
        if abs(standing.beyond_k) > abs(limits.beyond_k(current.peak_c)):
            current.peak_c, current.peak_at = temperature_c, instant
        delay = limits.delay_of(temperature_c)
        if current.alarm_at is None and instant - current.started_at >= delay:
            current.alarm_at = instant
        if severity is not Severity.CRITICAL:
            self._critical_since = None
            return
        current.severity = severity
        self._critical_since = self._critical_since or instant
        if current.critical_alarm_at is None and instant - self._critical_since >= delay:
            current.critical_alarm_at = instant

    def _return(self, current: FoundExcursion) -> None:
        """It was not over: what was taken for its end, and the time since, is part of it."""
        current.ended_at = None
        current.known.seconds += self._after_end.seconds
        current.known.arrhenius += self._after_end.arrhenius
        current.gap_seconds += self._after_end.gap_seconds

    def _weigh(self, instant: datetime) -> None:
        """Count the time from the instant before to this one."""
        current, standing, since = self.current, self._standing, self.at
        if current is None or since is None:
            return
        weights = current.known if current.ended_at is None else self._after_end
        known_until = since if standing is None else min(instant, standing.until)
        known_seconds = (known_until - since).total_seconds()
        gap_seconds = (instant - known_until).total_seconds()
        if current.ended_at is None:
            current.gap_seconds += gap_seconds
        else:
            weights.gap_seconds += gap_seconds
        if standing is None:
            return
        weights.seconds += known_seconds
        weights.arrhenius += known_seconds * arrhenius(standing.temperature_c)
        if standing.severity is not None:
            current.outside_seconds += known_seconds
            current.area_kelvin_minutes += abs(standing.beyond_k) * known_seconds / 60
            _add_piece(current.outside_pieces, since, known_until)

    def put_down(self) -> dict[str, Any]:
        """All that the next step needs, as JSON; to be taken up by `taken_up`."""
        state = _State(self.current, self.sensors, self.at, self._standing, self._critical_since, self._after_end)
        plain: dict[str, Any] = msgspec.to_builtins(state, str_keys=True)
        return plain

    @classmethod
    def taken_up(cls, put_down: dict[str, Any], versions: Sequence[InForce]) -> Walk:
        """The walk as it was when it was put down."""
        state = msgspec.convert(put_down, _State, str_keys=True)
        walk = cls(versions, current=state.current, sensors=state.sensors, at=state.at)
        walk._standing, walk._critical_since, walk._after_end = state.standing, state.critical_since, state.after_end
        return walk


@dataclass(slots=True)
class _State:
    """What of a walk is put down."""

    current: FoundExcursion | None
    sensors: dict[int, tuple[datetime, float]]
    at: datetime | None
    standing: _Standing | None
    critical_since: datetime | None
    after_end: _Weights


def excursions_of(readings: Iterable[Measured], versions: Sequence[InForce]) -> list[FoundExcursion]:
    """The excursions of a unit. `readings` are in the order of time, `versions` in that of their first validity."""
    walk = Walk(versions)
    for instant, taken in by_instant(readings):
        walk.step(instant, taken)
    return walk.all_found()


def by_instant(readings: Iterable[Measured]) -> Iterator[tuple[datetime, Iterator[Measured]]]:
    """The readings, in the order of time, by their instants."""
    return groupby(readings, itemgetter(0))


def limits_in_force(
    versions: Sequence[InForce], since: datetime, until: datetime
) -> Iterator[tuple[InForce, datetime, datetime]]:
    """Each version with the part of [since, until] for which it is in force; a part may be a single instant."""
    ends = [version.valid_from for version in versions[1:]] + [until]
    for version, ends_at in zip(versions, ends, strict=True):
        begins, ends_at = max(version.valid_from, since), min(ends_at, until)
        if begins <= ends_at:
            yield version, begins, ends_at


def _valid_from(version: InForce) -> datetime:
    return version.valid_from


def _badness(limits: Limits, temperature_c: float) -> tuple[int, float]:
    """The larger, the worse; of temperatures within the limits the one nearest to leaving them."""
    severity = limits.severity_of(temperature_c)
    rank = {None: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}[severity]
    if severity is None and limits.is_clear(temperature_c):
        rank = 0
    return rank, abs(limits.beyond_k(temperature_c))


def _add_piece(pieces: list[list[int]], since: datetime, until: datetime) -> None:
    since_us, until_us = microseconds_of(since), microseconds_of(until)
    if since_us == until_us:
        return
    if pieces and pieces[-1][1] == since_us:
        pieces[-1][1] = until_us
    else:
        pieces.append([since_us, until_us])
