"""The REST API of the series that charts are drawn from."""

from __future__ import annotations

from datetime import timedelta
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
from customers.access.principal import caller_of
from customers.models import StorageUnit
from readings.api.series_form import series_form
from readings.api.temperature_serializers import SeriesSerializer
from readings.lists.filters import ReadingFilter, scale_asked
from readings.series.downsample import MAX_POINTS

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
        scale = scale_asked(parameters)
        start, end = parameters.period()
        units = StorageUnit.objects.within(caller_of(request).scope).select_related("facility")
        unit = units.filter(public_id=unit_id).first()
        if unit is None:
            raise NotFound
        end = min(end or timezone.now(), timezone.now() + DAY)
        wanted = ReadingFilter(start or end - DEFAULT_SERIES, end)
        return Response(series_form(unit, wanted.span(), most, scale))
