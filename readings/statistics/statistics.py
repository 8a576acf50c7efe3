"""Statistics of any set of storage units over any period, as exact as `readings.statistics.totals`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from customers.models import StorageUnit
from readings.statistics.totals import Key, RequestedUnit, totals_by_key
from readings.storage.measures import Totals, covered_share
from readings.time_ranges import TimeRange


@dataclass(slots=True, kw_only=True)
class Statistics(Totals):
    """Statistics of some units over a period; temperatures are None where nothing was measured.

    coverage is the share of the period, summed over the units, in which a unit is known to have been measured: 0 to 1.
    `end` is no later than now.
    """

    unit_count: int
    start: datetime
    end: datetime
    coverage: float

    @property
    def unknown_seconds(self) -> float:
        """The time, summed over the units, in which no valid reading is known."""
        period_seconds = self.unit_count * (self.end - self.start).total_seconds()
        return max(period_seconds - self.covered_seconds, 0.0)

    @classmethod
    def of(cls, totals: Totals, unit_count: int, time_range: TimeRange) -> Statistics:
        """Return the statistics of `unit_count` units whose readings in `time_range` sum to `totals`."""
        period_seconds = unit_count * (time_range.end - time_range.start).total_seconds()
        return cls(
            **{measure.name: getattr(totals, measure.name) for measure in fields(Totals)},
            unit_count=unit_count,
            start=time_range.start,
            end=time_range.end,
            coverage=covered_share(totals.covered_seconds, period_seconds) if period_seconds else 0.0,
        )


def statistics(unit_ids: Collection[int], start: datetime, end: datetime, *, now: datetime | None = None) -> Statistics:
    """Return the statistics of these units together, from `start` to `end` or now. Raise ValueError if end < start."""
    time_range = _until_now(start, end, now)
    together = Totals()
    for totals in totals_by_unit(unit_ids, time_range).values():
        together.add(totals)
    return Statistics.of(together, len(set(unit_ids)), time_range)


def statistics_by_unit(
    unit_ids: Collection[int], start: datetime, end: datetime, *, now: datetime | None = None
) -> dict[int, Statistics]:
    """Return the statistics of each of these units by id."""
    time_range = _until_now(start, end, now)
    by_unit = totals_by_unit(unit_ids, time_range)
    return {unit_id: Statistics.of(totals, 1, time_range) for unit_id, totals in by_unit.items()}


def totals_by_unit(unit_ids: Collection[int], time_range: TimeRange) -> dict[int, Totals]:
    """Return the totals of each unit by id."""
    zones = StorageUnit.objects.filter(pk__in=unit_ids).values_list("pk", "facility__time_zone")
    requested = [RequestedUnit(unit_id, ZoneInfo(name), unit_id) for unit_id, name in zones]
    totals = totals_by_key(requested, time_range)
    return {each.unit_id: totals.get(Key(each.unit_id, None, None)) or Totals() for each in requested}


def _until_now(start: datetime, end: datetime, now: datetime | None) -> TimeRange:
    latest = now or timezone.now()
    return TimeRange(start, max(min(end, latest), start) if end >= start else end)
