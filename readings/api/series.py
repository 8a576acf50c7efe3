"""REST API view of the temperature series behind charts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.query_params import takes
from core.db.replica import from_replica
from customers.access import actions
from customers.access.principal import principal_of
from customers.models import StorageUnit
from readings.api.query_params import SeriesParams
from readings.api.serializers import SeriesSerializer
from readings.lists.filters import ReadingFilter
from readings.series.downsample import Point, downsample
from readings.time_ranges import DAY, TimeRange

DEFAULT_RANGE = timedelta(days=1)


class SeriesView(APIView):
    """Temperature series of a storage unit."""

    needs = {"GET": actions.VIEW_READINGS}

    @takes([SeriesParams], responses=SeriesSerializer)
    @from_replica
    def get(self, request: Request, unit_id: UUID) -> Response:
        """Return the temperature of a unit, downsampled to at most `points` buckets; by default of the last day."""
        params = SeriesParams.parse(request)
        units = StorageUnit.objects.visible_to(principal_of(request).scope).select_related("facility")
        unit = units.filter(public_id=unit_id).first()
        if unit is None:
            raise NotFound
        latest = timezone.now() + DAY
        end = min(params.get("end") or timezone.now(), latest)
        time_range = ReadingFilter(params.get("start") or end - DEFAULT_RANGE, end).time_range()
        series = series_of(unit, time_range, params["points"])
        return Response(SeriesSerializer(series, context={"scale": params["scale"]}).data)


@dataclass(frozen=True, slots=True)
class Series:
    """The temperatures of a unit over a period: buckets in order of time, some of them in gaps, and all gaps."""

    unit: StorageUnit
    time_range: TimeRange
    buckets: Iterable[Point]
    gaps: list[TimeRange]


def series_of(unit: StorageUnit, time_range: TimeRange, max_points: int) -> Series:
    """Return the series of `unit` in at most `max_points` buckets. One query.

    A gap between two buckets takes one of its own, the longest first if there is no room for all, so that a line drawn
    through the buckets breaks there.
    """
    series = downsample(unit, time_range, max_points=max_points)
    breaks = sorted(series.breaks(), key=lambda gap: gap.start - gap.end)[: max_points - len(series)]
    points = [*series.points(), *(_empty_point(gap) for gap in breaks)]
    return Series(unit, time_range, sorted(points, key=attrgetter("middle_at")), series.gaps())


def _empty_point(gap: TimeRange) -> Point:
    return Point(gap.start, gap.end, gap.middle, None, None, None, reading_count=0, fault_count=0)
