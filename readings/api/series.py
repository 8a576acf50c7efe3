"""The REST API of the series that charts are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.query_params import DAY, Parameters
from core.api.schema import PERIOD, TEMPERATURE_UNIT
from customers.access.permissions import READ
from customers.access.principal import principal_of
from customers.models import StorageUnit
from readings.api.serializers import SeriesSerializer
from readings.lists.filters import ReadingFilter, requested_scale
from readings.series.downsample import MAX_POINTS, Point, downsample
from readings.spans import Span
from readings.statistics.aggregates import on_scale
from readings.units.scales import Scale


def series_form(unit: StorageUnit, span: Span, most: int, scale: Scale) -> dict[str, Any]:
    """The course of `unit` in at most `most` buckets. One query.

    A gap takes a bucket of its own, the longest ones first where there is no room for all, so that a line drawn
    through the buckets breaks there.
    """
    shown = downsample(unit.pk, span, zone=unit.facility.zone, interval_seconds=unit.interval_seconds, most=most)
    found = shown.gaps(timedelta(seconds=unit.effective_staleness_limit_seconds))
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


DEFAULT_SERIES = timedelta(days=1)
POINTS = OpenApiParameter(
    "points", {"type": "integer", "minimum": 1, "maximum": MAX_POINTS, "default": MAX_POINTS}, description="At most."
)


class SeriesView(APIView):
    """The course of a unit's temperature, by default of its last day, in at most `points` buckets."""

    needs = READ

    @extend_schema(parameters=[*PERIOD, POINTS, TEMPERATURE_UNIT], responses=SeriesSerializer)
    def get(self, request: Request, unit_id: UUID) -> Response:
        parameters = Parameters.of(request)
        most = parameters.whole_number("points", MAX_POINTS, 1, MAX_POINTS)
        scale = requested_scale(parameters)
        start, end = parameters.period()
        units = StorageUnit.objects.visible_to(principal_of(request).scope).select_related("facility")
        unit = units.filter(public_id=unit_id).first()
        if unit is None:
            raise NotFound
        end = min(end or timezone.now(), timezone.now() + DAY)
        wanted = ReadingFilter(start or end - DEFAULT_SERIES, end)
        return Response(series_form(unit, wanted.span(), most, scale))
