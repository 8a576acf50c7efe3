"""What MKT excursions are, by docs/alarms.md alone: what is valid moment by moment, then a verdict of every hour.

It reads the tables and shares no code with the product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from alarms.models import Excursion, LimitVersion
from customers.models import Sensor, StorageUnit
from readings.models import Reading

HOUR = timedelta(hours=1)

MktPeriod = tuple[datetime, datetime | None, float]
"""Start, end (None while ongoing) and highest MKT in °C, rounded."""


def stored_mkt(unit: StorageUnit) -> list[MktPeriod]:
    """Return the stored MKT excursions of the unit."""
    excursions = Excursion.objects.filter(storage_unit=unit, kind=Excursion.Kind.MKT).order_by("started_at")
    return [(each.started_at, each.ended_at, round(each.peak_c, 6)) for each in excursions]


def mkt_by_definition(unit: StorageUnit, now: datetime) -> list[MktPeriod]:
    """Return the unit's MKT excursions as known at `now`.

    Each full hour has a verdict by the limits in force then: the window that ends then exceeds the limit, or does not,
    or less than half of it is covered and it does not count. Consecutive verdicts that exceed the limit of one version
    are an excursion. It ends with the next verdict of that version, or with the version.
    """
    groups = [(key, list(verdicts)) for key, verdicts in groupby(_verdicts(unit, now), key=lambda each: each[:2])]
    periods: list[MktPeriod] = []
    for number, ((version, exceeds), verdicts) in enumerate(groups):
        if exceeds:
            next_group = groups[number + 1] if number + 1 < len(groups) else None
            is_of_version = next_group is not None and next_group[0][0] == version
            ended_at = next_group[1][0].hour if next_group and is_of_version else _replaced_at(version, now)
            periods.append((verdicts[0].hour, ended_at, round(max(each.mkt_c for each in verdicts), 6)))
    return periods


class _Verdict(NamedTuple):
    version: LimitVersion
    exceeds: bool
    hour: datetime
    mkt_c: float


def _verdicts(unit: StorageUnit, now: datetime) -> Iterator[_Verdict]:
    """Yield the verdicts that count, in order of time."""
    versions = list(LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from"))
    moments = _moments(unit, versions)
    if not moments:
        return
    hour = moments[0].since.replace(minute=0, second=0, microsecond=0)
    while hour <= now:
        version = _in_force(versions, hour)
        mkt_c = _mkt_c(moments, hour - timedelta(seconds=version.mkt_window_seconds), hour)
        if version.mkt_limit_c is not None and mkt_c is not None:
            yield _Verdict(version, mkt_c > version.mkt_limit_c, hour, mkt_c)
        hour += HOUR


def _in_force(versions: list[LimitVersion], instant: datetime) -> LimitVersion:
    return next((each for each in reversed(versions) if each.valid_from <= instant), versions[0])


def _replaced_at(version: LimitVersion, now: datetime) -> datetime | None:
    later = LimitVersion.objects.filter(storage_unit=version.storage_unit_id, valid_from__gt=version.valid_from)
    begins: list[datetime] = list(later.filter(valid_from__lte=now).values_list("valid_from", flat=True))
    return min(begins, default=None)


class _Moment(NamedTuple):
    """A stretch of time in which the same measurements are valid, each of a sensor of its own."""

    since: datetime
    until: datetime
    valid_c: list[float]


def _moments(unit: StorageUnit, versions: list[LimitVersion]) -> list[_Moment]:
    """Return all stretches from the first reading until nothing is valid any more."""
    by_sensor = [_readings_of(sensor) for sensor in Sensor.objects.filter(storage_unit=unit)]
    limits = {timedelta(seconds=version.gap_limit_seconds) for version in versions}
    turns = {read_at + after for readings in by_sensor for read_at, _ in readings for after in {timedelta(), *limits}}
    turns |= {version.valid_from for version in versions if turns and min(turns) < version.valid_from < max(turns)}
    moments = []
    for since, until in pairwise(sorted(turns)):
        fresh_from = since - timedelta(seconds=_in_force(versions, since).gap_limit_seconds)
        last = [max((each for each in readings if each[0] <= since), default=None) for readings in by_sensor]
        valid_c = [each[1] for each in last if each is not None and each[0] > fresh_from]
        moments.append(_Moment(since, until, [each for each in valid_c if each is not None]))
    return moments


def _readings_of(sensor: Sensor) -> list[tuple[datetime, float | None]]:
    """Return when the sensor was read, and what it measured; its retirement is the last time, without a measurement."""
    readings = Reading.objects.filter(sensor=sensor).order_by("recorded_at")
    found: list[tuple[datetime, float | None]] = list(readings.values_list("recorded_at", "temperature_c"))
    if sensor.retired_at is None:
        return found
    return [*(each for each in found if each[0] < sensor.retired_at), (sensor.retired_at, None)]


def _mkt_c(moments: list[_Moment], begin: datetime, end: datetime) -> float | None:
    """Return the MKT from `begin` to `end`: of all sensors, by time; None if less than half is covered."""
    covered, sensor_seconds, rates = timedelta(), 0.0, 0.0
    for since, until, valid_c in moments:
        length = min(until, end) - max(since, begin)
        if valid_c and length > timedelta():
            covered += length
            sensor_seconds += len(valid_c) * length.total_seconds()
            rates += sum(math.exp(-10_000 / (each + 273.15)) for each in valid_c) * length.total_seconds()
    if covered == timedelta() or covered < (end - begin) / 2:
        return None
    return 10_000 / -math.log(rates / sensor_seconds) - 273.15
