"""Excursions and their measures by a naive definition in whole minutes, which shares no code with the product.

Readings, limits and versions are looked up again for every minute; nothing is carried from one to the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alarms.thresholds import Limits

# Temperatures by (minute, sensor), None for a fault.
Readings = Mapping[tuple[int, int], float | None]
# Limits by the minute from which they are in force, in order of time.
Versions = Sequence[tuple[int, Limits]]


@dataclass
class NaiveExcursion:
    """An excursion in minutes; `ended` None means ongoing."""

    started: int
    clearing: int
    peak_c: float
    peak_at: int
    last_outside: int
    ended: int | None = None
    outside: int = 0
    gap: int = 0
    area_kelvin_minutes: float = 0.0
    mkt_c: float | None = None


def naive_excursions(readings: Readings, versions: Versions, until: int | None = None) -> list[NaiveExcursion]:
    """Return the excursions. The measures of an ongoing one are those up to `until`, by default the last reading."""
    found: list[NaiveExcursion] = []
    instants = sorted({minute for minute, _ in readings})
    for instant in instants:
        limits, temperature_c = _in_force(versions, instant), _temperature_at(readings, versions, instant)
        if temperature_c is None:
            continue
        current = found[-1] if found else None
        if current is not None and current.ended is not None and instant >= current.ended + current.clearing:
            current = None
        if _is_outside(limits, temperature_c):
            if current is None:
                clearing = limits.clearing_delay_seconds // 60
                found.append(NaiveExcursion(instant, clearing, temperature_c, instant, instant))
                continue
            current.ended, current.last_outside = None, instant
            if _beyond(limits, temperature_c) > _beyond(limits, current.peak_c):
                current.peak_c, current.peak_at = temperature_c, instant
        elif current is not None and current.ended is None and _is_clear(limits, temperature_c):
            last_c = _last_measurements(readings, versions, current.started, instant)
            if _are_clear(limits, last_c):
                current.ended = instant
    for each in found:
        ends = (max(instants) if until is None else until) if each.ended is None else each.ended
        _add_measures(each, readings, versions, ends)
    return found


def _add_measures(excursion: NaiveExcursion, readings: Readings, versions: Versions, ends: int) -> None:
    known_c = []
    for minute in range(excursion.started, ends):
        limits, temperature_c = _in_force(versions, minute), _temperature_at(readings, versions, minute)
        if temperature_c is None:
            excursion.gap += 1
            continue
        known_c.append(temperature_c)
        if _is_outside(limits, temperature_c):
            excursion.outside += 1
            excursion.area_kelvin_minutes += _beyond(limits, temperature_c)
    if known_c:
        mean = sum(math.exp(-10_000 / (temperature_c + 273.15)) for temperature_c in known_c) / len(known_c)
        excursion.mkt_c = 10_000 / -math.log(mean) - 273.15


def minutes_outside(readings: Readings, versions: Versions, begins: int, ends: int) -> int:
    """Return the number of minutes from `begins` to `ends` in which the unit is known to be outside."""
    known = ((minute, _temperature_at(readings, versions, minute)) for minute in range(begins, ends))
    return sum(each is not None and _is_outside(_in_force(versions, minute), each) for minute, each in known)


def _temperature_at(readings: Readings, versions: Versions, minute: int) -> float | None:
    limits = _in_force(versions, minute)
    return _combined(limits, dict(_valid_at(readings, limits, minute)))


def _valid_at(readings: Readings, limits: Limits, minute: int) -> Iterator[tuple[int, float]]:
    """Yield the sensors with a valid reading, in the order of their ids."""
    for sensor in sorted({sensor for _, sensor in readings}):
        read_at = max((at for at, each in readings if each == sensor and at <= minute), default=None)
        if read_at is None or (minute - read_at) * 60 >= limits.gap_limit_seconds:
            continue
        temperature_c = readings[read_at, sensor]
        if temperature_c is not None:
            yield sensor, temperature_c


def _last_measurements(readings: Readings, versions: Versions, begins: int, minute: int) -> dict[int, float]:
    """Return the last measurement, however old, of each sensor that was valid at `begins` or read since."""
    last_c = dict(_valid_at(readings, _in_force(versions, begins), begins))
    for (at, sensor), temperature_c in sorted(readings.items()):
        if begins <= at <= minute and temperature_c is not None:
            last_c[sensor] = temperature_c
    return last_c


def _combined(limits: Limits, temperatures_c: Mapping[int, float]) -> float | None:
    """Return the unit's temperature: of the reference sensor, the mean, or the worst; the first of equals."""
    if limits.sensor_policy == "named":
        return temperatures_c.get(limits.named_sensor_id or 0)
    if not temperatures_c:
        return None
    if limits.sensor_policy == "mean":
        return sum(temperatures_c.values()) / len(temperatures_c)
    worst, worst_rank = None, (-1, -1.0)
    for temperature_c in temperatures_c.values():
        critical = _is_beyond(limits, temperature_c, limits.low_critical_c, limits.high_critical_c)
        level = 3 if critical else 2 if _is_outside(limits, temperature_c) else not _is_clear(limits, temperature_c)
        if (level, _beyond(limits, temperature_c)) > worst_rank:
            worst, worst_rank = temperature_c, (int(level), _beyond(limits, temperature_c))
    return worst


