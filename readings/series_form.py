"""A unit's course as the REST API gives it: buckets, with one of no readings in every gap, and the gaps themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from customers.models import StorageUnit
from readings.aggregates import on_scale
from readings.course import Point, gaps, points
from readings.scales import Scale
from readings.spans import Span


def series_form(unit: StorageUnit, span: Span, most: int, scale: Scale) -> dict[str, Any]:
    """The course of `unit` in at most `most` buckets. One query.

    A gap takes a bucket of its own, the longest ones first where there is no room for all, so that a line drawn
    through the buckets breaks there.
    """
    _, course = points(unit.pk, span, zone=unit.facility.zone, interval_seconds=unit.interval_seconds, most=most)
    found = gaps(course, timedelta(seconds=unit.effective_gap_limit_seconds))
    shown = sorted(found, key=lambda gap: gap[0] - gap[1])[: most - len(course)]
    return {
        "storage_unit_id": unit.public_id,
        "temperature_unit": scale.value,
        "start_date": span.start,
        "end_date": span.end,
        "buckets": list(_buckets(course, dict(shown), scale)),
        "gaps": [{"start": start, "end": end} for start, end in found],
    }


def _buckets(course: list[Point], ends: dict[datetime, datetime], scale: Scale) -> Iterator[dict[str, Any]]:
    for point in course:
        yield {
            "t": point.middle_at,
            "min": on_scale(point.min_c, scale),
            "avg": on_scale(point.mean_c, scale),
            "max": on_scale(point.max_c, scale),
            "count": point.reading_count,
        }
        if point.last_at in ends:
            middle = point.last_at + (ends[point.last_at] - point.last_at) / 2
            yield {"t": middle, "min": None, "avg": None, "max": None, "count": 0}
