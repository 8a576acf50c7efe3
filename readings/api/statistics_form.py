"""Statistics as the REST API gives them: of some units, over a period that may be left open, on the scale asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from core.api.query_params import MICROSECOND
from readings.lists.filters import EARLIEST
from readings.spans import Span
from readings.statistics.aggregates import on_scale
from readings.statistics.statistics import Statistics
from readings.statistics.totals import Asked, Totals, totals_by_key
from readings.units.scales import Scale
from readings.units.unit_refs import Places

# Every reading has its hour, and an hour without readings follows one that has some.
FIRST_HOUR = """
SELECT min(hour) FROM unnest(%(unit_ids)s::int[]) AS unit (id) CROSS JOIN LATERAL (
    SELECT hour FROM hourly_rollup WHERE storage_unit_id = unit.id ORDER BY hour LIMIT 1
) AS first
"""


def known_span(places: Places, start: datetime | None, end: datetime | None) -> Span:
    """The period between two instants, both included, as far as there are readings in it.

    An open start is the hour of the first reading; the end is now at the latest, or the newest reading.
    """
    newest = [place.newest_at for place in places.values() if place.newest_at]
    latest = max([timezone.now(), *(instant + MICROSECOND for instant in newest)])
    start = max(start or _first_hour(places) or latest, EARLIEST)
    end = min(end + MICROSECOND, latest) if end else latest
    return Span(start, max(start, end))


def statistics_form(places: Places, start: datetime | None, end: datetime | None, scale: Scale) -> dict[str, Any]:
    """The statistics of these units together. The number of queries is fixed."""
    span = known_span(places, start, end)
    totals = totals_by_key([Asked(place.unit_id, place.zone, 0) for place in places.values()], span)
    figures = Statistics.of(next(iter(totals.values()), Totals()), len(places), span)
    return _in_form(figures, start, end, scale)


def statistics_by_customer(
    places: Places, codes: Mapping[int, str], start: datetime | None, end: datetime | None, scale: Scale
) -> dict[str, Any]:
    """The statistics of each customer in `codes` by their code, and of all units together as `system`.

    All are of the same period. The number of queries is fixed.
    """
    span = known_span(places, start, end)
    found = totals_by_key([Asked(place.unit_id, place.zone, place.customer_id) for place in places.values()], span)
    totals = {key.group: each for key, each in found.items()}
    units = Counter(place.customer_id for place in places.values())
    together = Totals()
    for each in totals.values():
        together.add(each)
    figures = {
        code: Statistics.of(totals.get(customer_id, Totals()), units[customer_id], span)
        for customer_id, code in codes.items()
    }
    figures["system"] = Statistics.of(together, len(places), span)
    return {code: _in_form(each, start, end, scale) for code, each in figures.items()}


def _in_form(figures: Statistics, start: datetime | None, end: datetime | None, scale: Scale) -> dict[str, Any]:
    return {
        "min_temperature": on_scale(figures.min_c, scale),
        "max_temperature": on_scale(figures.max_c, scale),
        "avg_temperature": on_scale(figures.average_c, scale),
        "mkt": on_scale(figures.mkt_c, scale),
        "reading_count": figures.reading_count,
        "normal_count": figures.normal_count,
        "warning_count": figures.warning_count,
        "error_count": figures.error_count,
        "fault_count": figures.fault_count,
        "time_range_start": start or figures.start,
        "time_range_end": end or figures.end,
        "unit_count": figures.unit_count,
        "temperature_unit": scale.value,
    }


def _first_hour(places: Places) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(FIRST_HOUR, {"unit_ids": list(places)})
        first: datetime | None = cursor.fetchone()[0]
    return first
