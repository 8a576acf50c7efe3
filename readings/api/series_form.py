"""A unit's course as the REST API gives it: buckets, with one of no readings in every gap, and the gaps themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from customers.models import StorageUnit
from readings.series.downsample import Point, course_of
from readings.spans import Span
from readings.statistics.aggregates import on_scale
from readings.units.scales import Scale


def series_form(unit: StorageUnit, span: Span, most: int, scale: Scale) -> dict[str, Any]:
    """The course of `unit` in at most `most` buckets. One query.

    A gap takes a bucket of its own, the longest ones first where there is no room for all, so that a line drawn
    through the buckets breaks there.
    """
    shown = course_of(unit.pk, span, zone=unit.facility.zone, interval_seconds=unit.interval_seconds, most=most)
    found = shown.gaps(timedelta(seconds=unit.effective_gap_limit_seconds))
    longest = sorted(found, key=lambda gap: gap[0] - gap[1])[: most - len(shown)]
    return {
        "storage_unit_id": unit.public_id,
        "temperature_unit": scale.value,
        "start_date": span.start,
        "end_date": span.end,
        "buckets": list(_buckets(shown.points(), dict(longest), scale)),
        "gaps": [{"start": start, "end": end} for start, end in found],
    }


def _buckets(points: list[Point], ends: dict[datetime, datetime], scale: Scale) -> Iterator[dict[str, Any]]:
    for point in points:
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
