"""Statistics of any set of storage units over any period.

Whole local days are answered by the daily roll-up, what is left by the hourly one, and what is left then by the raw
readings. What a level can't answer yet, because it is unsettled, goes down a level; so the answer is exact at any
moment, nothing is written, and a replica can give it. The number of queries is fixed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from customers.models import StorageUnit
from readings import statistics_sql
from readings.mkt import mean_kinetic_temperature_c
from readings.rollups import LONGEST_GAP
from readings.spans import DAY, HOUR, Days, Span, cut_days, cut_hours, start_of_day


@dataclass(slots=True)
class Totals:
    """What readings add up to: the measures of a roll-up, see `readings.models.Rollup`."""

    reading_count: int = 0
    fault_count: int = 0
    normal_count: int = 0
    warning_count: int = 0
    error_count: int = 0
    good_count: int = 0
    sum_micro_c: int = 0
    min_c: float | None = None
    max_c: float | None = None
    weighted_seconds: float = 0.0
    weighted_sum_c: float = 0.0
    weighted_arrhenius: float = 0.0
    covered_seconds: float = 0.0

    def add(self, other: Totals) -> None:
        """Add `other` to this: sums by adding, extremes by comparing."""
        for measure in fields(self):
            if measure.name not in ("min_c", "max_c"):
                setattr(self, measure.name, getattr(self, measure.name) + getattr(other, measure.name))
        self.min_c = min((t for t in (self.min_c, other.min_c) if t is not None), default=None)
        self.max_c = max((t for t in (self.max_c, other.max_c) if t is not None), default=None)


MEASURES = tuple(measure.name for measure in fields(Totals))


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the readings of some units in a period say; temperatures are None where nothing was measured.

    mean_c is weighted by time, average_c by count. coverage is the share of the period, summed over the units, in
    which a unit is known to have been measured: 0 to 1. `end` is no later than now.
    """

    unit_count: int
    start: datetime
    end: datetime
    reading_count: int
    fault_count: int
    normal_count: int
    warning_count: int
    error_count: int
    good_count: int
    min_c: float | None
    max_c: float | None
    mean_c: float | None
    average_c: float | None
    mkt_c: float | None
    covered_seconds: float
    coverage: float

    @classmethod
    def of(cls, totals: Totals, unit_count: int, span: Span) -> Statistics:
        """The statistics of `unit_count` units whose readings in `span` add up to `totals`."""
        measured = totals.reading_count - totals.fault_count
        period_seconds = unit_count * (span.end - span.start).total_seconds()
        return cls(
            unit_count=unit_count,
            start=span.start,
            end=span.end,
            reading_count=totals.reading_count,
            fault_count=totals.fault_count,
            normal_count=totals.normal_count,
            warning_count=totals.warning_count,
            error_count=totals.error_count,
            good_count=totals.good_count,
            min_c=totals.min_c,
            max_c=totals.max_c,
            mean_c=totals.weighted_sum_c / totals.weighted_seconds if totals.weighted_seconds > 0 else None,
            average_c=totals.sum_micro_c / 1e6 / measured if measured else None,
            mkt_c=mean_kinetic_temperature_c(totals.weighted_arrhenius, totals.weighted_seconds),
            covered_seconds=totals.covered_seconds,
            coverage=totals.covered_seconds / period_seconds if period_seconds else 0.0,
        )


def statistics(unit_ids: Collection[int], start: datetime, end: datetime, *, now: datetime | None = None) -> Statistics:
    """The statistics of these units together, from `start` up to `end` or now. Raises ValueError if end < start."""
    by_unit = totals_by_unit(unit_ids, start, end, now=now)
    together = Totals()
    for totals in by_unit.values():
        together.add(totals)
    return Statistics.of(together, len(set(unit_ids)), _until_now(start, end, now))


def statistics_by_unit(
    unit_ids: Collection[int], start: datetime, end: datetime, *, now: datetime | None = None
) -> dict[int, Statistics]:
    """The statistics of each of these units, by its id."""
    span = _until_now(start, end, now)
    by_unit = totals_by_unit(unit_ids, start, end, now=now)
    return {unit_id: Statistics.of(totals, 1, span) for unit_id, totals in by_unit.items()}


def totals_by_unit(
    unit_ids: Collection[int], start: datetime, end: datetime, *, now: datetime | None = None
) -> dict[int, Totals]:
    """What the readings of each unit add up to from `start` up to `end` or now, by the unit's id."""
    span = _until_now(start, end, now)
    zones = _zones(unit_ids)
    totals = {unit_id: Totals() for unit_id in zones}
    below = _add_days(totals, {unit_id: cut_days(span, zone) for unit_id, zone in zones.items()}, zones)
    below = _add_hours(totals, below)
    _add_raw(totals, below)
    return totals


