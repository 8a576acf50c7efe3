"""The definition of MKT excursions, computed naively from all readings and limit versions of a unit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from alarms.excursions.detected import EffectiveLimits, SensorReading
from alarms.excursions.units import evaluated_units
from alarms.models import Excursion
from alarms.tests.evaluation import measured
from customers.models import StorageUnit

HOUR = timedelta(hours=1)

MktPeriod = tuple[datetime, datetime | None, float]
"""Start, end (None while ongoing) and highest MKT in °C, rounded."""


def stored_mkt(unit: StorageUnit) -> list[MktPeriod]:
    """Return the stored MKT excursions of the unit."""
    excursions = Excursion.objects.filter(storage_unit=unit, kind=Excursion.Kind.MKT).order_by("started_at")
    return [(each.started_at, each.ended_at, round(each.peak_c, 6)) for each in excursions]


def mkt_by_definition(unit: StorageUnit, now: datetime) -> list[MktPeriod]:
    """Return the unit's MKT excursions: each whole hour until `now` ends a window, which counts if half covered."""
    readings, evaluated = measured(unit), evaluated_units([unit.pk])[0]
    versions, staleness_limit = evaluated.versions, timedelta(seconds=unit.effective_staleness_limit_seconds)
    validities = list(_validities(readings, staleness_limit, evaluated.retired))
    if not validities:
        return []
    ends_at, last = _hour_of(readings[0].recorded_at), _hour_of(now)
    periods: list[MktPeriod] = []
    current: tuple[EffectiveLimits, datetime, float] | None = None
    while ends_at <= last:
        version = [each for each in versions if each.valid_from <= ends_at][-1]
        if current is not None and current[0] is not version:
            ended = versions[versions.index(current[0]) + 1].valid_from
            periods.append((current[1], ended, round(current[2], 6)))
            current = None
        limit_c = version.limits.mkt_limit_c
        mkt_c = _mkt_c(validities, ends_at - timedelta(seconds=version.limits.mkt_window_seconds), ends_at)
        if limit_c is not None and mkt_c is not None:
            if mkt_c > limit_c:
                current = (
                    (version, ends_at, mkt_c) if current is None else (version, current[1], max(current[2], mkt_c))
                )
            elif current is not None:
                periods.append((current[1], ends_at, round(current[2], 6)))
                current = None
        ends_at += HOUR
    if current is not None:
        replaced = [each.valid_from for each in versions[versions.index(current[0]) + 1 :] if each.valid_from <= now]
        periods.append((current[1], min(replaced, default=None), round(current[2], 6)))
    return periods


def _hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _validities(
    readings: Sequence[SensorReading], staleness_limit: timedelta, retired: Mapping[int, datetime]
) -> Iterator[tuple[datetime, datetime, float]]:
    """Yield from when to when each reading is valid, with its temperature."""
    by_sensor: dict[int, list[SensorReading]] = defaultdict(list)
    for reading in readings:
        by_sensor[reading.sensor_id].append(reading)
    for own in by_sensor.values():
        for reading, following in zip(own, [*own[1:], None], strict=True):
            until = reading.recorded_at + staleness_limit
            if following is not None:
                until = min(until, following.recorded_at)
            until = min(until, retired.get(reading.sensor_id, until))
            if reading.temperature_c is not None:
                yield reading.recorded_at, until, reading.temperature_c


def _mkt_c(validities: Sequence[tuple[datetime, datetime, float]], begin: datetime, end: datetime) -> float | None:
    """Return the MKT from `begin` to `end`, None if less than half is covered."""
    parts = sorted((max(since, begin), min(until, end), each) for since, until, each in validities)
    parts = [part for part in parts if part[0] < part[1]]
    covered, covered_until = timedelta(), begin
    for since, until, _ in parts:
        covered += max(until - max(since, covered_until), timedelta())
        covered_until = max(covered_until, until)
    if not parts or covered < (end - begin) / 2:
        return None
    seconds = sum((until - since).total_seconds() for since, until, _ in parts)
    rate = sum(
        (until - since).total_seconds() * math.exp(-10_000 / (temperature_c + 273.15))
        for since, until, temperature_c in parts
    )
    return 10_000 / -math.log(rate / seconds) - 273.15
