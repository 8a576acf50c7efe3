"""Readings by group: hours, days, weeks and months, facilities, units and sensors, in any combination."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.db.models import TextChoices

from customers.models import Sensor
from readings.statistics.analytics import Period, periods
from readings.statistics.totals import LEAST_SECONDS, Bucket, Key, RequestedUnit, totals_by_key
from readings.storage.local_days import day_of, start_of_day
from readings.storage.measures import Totals, covered_share
from readings.time_ranges import DAY, TimeRange
from readings.units.unit_refs import UnitRef, UnitRefs

# More groups than this are of no use to a person or a chart, and fill memory.
MAX_GROUPS = 100_000


class GroupBy(StrEnum):
    """What readings can be grouped by, with at most one unit of time."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    FACILITY = "facility"
    UNIT = "unit"
    SENSOR = "sensor"


class Aggregation(TextChoices):
    """The metrics of a group; those weighted by time cost most, since they depend on neighbouring readings."""

    AVG = "avg", "Average of the measurements"
    MIN = "min", "Minimum"
    MAX = "max", "Maximum"
    COUNT = "count", "Number of readings"
    MKT = "mkt", "Mean kinetic temperature"
    MEAN = "mean", "Time-weighted mean"
    COVERAGE = "coverage", "Coverage"


DEFAULT_AGGREGATIONS = (Aggregation.AVG, Aggregation.MIN, Aggregation.MAX, Aggregation.COUNT)
_WEIGHTED = frozenset({Aggregation.MKT, Aggregation.MEAN, Aggregation.COVERAGE})
_BUCKETS = {GroupBy(bucket.value): bucket for bucket in Bucket}


