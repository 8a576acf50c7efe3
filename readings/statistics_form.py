"""Statistics as the REST API gives them: of some units, over a period that may be left open, on the scale asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from customers.parameters import MICROSECOND
from readings.aggregates import on_scale
from readings.places import Places
from readings.reading_filter import EARLIEST
from readings.scales import Scale
from readings.spans import Span
from readings.statistics import Statistics
from readings.totals import Asked, Totals, totals_by_key

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
        "time_range_start": start or span.start,
        "time_range_end": end or span.end,
        "unit_count": figures.unit_count,
        "temperature_unit": scale.value,
    }


def _first_hour(places: Places) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(FIRST_HOUR, {"unit_ids": list(places)})
        first: datetime | None = cursor.fetchone()[0]
    return first
