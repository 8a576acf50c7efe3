"""Statistics over time and side by side, for the analytics pages, all from roll-ups.

Deviations from the set temperature are exact without reading single readings: units with the same set temperature are
summed together, and the mean of their deviations is their mean minus the set temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.db.prepared import Parameters, Row
from core.db.replica import read_connection
from customers.models import StorageUnit
from readings.equipment_statuses import COUNTED_STATUS_IDS
from readings.statistics.totals import Bucket, RequestedUnit, totals_by_key
from readings.storage.archive.reading import Span, with_archived
from readings.storage.local_days import day_of, start_of_day
from readings.storage.measures import Totals, covered_share
from readings.time_ranges import DAY, HOUR, MICROSECOND, TimeRange, cut_hours, hour_of, split_at_hours
from readings.units.scales import to_celsius
from readings.units.unit_refs import UnitRef, UnitRefs

Period = date | datetime


@dataclass(slots=True)
class Summary:
    """Totals of some readings, with the deviation from the set temperature and the time they should cover."""

    totals: Totals = field(default_factory=Totals)
    wanted_seconds: float = 0.0
    min_deviation_k: float | None = None
    max_deviation_k: float | None = None
    _deviation_seconds: float = 0.0
    _deviation_sum: float = 0.0

    def add(self, totals: Totals, set_temperature_c: float | None) -> None:
        """Add readings of units with this set temperature, None for none."""
        self.totals.add(totals)
        if set_temperature_c is None:
            return
        # Also of what was measured before, and is still valid.
        self._deviation_seconds += totals.weighted_seconds
        self._deviation_sum += totals.weighted_sum_c - set_temperature_c * totals.weighted_seconds
        if totals.min_c is None or totals.max_c is None:
            return
        low, high = totals.min_c - set_temperature_c, totals.max_c - set_temperature_c
        self.min_deviation_k = low if self.min_deviation_k is None else min(self.min_deviation_k, low)
        self.max_deviation_k = high if self.max_deviation_k is None else max(self.max_deviation_k, high)

    @property
    def mean_deviation_k(self) -> float | None:
        """The time-weighted mean of the deviation from the set temperature, negative below it."""
        return self._deviation_sum / self._deviation_seconds if self._deviation_seconds > 0 else None

    @property
    def coverage(self) -> float | None:
        """The share of the time in which units are known to have been measured, None for no time."""
        return covered_share(self.totals.covered_seconds, self.wanted_seconds) if self.wanted_seconds > 0 else None

    @property
    def good_share(self) -> float | None:
        """The share of readings of good quality."""
        return self.totals.good_count / self.totals.reading_count if self.totals.reading_count else None


class _CommonGroup(NamedTuple):
    """What units that are summed together have in common."""

    owner: int
    zone: ZoneInfo
    set_temperature_c: float | None


def set_temperatures_c(unit_ids: Iterable[int]) -> dict[int, float | None]:
    """Return the set temperature of each of these units in °C. One query."""
    rows = StorageUnit.objects.filter(pk__in=list(unit_ids)).order_by()
    return {
        unit_id: None if set_to is None else to_celsius(set_to, scale)
        for unit_id, set_to, scale in rows.values_list("pk", "set_temperature", "temperature_unit")
    }


def by_period(unit_refs: UnitRefs, time_range: TimeRange, bucket: Bucket) -> dict[Period, Summary]:
    """Return the summary of all units in every calendar period that `time_range` touches, in order of time."""
    kinds, requested = _common_groups(unit_refs, lambda _: 0)
    counts: dict[ZoneInfo, int] = {}
    for unit_ref in unit_refs.values():
        counts[unit_ref.zone] = counts.get(unit_ref.zone, 0) + 1
    summaries: dict[Period, Summary] = {}
    for zone, count in counts.items():
        for interval, part in periods(time_range, bucket, zone):
            seconds = (part.end - part.start).total_seconds()
            summaries.setdefault(interval, Summary()).wanted_seconds += count * seconds
    for key, totals in totals_by_key(requested, time_range, bucket=bucket).items():
        if key.bucket is not None:
            summaries.setdefault(key.bucket, Summary()).add(totals, kinds[key.group].set_temperature_c)
    return dict(sorted(summaries.items()))


def summaries_by_owner(
    unit_refs: UnitRefs, time_range: TimeRange, owner_of: Callable[[UnitRef], int]
) -> dict[int, Summary]:
    """Return the summary of each owner of units (a unit itself, or its facility) as `owner_of` gives it."""
    kinds, requested = _common_groups(unit_refs, owner_of)
    summaries: dict[int, Summary] = {}
    for unit_ref in unit_refs.values():
        own = summaries.setdefault(owner_of(unit_ref), Summary())
        own.wanted_seconds += (time_range.end - time_range.start).total_seconds()
    for key, totals in totals_by_key(requested, time_range).items():
        summaries[kinds[key.group].owner].add(totals, kinds[key.group].set_temperature_c)
    return summaries


def periods(time_range: TimeRange, bucket: Bucket, zone: ZoneInfo) -> Iterator[tuple[Period, TimeRange]]:
    """Yield the calendar periods that `time_range` touches in `zone`, each with its part of the span."""
    if bucket is Bucket.HOUR:
        hour = hour_of(time_range.start)
        while hour < time_range.end:
            yield hour, TimeRange(max(hour, time_range.start), min(hour + HOUR, time_range.end))
            hour += HOUR
        return
    first = bucket.first_day(day_of(time_range.start, zone))
    while start_of_day(first, zone) < time_range.end:
        following = _following(first, bucket)
        yield (
            first,
            TimeRange(
                max(start_of_day(first, zone), time_range.start), min(start_of_day(following, zone), time_range.end)
            ),
        )
        first = following


def _following(first: date, bucket: Bucket) -> date:
    """Return the first day of the period after the one that begins with `first`."""
    longest = {Bucket.DAY: DAY, Bucket.WEEK: 7 * DAY, Bucket.MONTH: timedelta(days=31)}
    return bucket.first_day(first + longest[bucket])


def _common_groups(
    unit_refs: UnitRefs, owner_of: Callable[[UnitRef], int]
) -> tuple[list[_CommonGroup], list[RequestedUnit]]:
    """Return the groups of units that are summed together, and each unit with the number of its group."""
    set_to = set_temperatures_c(unit_refs)
    numbers: dict[_CommonGroup, int] = {}
    requested = []
    for unit_id, unit_ref in unit_refs.items():
        kind = _CommonGroup(owner_of(unit_ref), unit_ref.zone, set_to.get(unit_id))
        requested.append(RequestedUnit(unit_id, unit_ref.zone, numbers.setdefault(kind, len(numbers))))
    return list(numbers), requested


# The parts of hours at the ends of the period are looked up in the readings.
HOURS_WITH_READINGS = """
SELECT count(DISTINCT hour) FROM (
    SELECT hour FROM hourly_rollup
    WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour >= %(first_hour)s AND hour < %(end_hour)s AND reading_count > 0
    UNION ALL
    SELECT piece.hour
    FROM unnest(%(part_hours)s::timestamptz[], %(part_starts)s::timestamptz[], %(part_ends)s::timestamptz[])
        AS piece (hour, start, until)
    WHERE EXISTS (
        SELECT FROM unnest(%(unit_ids)s::int[]) AS unit (id) CROSS JOIN LATERAL (
            SELECT FROM reading
            WHERE storage_unit_id = unit.id AND recorded_at >= piece.start AND recorded_at < piece.until
                AND recorded_at >= %(start)s AND recorded_at < %(end)s
            LIMIT 1
        ) AS any_reading
    )
) AS part
"""
# Roll-ups count three statuses: others are looked up in the readings of the hours that have any.
HOURS_WITH_OTHER_STATUSES = """
SELECT DISTINCT storage_unit_id, hour FROM hourly_rollup
WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour > %(start)s::timestamptz - interval '1 hour' AND hour < %(end)s
    AND reading_count > normal_count + warning_count + error_count