class TooManyGroups(ValueError):  # noqa: N818 - reads better where it is caught
    """The result would have more groups than are returned at once."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """How to group, and which metrics to return."""

    by: frozenset[GroupBy]
    aggregations: Sequence[Aggregation] = DEFAULT_AGGREGATIONS

    @property
    def buckets(self) -> list[Bucket]:
        """The units of time to group by."""
        return [_BUCKETS[each] for each in GroupBy if each in self.by and each in _BUCKETS]

    @property
    def finest(self) -> Bucket | None:
        """The unit of time requested from the roll-ups; coarser ones follow from it: from days, if weeks and months do.

        A week may lie in two months.
        """
        buckets = self.buckets
        return Bucket.DAY if buckets == [Bucket.WEEK, Bucket.MONTH] else next(iter(buckets), None)


@dataclass(frozen=True, slots=True)
class Group:
    """The readings of a group. Units of time and the sensor are None unless readings are grouped by them.

    unit_ref: a unit of the group: the only one, or any of the facility or the time zone.
    hour, day, week, month: when they start, with the facility's offset at that time; hours are those of UTC.
    coverage: the share of the group's time in which its units, or its sensor, were measured; None unless requested.
    """

    totals: Totals
    unit_ref: UnitRef
    sensor_code: str | None = None
    coverage: float | None = None
    hour: datetime | None = None
    day: datetime | None = None
    week: datetime | None = None
    month: datetime | None = None


def aggregate(unit_refs: UnitRefs, time_range: TimeRange, grouping: Grouping) -> list[Group]:
    """Return the groups with readings in `time_range`, ordered by time and name.

    Raises TooManyGroups. The number of queries is fixed.
    """
    groups = _Groups(grouping)
    requested = [RequestedUnit(ref.unit_id, ref.zone, groups.number_of(ref)) for ref in unit_refs.values()]
    by_sensor = GroupBy.SENSOR in grouping.by
    sensors = Sensor.objects.filter(storage_unit__in=list(unit_refs))
    _refuse_too_many(sensors.count() if by_sensor else len(groups), time_range, grouping)
    totals = totals_by_key(
        requested,
        time_range,
        bucket=grouping.finest,
        by_sensor=by_sensor,
        with_weights=bool(_WEIGHTED & set(grouping.aggregations)),
    )
    codes = _sensor_codes(totals) if by_sensor else {}
    merged: dict[tuple[object, ...], Group] = {}
    for key, each in totals.items():
        order, group = groups.group_of(key, codes, each)
        if order in merged:
            merged[order].totals.add(each)
        else:
            merged[order] = group
    found = {order: group for order, group in merged.items() if group.totals.reading_count}
    if Aggregation.COVERAGE in grouping.aggregations:
        seconds = groups.seconds_by_sensor(totals, codes, time_range) if by_sensor else groups.seconds(time_range)
        found = {order: replace(group, coverage=_coverage(group, seconds[order])) for order, group in found.items()}
    return [found[order] for order in sorted(found)]


def _coverage(group: Group, seconds: float) -> float:
    """Return the share of this time that is covered. Time that sensors cover together counts for each sensor alone."""
    totals = group.totals
    return covered_share(totals.covered_seconds if group.sensor_code is None else totals.weighted_seconds, seconds)


class _Groups:
    """The groups of one request, numbered as the totals need them."""

    def __init__(self, grouping: Grouping) -> None:
        self._by = grouping.by
        self._buckets = grouping.buckets
        self._finest = grouping.finest
        self._numbers: dict[tuple[object, ...], int] = {}
        self._unit_refs: list[UnitRef] = []
        self._unit_counts: Counter[int] = Counter()

    def __len__(self) -> int:
        """Return the number of groups that the units form, each for any unit of time."""
        return len(self._unit_refs)

    def number_of(self, unit_ref: UnitRef) -> int:
        """Return the number of a unit's group. Units in different zones never share one: their days differ."""
        by = self._by
        key = (
            unit_ref.facility_id if GroupBy.FACILITY in by else None,
            unit_ref.unit_id if GroupBy.UNIT in by else None,
            unit_ref.time_zone if self._buckets else None,
        )
        if key not in self._numbers:
            self._numbers[key] = len(self._unit_refs)
            self._unit_refs.append(unit_ref)
        self._unit_counts[self._numbers[key]] += 1
        return self._numbers[key]

    def group_of(self, key: Key, codes: dict[int, str], totals: Totals) -> tuple[tuple[object, ...], Group]:
        """Return what orders and identifies the group of `key`, and the group with these totals."""
        unit_ref = self._unit_refs[key.group]
        code = None if key.sensor_id is None else codes[key.sensor_id]
        return self._order(key, code), Group(totals, unit_ref, code, None, **self._starts(key.bucket, unit_ref))

    def seconds(self, time_range: TimeRange) -> Mapping[tuple[object, ...], float]:
        """Return the time that each group should cover: its part of `time_range`, for each of its units."""
        seconds: dict[tuple[object, ...], float] = defaultdict(float)
        for number, unit_ref in enumerate(self._unit_refs):
            for bucket, part_seconds in self._parts(time_range, unit_ref.zone):
                seconds[self._order(Key(number, None, bucket), None)] += self._unit_counts[number] * part_seconds
        return seconds

    def seconds_by_sensor(
        self, keys: Iterable[Key], codes: dict[int, str], time_range: TimeRange
    ) -> Mapping[tuple[object, ...], float]:
        """Return the time that each sensor's group should cover: its part of `time_range`."""
        seconds: dict[ZoneInfo, dict[tuple[datetime, ...], float]] = {}
        for unit_ref in {ref.zone: ref for ref in self._unit_refs}.values():
            of_zone = seconds.setdefault(unit_ref.zone, defaultdict(float))
            for bucket, part_seconds in self._parts(time_range, unit_ref.zone):
                of_zone[self._instants(bucket, unit_ref)] += part_seconds
        found: dict[tuple[object, ...], float] = {}
        for key in keys:
            unit_ref = self._unit_refs[key.group]
            if key.sensor_id is not None:
                of_key = seconds[unit_ref.zone][self._instants(key.bucket, unit_ref)]
                found[self._order(key, codes[key.sensor_id])] = of_key
        return found

    def _parts(self, time_range: TimeRange, zone: ZoneInfo) -> Iterator[tuple[Period | None, float]]:
        """Yield the units of time that `time_range` touches, or None without any, with the seconds of their parts."""
        parts = periods(time_range, self._finest, zone) if self._finest else [(None, time_range)]
        for bucket, part in parts:
            yield bucket, (part.end - part.start).total_seconds()

    def _order(self, key: Key, code: str | None) -> tuple[object, ...]:
        by, unit_ref = self._by, self._unit_refs[key.group]
        order: list[object] = [*self._instants(key.bucket, unit_ref)]
        if GroupBy.FACILITY in by:
            order += [unit_ref.facility_name, unit_ref.facility_id]
        if GroupBy.UNIT in by:
            order += [unit_ref.name, unit_ref.unit_id]
        if key.sensor_id is not None:
            order += [code, key.sensor_id]
        return tuple(order)

    def _instants(self, found: Period | None, unit_ref: UnitRef) -> tuple[datetime, ...]:
        return tuple(start.astimezone(UTC) for start in self._starts(found, unit_ref).values())

    def _starts(self, found: Period | None, unit_ref: UnitRef) -> dict[str, datetime]:
        return {bucket.value: _start(found, bucket, unit_ref) for bucket in self._buckets}


def _start(found: date | datetime | None, bucket: Bucket, unit_ref: UnitRef) -> datetime:
    """Return the instant at which the bucket of `found` begins, with the facility's offset at that time."""
    if isinstance(found, datetime):
        if bucket is Bucket.HOUR:
            return found.astimezone(unit_ref.zone)
        found = day_of(found, unit_ref.zone)
    assert found is not None  # noqa: S101 - a bucket was requested
    return start_of_day(bucket.first_day(found), unit_ref.zone).astimezone(unit_ref.zone)


def _sensor_codes(keys: Iterable[Key]) -> dict[int, str]:
    wanted: Collection[int] = {key.sensor_id for key in keys if key.sensor_id is not None}
    return dict(Sensor.objects.filter(pk__in=wanted).values_list("pk", "sensor_code"))


def _refuse_too_many(groups: int, time_range: TimeRange, grouping: Grouping) -> None:
    """Raise TooManyGroups by the possible number: counting the actual groups would cost as much as the result.

    groups: how many there can be in a unit of time.
    """
    if grouping.finest:
        groups *= int((time_range.end - time_range.start + DAY).total_seconds() // LEAST_SECONDS[grouping.finest] + 1)
    if groups > MAX_GROUPS:
        raise TooManyGroups(f"There could be {groups:,} groups, and {MAX_GROUPS:,} are returned at most.")
