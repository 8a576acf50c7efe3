"""The thermal model of a healthy cold room: its temperature as a pure function of the instant."""

from dataclasses import dataclass

import numpy as np

from simulator.base.instants import SECOND
from simulator.base.seeded_random import Floats, Integers, bell, fraction, key_of, uniform

_DAY_SECONDS = 86_400.0
_YEAR_SECONDS = 365.2425 * _DAY_SECONDS

# Ambient air in the north of England: mean, half the yearly and half the daily swing, and the time of the peak.
_AMBIENT_MEAN_C = 10.5
_YEARLY_SWING_K = 6.5
_WARMEST_DAY = 201.0
_DAILY_SWING_K = 4.0
_WARMEST_HOUR = 15.0

_REFERENCE_SIZE_SQUARE_METRES = 200.0

_DOOR_SLOT_SECONDS = 1_800
_DOOR_OPENS_CHANCE = 0.35
_DOOR_RECOVERY_SECONDS = 480.0
_WORK_BEGINS_HOUR, _WORK_ENDS_HOUR, _WORKING_DAYS = 7, 18, 5

_DEFROST_SECONDS = 1_200.0
_DEFROST_RECOVERY_SECONDS = 480.0

_NOISE_K = 0.05


@dataclass(frozen=True)
class Room:
    """The constants of one room. Large rooms react less to weather and doors, and warm up more slowly."""

    key: int
    set_temperature_c: float
    time_constant_seconds: float
    ambient_share: float
    compressor_swing_k: float
    compressor_seconds: float
    door_swing_k: float
    defrost_swing_k: float
    defrost_every_seconds: float
    drift_k: float
    drift_seconds: float

    @classmethod
    def of(cls, unit_key: int, set_temperature_c: float, size_square_metres: float) -> "Room":
        """Return the thermal model of a unit."""

        def between(what: str, low: float, high: float) -> float:
            return low + (high - low) * fraction(key_of(unit_key, what))

        width = (size_square_metres / _REFERENCE_SIZE_SQUARE_METRES) ** (1 / 3)
        return cls(
            key=unit_key,
            set_temperature_c=set_temperature_c,
            time_constant_seconds=3.0 * 3_600.0 * width,
            ambient_share=min(0.04 / width, 0.06),
            compressor_swing_k=between("compressor swing", 0.25, 0.45),
            compressor_seconds=between("compressor", 1_200.0, 2_400.0),
            door_swing_k=min(between("door swing", 0.6, 1.0) / width, 1.4),
            defrost_swing_k=between("defrost swing", 0.9, 1.5),
            defrost_every_seconds=between("defrost", 6.0, 12.0) * 3_600.0,
            drift_k=between("drift", 0.05, 0.15),
            drift_seconds=between("drift period", 20.0, 60.0) * _DAY_SECONDS,
        )

    def temperatures_c(self, instants_us: Integers) -> Floats:
        """Return the temperature in °C at each instant, without sensor noise, in the shape of `instants_us`."""
        seconds = instants_us / SECOND
        return (
            self.set_temperature_c
            + (ambient_c(instants_us) - _AMBIENT_MEAN_C) * self.ambient_share
            + self._compressor(seconds)
            + self._doors(instants_us)
            + self._defrost(seconds)
            + self.drift_k * np.sin(seconds * (2 * np.pi / self.drift_seconds) + self.key % 7)
        )

    def _compressor(self, seconds: Floats) -> Floats:
        """Return a triangle wave: falling while the compressor runs, rising while it is off."""
        phase = np.mod(seconds / self.compressor_seconds, 1.0)
        running = 0.4
        fall = 1.0 - 2.0 * phase / running
        rise = -1.0 + 2.0 * (phase - running) / (1.0 - running)
        return self.compressor_swing_k * np.where(phase < running, fall, rise)

    def _doors(self, instants_us: Integers) -> Floats:
        """Return the effect of doors opened in working hours: at most once per slot, and gone two slots later."""
        warmth = np.zeros(instants_us.shape, dtype=np.float64)
        if not instants_us.size:
            return warmth
        slots = instants_us // (_DOOR_SLOT_SECONDS * SECOND)
        first = int(slots.min()) - 2
        opens, lasts, swings = self._door_openings(np.arange(first, int(slots.max()) + 1, dtype=np.int64))
        for back in (0, 1, 2):
            at = slots - back - first
            warmth += _bump((instants_us - opens[at]) / SECOND, lasts[at], _DOOR_RECOVERY_SECONDS) * swings[at]
        return warmth

    def _door_openings(self, slots: Integers) -> tuple[Integers, Floats, Floats]:
        """Return per slot when the door opens (µs), for how long (s), and how warm it gets (K, 0 if it stays shut)."""
        begins = slots * (_DOOR_SLOT_SECONDS * SECOND)
        hour = begins // (3_600 * SECOND)
        weekday = (hour // 24 + 3) % 7  # 1970 began on a Thursday
        working = (weekday < _WORKING_DAYS) & (hour % 24 >= _WORK_BEGINS_HOUR) & (hour % 24 < _WORK_ENDS_HOUR)
        opened = working & (uniform(key_of(self.key, "door"), slots) < _DOOR_OPENS_CHANCE)
        offset_us = uniform(key_of(self.key, "door when"), slots) * (_DOOR_SLOT_SECONDS * SECOND)
        lasts = 60.0 + 240.0 * uniform(key_of(self.key, "door how long"), slots)
        return begins + offset_us.astype(np.int64), lasts, np.where(opened, self.door_swing_k * lasts / 300.0, 0.0)

    def _defrost(self, seconds: Floats) -> Floats:
        begun = np.mod(seconds + self.key % 40_000, self.defrost_every_seconds)
        length = np.full(seconds.shape, _DEFROST_SECONDS)
        return self.defrost_swing_k * _bump(begun, length, _DEFROST_RECOVERY_SECONDS)

    def noise(self, indexes: Integers) -> Floats:
        """Return the sensor's noise in K, one draw per sampling index."""
        return _NOISE_K * bell(key_of(self.key, "noise"), indexes)


def ambient_c(instants_us: Integers) -> Floats:
    """Return the ambient temperature in °C."""
    seconds = instants_us / SECOND
    yearly = np.cos((seconds / _YEAR_SECONDS - _WARMEST_DAY / 365.2425) * (2 * np.pi))
    daily = np.cos((seconds / _DAY_SECONDS - _WARMEST_HOUR / 24.0) * (2 * np.pi))
    return _AMBIENT_MEAN_C + _YEARLY_SWING_K * yearly + _DAILY_SWING_K * daily


def _bump(since: Floats, lasts: Floats, recovery_seconds: float) -> Floats:
    """Return 0 before, a straight rise to 1 during, and an exponential decay after."""
    rising = np.clip(since / lasts, 0.0, 1.0)
    return rising * np.exp(-np.maximum(since - lasts, 0.0) / recovery_seconds)