"""
OTHER_STATUSES = f"""
SELECT name, sum(count)::bigint FROM ({HOURS_WITH_OTHER_STATUSES}) AS other CROSS JOIN LATERAL (
    SELECT equipment_status_id, count(*) FROM reading
    WHERE storage_unit_id = other.storage_unit_id AND recorded_at >= hour AND recorded_at < hour + interval '1 hour'
        AND recorded_at >= %(start)s AND recorded_at < %(end)s AND equipment_status_id <> ALL(%(counted)s)
    GROUP BY equipment_status_id OFFSET 0
) AS counted JOIN equipment_status ON equipment_status.id = equipment_status_id
GROUP BY name ORDER BY name
"""  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class StatusCount:
    """The number of readings with a reported status, and their percentage of all readings."""

    equipment_status: str
    count: int
    percentage: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Completeness and quality of the readings of some units, and their deviations from the set temperatures.

    Deviations are in kelvin, None if no temperature is set.
    """

    time_range: TimeRange
    hours_with_readings: int
    total_hours: int
    total_readings: int
    good_readings: int
    mean_deviation_k: float | None
    max_deviation_k: float | None
    min_deviation_k: float | None
    statuses: list[StatusCount]

    @property
    def uptime_percentage(self) -> float:
        """The percentage of the period's UTC hours in which any unit sent a reading."""
        return _percentage(self.hours_with_readings, self.total_hours)

    @property
    def quality_percentage(self) -> float:
        """The percentage of readings of good quality."""
        return _percentage(self.good_readings, self.total_readings)


