"""Equipment faults scheduled on a storage unit, and their effects on its temperature and rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from simulator.base.instants import LARGEST_NUMBER, SECOND, microseconds_of, moment_of, parse_moment
from simulator.base.seeded_random import Flags, Floats, Integers

FAULT_KINDS = ("door_open", "compressor_failure", "sensor_stuck", "sensor_dead", "power_cut", "clock_wrong")

_LONGEST_MINUTES = 366 * 24 * 60.0
# Readers reject times more than a day ahead; a clock that was reset, however, may be years behind.
_FURTHEST_AHEAD_SECONDS = 86_400.0
_FURTHEST_BEHIND_SECONDS = 10 * 366 * 86_400.0

# An open door lets in air, but not all of the outside: the temperature ends at this share of the way to ambient, and
# rises this much faster than with a dead compressor. Afterwards the compressor cools the room down again.
_OPEN_DOOR_SHARE = 0.4
_OPEN_DOOR_HASTE = 6.0
_RECOVERY_HASTE = 4.0


class FaultError(ValueError):
    """A fault that cannot be scheduled, with the reason."""


@dataclass(frozen=True, order=True)
class Fault:
    """A fault from `start_us` (inclusive) to `end_us` (exclusive), true time. `offset_us` is a wrong clock's error."""

    start_us: int
    end_us: int
    unit: str
    kind: str
    offset_us: int = 0

    def document(self) -> dict[str, object]:
        """Return the fault as JSON values."""
        values: dict[str, object] = {
            "unit": self.unit,
            "kind": self.kind,
            "start": moment_of(self.start_us).isoformat(),
            "end": moment_of(self.end_us).isoformat(),
            "duration_minutes": (self.end_us - self.start_us) / (60 * SECOND),
        }
        if self.kind == "clock_wrong":
            values["offset_seconds"] = self.offset_us / SECOND
        return values


def make_fault(
    unit: str, kind: object, start: datetime, duration_minutes: object, offset_seconds: object = 0.0
) -> Fault:
    """Return a fault from JSON values. Raise FaultError."""
    if kind not in FAULT_KINDS:
        raise FaultError(f"kind must be one of {', '.join(FAULT_KINDS)}, not {kind!r}")
    minutes = _number(duration_minutes, "duration_minutes")
    if not 0 < minutes <= _LONGEST_MINUTES:
        raise FaultError(f"duration_minutes must be above 0 and at most {_LONGEST_MINUTES:.0f}")
    offset = _number(offset_seconds, "offset_seconds")
    if kind == "clock_wrong" and (offset == 0 or not -_FURTHEST_BEHIND_SECONDS <= offset <= _FURTHEST_AHEAD_SECONDS):
        raise FaultError("clock_wrong needs offset_seconds from -10 years to +86400, but not 0")
    if kind != "clock_wrong" and offset:
        raise FaultError("offset_seconds is for clock_wrong only")
    try:
        end = start + timedelta(minutes=minutes)
    except OverflowError as error:
        raise FaultError("the fault ends outside the calendar") from error
    return Fault(microseconds_of(start), microseconds_of(end), unit, str(kind), round(offset * SECOND))


def fault_from(unit: str, values: Mapping[str, object], now: datetime) -> Fault:
    """Return a fault from its JSON object; `start` defaults to now. Raise FaultError."""
    unknown = sorted(set(values) - {"kind", "start", "duration_minutes", "offset_seconds"})
    if unknown:
        raise FaultError(f"unknown {', '.join(unknown)}")
    if "duration_minutes" not in values:
        raise FaultError("duration_minutes is missing")
    start = now
    if values.get("start") is not None:
        try:
            start = parse_moment(str(values["start"]))
        except ValueError as error:
            raise FaultError(f"start is not an ISO 8601 instant: {values['start']!r}") from error
    return make_fault(unit, values.get("kind"), start, values["duration_minutes"], values.get("offset_seconds", 0.0))


def during(faults: Sequence[Fault], kind: str, instants_us: Integers) -> Flags:
    """Return which instants lie within a fault of this kind."""
    inside = np.zeros(instants_us.shape, dtype=np.bool_)
    for fault in faults:
        if fault.kind == kind:
            inside |= (instants_us >= fault.start_us) & (instants_us < fault.end_us)
    return inside


def warmth(faults: Sequence[Fault], instants_us: Integers, time_constant_seconds: float) -> Floats:
    """Return how far towards ambient (0: not at all, 1: wholly) doors and dead compressors have brought the room.

    A dead compressor: 1 - exp(-t / time constant). After a fault the warmth decays exponentially.
    """
    cold = np.ones(instants_us.shape, dtype=np.float64)
    for fault in faults:
        if fault.kind == "compressor_failure":
            share, constant = 1.0, time_constant_seconds
        elif fault.kind == "door_open":
            share, constant = _OPEN_DOOR_SHARE, time_constant_seconds / _OPEN_DOOR_HASTE
        else:
            continue
        since = (instants_us - fault.start_us) / SECOND
        lasted = (fault.end_us - fault.start_us) / SECOND
        risen = share * -np.expm1(-np.clip(since, 0.0, lasted) / constant)
        fallen = np.exp(-np.maximum(since - lasted, 0.0) * _RECOVERY_HASTE / time_constant_seconds)
        cold *= 1.0 - risen * fallen
    return 1.0 - cold


def clock_segments(faults: Sequence[Fault]) -> list[tuple[int, int, int]]:
    """Return the periods with a wrong clock as (start, end, error), in microseconds, in order and without overlap.

    Where two overlap, the one that began later applies. The error is a microsecond larger than requested, so that a
    shifted row never has the same time as another row on a grid of whole seconds.
    """
    wrong = sorted(fault for fault in faults if fault.kind == "clock_wrong")
    edges = sorted({edge for fault in wrong for edge in (fault.start_us, fault.end_us)})
    segments = []
    for start, end in pairwise(edges):
        holding = [fault for fault in wrong if fault.start_us <= start and end <= fault.end_us]
        if holding:
            segments.append((start, end, holding[-1].offset_us + 1))
    return segments


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        raise FaultError(f"{name} must be a number of at most {LARGEST_NUMBER:,.0f}, not {value!r}")
    return float(value)
