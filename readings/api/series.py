"""REST API view of the temperature series behind charts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.query_params import takes
from core.db.compiled_queries import CompiledObjectQuery
from core.db.replica import from_replica
from customers.access import actions
from customers.access.principal import principal_of
from customers.models import StorageUnit
from readings.api.query_params import SeriesParams
from readings.api.series_serializers import SeriesSerializer
from readings.lists.filters import ReadingFilter
from readings.series.buckets import Buckets, buckets_of
from readings.series.downsample import downsample
from readings.time_ranges import DAY, TimeRange

DEFAULT_RANGE = timedelta(days=1)
UNIT = CompiledObjectQuery(StorageUnit, "facility")


class SeriesView(APIView):
    """Temperature series of a storage unit."""

    needs = {"GET": actions.VIEW_READINGS}

    @takes([SeriesParams], responses=SeriesSerializer)
    @from_replica
    def get(self, request: Request, unit_id: UUID) -> Response:
        """Return the temperature of a unit, downsampled to at most `points` buckets; by default of the last day."""
        params = SeriesParams.parse(request)
        try:
            unit = UNIT.visible_to(principal_of(request).scope, unit_id)
        except StorageUnit.DoesNotExist as error:
            raise NotFound from error
        now = timezone.now()
        end = min(params.get("end") or now, now + DAY)
        time_range = ReadingFilter(params.get("start") or min(end, now) - DEFAULT_RANGE, end).time_range()
        series = series_of(unit, time_range, params["points"])
        return Response(SeriesSerializer(series, context={"scale": params["scale"]}).data)


@dataclass(frozen=True, slots=True)
class Series:
    """The temperatures of a unit over a period: buckets in order of time, some of them in gaps, and all gaps."""

    unit: StorageUnit
    time_range: TimeRange
    buckets: Buckets
    gaps: list[TimeRange]


def series_of(unit: StorageUnit, time_range: TimeRange, max_points: int) -> Series:
    """Return the series of `unit` in at most `max_points` buckets. At most three queries."""
    series = downsample(unit, time_range, max_points=max_points)
    return Series(unit, time_range, buckets_of(series, max_points), series.gaps())
