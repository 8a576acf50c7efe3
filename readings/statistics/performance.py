"""How well a customer's measuring went: how steadily readings came, how good they were, and what they were about."""

from __future__ import annotations

from typing import Any

from django.db import connection

from readings.models import EquipmentStatus
from readings.spans import HOUR, Span
from readings.statistics.analytics import Figures, side_by_side
from readings.units.scales import Scale, difference_from_kelvin
from readings.units.unit_refs import Places

HOURS_WITH_READINGS = """
SELECT count(DISTINCT hour) FROM hourly_rollup
WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour >= %(start)s AND hour < %(end)s AND reading_count > 0
"""
# Only where the roll-ups, which count the three usual statuses, leave a rest.
OTHER_STATUSES = """
SELECT name, count(*) FROM reading JOIN equipment_status ON equipment_status.id = equipment_status_id
WHERE storage_unit_id = ANY(%(unit_ids)s) AND recorded_at >= %(start)s AND recorded_at < %(end)s
    AND equipment_status_id <> ALL(%(usual)s)
GROUP BY name ORDER BY name
"""
USUAL = {"normal": EquipmentStatus.NORMAL, "warning": EquipmentStatus.WARNING, "error": EquipmentStatus.ERROR}


def performance(places: Places, span: Span, scale: Scale) -> dict[str, Any]:
    """The performance of these units in `span`; deviations in the steps of `scale`. The number of queries is fixed."""
    figures = side_by_side(places, span, lambda _: 0).get(0, Figures())
    totals = figures.totals
    return {
        "uptime": _uptime(places, span),
        "data_quality": {
            "total_readings": totals.reading_count,
            "good_readings": totals.good_count,
            "quality_percentage": _percentage(totals.good_count, totals.reading_count),
        },
        "temperature_deviation": {
            "avg_deviation": _on_scale(figures.mean_deviation_k, scale),
            "max_deviation": _on_scale(figures.max_deviation_k, scale),
            "min_deviation": _on_scale(figures.min_deviation_k, scale),
            "temperature_unit": scale.value,
        },
        "status_distribution": [
            {"equipment_status": status, "count": count, "percentage": _percentage(count, totals.reading_count)}
            for status, count in _statuses(places, span, figures)
        ],
        "time_range": {"start_date": span.start, "end_date": span.end},
    }


def _uptime(places: Places, span: Span) -> dict[str, Any]:
    """Hours of UTC that the span touches, and those of them in which any unit sent a reading."""
    first = span.start.replace(minute=0, second=0, microsecond=0)
    hours = 0 if span.is_empty else -((first - span.end) // HOUR)
    ((found,),) = _rows(HOURS_WITH_READINGS, places, Span(first, span.end))
    return {
        "hours_with_readings": found,
        "total_hours": hours,
        "uptime_percentage": _percentage(found, hours),
    }


def _statuses(places: Places, span: Span, figures: Figures) -> list[tuple[str, int]]:
    totals = figures.totals
    counts = [(status, getattr(totals, f"{status}_count")) for status in USUAL]
    if totals.reading_count > sum(count for _, count in counts):
        counts += _rows(OTHER_STATUSES, places, span)
    return [(status, count) for status, count in counts if count]


def _rows(sql: str, places: Places, span: Span) -> list[tuple[Any, ...]]:
    parameters: dict[str, Any] = {"unit_ids": list(places), "start": span.start, "end": span.end}
    parameters["usual"] = list(USUAL.values())
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def _percentage(part: int, whole: int) -> float:
    """100 × part / whole; 0 of nothing."""
    return round(100 * part / whole, 4) if whole else 0.0


def _on_scale(difference_k: float | None, scale: Scale) -> float | None:
    return None if difference_k is None else round(difference_from_kelvin(difference_k, scale), 6)
