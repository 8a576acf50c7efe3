"""What readings say over time and side by side: the figures behind the analytics pages, all from roll-ups.

Deviations from the set temperature come out exact without a look at single readings: units that are set alike are
added up together, and the mean of their deviations is the mean less what they are set to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from customers.models import StorageUnit
from readings.spans import DAY, HOUR, Span, start_of_day
from readings.statistics.totals import Asked, Bucket, Totals, totals_by_key
from readings.storage.mkt import mean_kinetic_temperature_c
from readings.units.scales import to_celsius
from readings.units.unit_refs import Place

Stretch = date | datetime


@dataclass(slots=True)
class Figures:
    """What some readings add up to, beside what their units are set to and the time for which they are wanted."""

    totals: Totals = field(default_factory=Totals)
    wanted_seconds: float = 0.0
    min_deviation_k: float | None = None
    max_deviation_k: float | None = None
    _deviation_seconds: float = 0.0
    _deviation_sum: float = 0.0

    def add(self, totals: Totals, set_temperature_c: float | None) -> None:
        """Add readings of units that are all set to this temperature; None: set to none."""
        self.totals.add(totals)
        if set_temperature_c is None or totals.min_c is None or totals.max_c is None:
            return
        self._deviation_seconds += totals.weighted_seconds
        self._deviation_sum += totals.weighted_sum_c - set_temperature_c * totals.weighted_seconds
        low, high = totals.min_c - set_temperature_c, totals.max_c - set_temperature_c
        self.min_deviation_k = low if self.min_deviation_k is None else min(self.min_deviation_k, low)
        self.max_deviation_k = high if self.max_deviation_k is None else max(self.max_deviation_k, high)

    @property
    def mean_c(self) -> float | None:
        """The mean over time."""
        return self.totals.weighted_sum_c / self.totals.weighted_seconds if self.totals.weighted_seconds > 0 else None

    @property
    def mkt_c(self) -> float | None:
        return mean_kinetic_temperature_c(self.totals.weighted_arrhenius, self.totals.weighted_seconds)

    @property
    def mean_deviation_k(self) -> float | None:
        """The mean over time of how far units were above (or, negative, below) what they are set to."""
        return self._deviation_sum / self._deviation_seconds if self._deviation_seconds > 0 else None

    @property
    def coverage(self) -> float | None:
        """The share of the wanted time in which units are known to have been measured; None: none was wanted."""
        return self.totals.covered_seconds / self.wanted_seconds if self.wanted_seconds > 0 else None

    @property
    def good_share(self) -> float | None:
        """The share of readings of good quality."""
        return self.totals.good_count / self.totals.reading_count if self.totals.reading_count else None


class _Alike(NamedTuple):
    """What units have in common that are added up together."""

    owner: int
    zone: ZoneInfo
    set_temperature_c: float | None


def set_temperatures_c(unit_ids: Iterable[int]) -> dict[int, float | None]:
    """What each of these units is set to, in °C. One query."""
    rows = StorageUnit.objects.filter(pk__in=list(unit_ids)).order_by()
    return {
        unit_id: None if set_to is None else to_celsius(set_to, scale)
        for unit_id, set_to, scale in rows.values_list("pk", "set_temperature", "temperature_unit")
    }


def by_stretch(places: Mapping[int, Place], span: Span, bucket: Bucket) -> dict[Stretch, Figures]:
    """The figures of all these units in every stretch of the calendar that `span` touches, in order of time."""
    kinds, asked = _alike(places, lambda _: 0)
    counts: dict[ZoneInfo, int] = {}
    for place in places.values():
        counts[place.zone] = counts.get(place.zone, 0) + 1
    figures: dict[Stretch, Figures] = {}
    for zone, count in counts.items():
        for stretch, part in stretches(span, bucket, zone):
            seconds = (part.end - part.start).total_seconds()
            figures.setdefault(stretch, Figures()).wanted_seconds += count * seconds
    for key, totals in totals_by_key(asked, span, bucket=bucket).items():
        if key.bucket is not None:
            figures.setdefault(key.bucket, Figures()).add(totals, kinds[key.group].set_temperature_c)
    return dict(sorted(figures.items()))


def side_by_side(places: Mapping[int, Place], span: Span, owner_of: Callable[[Place], int]) -> dict[int, Figures]:
    """The figures of each owner of units (the units themselves, or their facilities), by what `owner_of` gives."""
    kinds, asked = _alike(places, owner_of)
    figures: dict[int, Figures] = {}
    for place in places.values():
        own = figures.setdefault(owner_of(place), Figures())
        own.wanted_seconds += (span.end - span.start).total_seconds()
    for key, totals in totals_by_key(asked, span).items():
        figures[kinds[key.group].owner].add(totals, kinds[key.group].set_temperature_c)
    return figures


def stretches(span: Span, bucket: Bucket, zone: ZoneInfo) -> Iterator[tuple[Stretch, Span]]:
    """The stretches that `span` touches at a facility in `zone`, each with its part of the span."""
    if bucket is Bucket.HOUR:
        hour = span.start.replace(minute=0, second=0, microsecond=0)
        while hour < span.end:
            yield hour, Span(max(hour, span.start), min(hour + HOUR, span.end))
            hour += HOUR
        return
    first = bucket.first_day(span.start.astimezone(zone).date())
    while start_of_day(first, zone) < span.end:
        following = _following(first, bucket)
        yield first, Span(max(start_of_day(first, zone), span.start), min(start_of_day(following, zone), span.end))
        first = following


def _following(first: date, bucket: Bucket) -> date:
    """The first day of the stretch after the one that begins with `first`."""
    longest = {Bucket.DAY: DAY, Bucket.WEEK: 7 * DAY, Bucket.MONTH: timedelta(days=31)}
    return bucket.first_day(first + longest[bucket])


def _alike(places: Mapping[int, Place], owner_of: Callable[[Place], int]) -> tuple[list[_Alike], list[Asked]]:
    """The kinds of units that are added up together, and each unit as asked for with the place of its kind."""
    set_to = set_temperatures_c(places)
    numbers: dict[_Alike, int] = {}
    asked = []
    for unit_id, place in places.items():
        kind = _Alike(owner_of(place), place.zone, set_to.get(unit_id))
        asked.append(Asked(unit_id, place.zone, numbers.setdefault(kind, len(numbers))))
    return list(numbers), asked