def _are_clear(limits: Limits, last_c: Mapping[int, float]) -> bool:
    if limits.sensor_policy == "any":
        return all(_is_clear(limits, each) for each in last_c.values())
    combined_c = _combined(limits, last_c)
    return combined_c is None or _is_clear(limits, combined_c)


def _in_force(versions: Versions, minute: int) -> Limits:
    return next((limits for begins, limits in reversed(versions) if begins <= minute), versions[0][1])


def _bounds(limits: Limits) -> tuple[float | None, float | None]:
    low = limits.low_critical_c if limits.low_warning_c is None else limits.low_warning_c
    return low, limits.high_critical_c if limits.high_warning_c is None else limits.high_warning_c


def _is_beyond(limits: Limits, temperature_c: float, low: float | None, high: float | None) -> bool:
    if limits.is_inclusive:
        return (low is not None and temperature_c <= low) or (high is not None and temperature_c >= high)
    return (low is not None and temperature_c < low) or (high is not None and temperature_c > high)


def _is_outside(limits: Limits, temperature_c: float) -> bool:
    return _is_beyond(limits, temperature_c, *_bounds(limits))


def _is_clear(limits: Limits, temperature_c: float) -> bool:
    low, high = _bounds(limits)
    margin = limits.clearing_margin_k
    if low is not None and high is not None:
        margin = min(margin, (high - low) / 2)
    is_back = (low is None or temperature_c >= low + margin) and (high is None or temperature_c <= high - margin)
    return is_back and not _is_outside(limits, temperature_c)


def _beyond(limits: Limits, temperature_c: float) -> float:
    """Return by how many kelvin the temperature is beyond the limits, on either side."""
    low, high = _bounds(limits)
    above = 0.0 if high is None else temperature_c - high
    below = 0.0 if low is None else low - temperature_c
    return max(above, below, 0.0)


@dataclass
class NaiveStatistics:
    """What all sensors of a unit measured in a period; times in minutes, the mean is weighted by time."""

    covered: int
    mean_c: float | None
    mkt_c: float | None


def naive_statistics(readings: Readings, versions: Versions, begins: int, ends: int) -> NaiveStatistics:
    """Return the statistics from minute `begins` up to, but not including, minute `ends`."""
    covered, measured_c = 0, []
    for minute in range(begins, ends):
        # Every sensor counts for them, whatever the limits say.
        valid_c = [each for _, each in _valid_at(readings, _in_force(versions, minute), minute)]
        covered += bool(valid_c)
        measured_c += valid_c
    if not measured_c:
        return NaiveStatistics(covered, None, None)
    rate = sum(math.exp(-10_000 / (each + 273.15)) for each in measured_c) / len(measured_c)
    return NaiveStatistics(covered, sum(measured_c) / len(measured_c), 10_000 / -math.log(rate) - 273.15)