UnitSpan = tuple[int, Span]


def _until_now(start: datetime, end: datetime, now: datetime | None) -> Span:
    latest = now or timezone.now()
    return Span(start, max(min(end, latest), start) if end >= start else end)


def _zones(unit_ids: Collection[int]) -> dict[int, ZoneInfo]:
    rows = StorageUnit.objects.filter(pk__in=unit_ids).values_list("pk", "facility__time_zone")
    return {unit_id: ZoneInfo(name) for unit_id, name in rows}


def _add_days(
    totals: dict[int, Totals], cuts: dict[int, tuple[Days, list[Span]]], zones: dict[int, ZoneInfo]
) -> list[UnitSpan]:
    """Add what the settled days say; return the spans that the hours must answer."""
    below = [(unit_id, rest) for unit_id, (_, rests) in cuts.items() for rest in rests]
    days = {unit_id: days for unit_id, (days, _) in cuts.items() if days.first < days.end}
    if not days:
        return below
    parameters = {
        "unit_ids": list(days),
        "firsts": [each.first for each in days.values()],
        "ends": [each.end for each in days.values()],
    }
    # Asked first and left out by name: what becomes unsettled in between must not be counted on two levels.
    unsettled: list[tuple[int, date]] = _rows(statistics_sql.UNSETTLED_DAYS, parameters)
    _add(totals, statistics_sql.ALL_BUT_THOSE_DAYS, parameters | _left_below(unsettled))
    for unit_id, day in unsettled:
        zone = zones[unit_id]
        below.append((unit_id, Span(start_of_day(day, zone), start_of_day(day + DAY, zone))))
    return below


def _add_hours(totals: dict[int, Totals], spans: list[UnitSpan]) -> list[UnitSpan]:
    """Add what the settled hours say; return the spans that the raw readings must answer."""
    below: list[UnitSpan] = []
    whole: list[UnitSpan] = []
    for unit_id, span in spans:
        hours, rests = cut_hours(span)
        below += [(unit_id, rest) for rest in rests]
        if not hours.is_empty:
            whole.append((unit_id, hours))
    if whole:
        parameters = _unit_spans(whole)
        unsettled: list[tuple[int, datetime]] = _rows(statistics_sql.UNSETTLED_HOURS, parameters)
        _add(totals, statistics_sql.ALL_BUT_THOSE_HOURS, parameters | _left_below(unsettled))
        below += [(unit_id, Span(hour, hour + HOUR)) for unit_id, hour in unsettled]
    return below


def _add_raw(totals: dict[int, Totals], spans: list[UnitSpan]) -> None:
    if spans:
        parameters = _unit_spans(merged(spans))
        parameters["earliest"] = min(span.start for _, span in spans) - LONGEST_GAP
        parameters["latest"] = max(span.end for _, span in spans)
        _add(totals, statistics_sql.RAW_COUNTS, parameters)
        _add(totals, statistics_sql.RAW_WEIGHTS, parameters)


def merged(spans: Sequence[UnitSpan]) -> list[UnitSpan]:
    """These spans with those of a unit that adjoin made one, so that fewer are looked up."""
    result: list[UnitSpan] = []
    for unit_id, span in sorted(spans, key=lambda each: (each[0], each[1].start)):
        if result and result[-1][0] == unit_id and result[-1][1].end == span.start:
            result[-1] = (unit_id, Span(result[-1][1].start, span.end))
        else:
            result.append((unit_id, span))
    return result


def _left_below(unsettled: Sequence[tuple[int, date]]) -> dict[str, Any]:
    return {"below_unit_ids": [unit_id for unit_id, _ in unsettled], "below": [span for _, span in unsettled]}


def _unit_spans(spans: list[UnitSpan]) -> dict[str, Any]:
    return {
        "unit_ids": [unit_id for unit_id, _ in spans],
        "starts": [span.start for _, span in spans],
        "ends": [span.end for _, span in spans],
    }


def _add(totals: dict[int, Totals], sql: str, parameters: dict[str, Any]) -> None:
    """Add the rows of a query of (unit, measures); it names the measures it gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description][1:]
        for unit_id, *values in cursor.fetchall():
            totals[unit_id].add(Totals(**dict(zip(names, values, strict=True))))


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