def performance(unit_refs: UnitRefs, time_range: TimeRange) -> Performance:
    """Return the performance of these units. A fixed number of queries."""
    summary = summaries_by_owner(unit_refs, time_range, lambda _: 0).get(0, Summary())
    totals = summary.totals
    hours_with_readings, total_hours = _uptime(unit_refs, time_range)
    return Performance(
        time_range=time_range,
        hours_with_readings=hours_with_readings,
        total_hours=total_hours,
        total_readings=totals.reading_count,
        good_readings=totals.good_count,
        mean_deviation_k=summary.mean_deviation_k,
        max_deviation_k=summary.max_deviation_k,
        min_deviation_k=summary.min_deviation_k,
        statuses=[
            StatusCount(status, count, _percentage(count, totals.reading_count))
            for status, count in _statuses(unit_refs, time_range, totals)
        ],
    )


def _uptime(unit_refs: UnitRefs, time_range: TimeRange) -> tuple[int, int]:
    """Return the number of UTC hours in which any unit sent a reading, and of all hours of the range.

    The range's last instant, up to midnight for example, touches no further hour. What begins and ends with half an
    hour has no more hours than what begins and ends with whole ones: parts that are an hour at most together count as
    one.
    """
    time_range = TimeRange(time_range.start, max(time_range.start, time_range.end - MICROSECOND))
    whole, rests = cut_hours(time_range)
    parts = [part for rest in rests for part in split_at_hours(rest)]
    is_one_hour = sum((part.end - part.start for part in parts), timedelta()) <= HOUR
    part_hours = [parts[0].start if is_one_hour else part.start for part in parts]
    parameters = _parameters(unit_refs, time_range) | {
        "first_hour": whole.start,
        "end_hour": whole.end,
        "part_hours": part_hours,
        "part_starts": [part.start for part in parts],
        "part_ends": [part.end for part in parts],
    }

    def read() -> int:
        ((found,),) = _rows(HOURS_WITH_READINGS, parameters)
        return int(found)

    found = with_archived(unit_refs, [(part.start, part.end) for part in parts], read) if parts else read()
    return found, (whole.end - whole.start) // HOUR + len(set(part_hours))


def _statuses(unit_refs: UnitRefs, time_range: TimeRange, totals: Totals) -> list[tuple[str, int]]:
    counts = [(status, getattr(totals, f"{status}_count")) for status in COUNTED_STATUS_IDS]
    if totals.reading_count > sum(count for _, count in counts):
        parameters = _parameters(unit_refs, time_range) | {"counted": list(COUNTED_STATUS_IDS.values())}

        def narrowed() -> list[Span]:
            return [(hour, hour + HOUR) for _, hour in _rows(HOURS_WITH_OTHER_STATUSES, parameters)]

        whole = [(time_range.start, time_range.end)]
        counts += with_archived(unit_refs, whole, lambda: _rows(OTHER_STATUSES, parameters), narrowed=narrowed)
    return [(status, count) for status, count in counts if count]


def _parameters(unit_refs: UnitRefs, time_range: TimeRange) -> Parameters:
    return {"unit_ids": list(unit_refs), "start": time_range.start, "end": time_range.end}


def _rows(sql: str, parameters: Parameters) -> list[Row]:
    with read_connection().cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[Row] = cursor.fetchall()
    return rows


def _percentage(part: int, whole: int) -> float:
    """Return 100 × part / whole, 0 for an empty whole."""
    return round(100 * part / whole, 4) if whole else 0.0
