"""The REST API of analytics: summaries, trends and the performance of measuring."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import UnprocessableBody
from core.api.query_params import DAY, Parameters
from core.api.schema import FACILITY_ID, PERIOD, TEMPERATURE_UNIT, UNIT_ID
from customers.access.permissions import ADMIN, READ
from customers.access.principal import principal_of
from customers.models import Customer
from readings.api.serializers import GroupSerializer, PerformanceSerializer, StatisticsSerializer
from readings.api.statistics import known_span, places_named, statistics_by_customer, statistics_form
from readings.lists.filters import requested_scale
from readings.statistics.aggregates import Aggregation, GroupBy, Grouping, TooManyGroups, aggregate
from readings.statistics.analytics import performance
from readings.units.unit_refs import Places, visible_unit_refs

OF_PLACE = [FACILITY_ID, UNIT_ID]
# How many days an interval's trend shows where no start is asked for.
TREND_DAYS = {GroupBy.HOUR: 1, GroupBy.DAY: 7, GroupBy.WEEK: 30, GroupBy.MONTH: 365}
INTERVAL = OpenApiParameter("interval", enum=list(TREND_DAYS), default=GroupBy.DAY.value)
BY_CUSTOMER = {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Statistics"}}
PERFORMANCE_RANGE = timedelta(days=30)


class SummaryView(APIView):
    """Statistics of the caller's units, of a facility's or of one, over all the time or a period."""

    needs = READ

    @extend_schema(parameters=[*PERIOD, *OF_PLACE, TEMPERATURE_UNIT], responses=StatisticsSerializer)
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request)
        start, end = parameters.period()
        return Response(statistics_form(_places(request), start, end, requested_scale(parameters)))


class TrendsView(APIView):
    """Readings by hour, day, week or month: by default of the last 1, 7, 30 or 365 days."""

    needs = READ

    @extend_schema(parameters=[INTERVAL, *PERIOD, *OF_PLACE, TEMPERATURE_UNIT], responses=GroupSerializer(many=True))
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request)
        interval = GroupBy(parameters.choice("interval", list(TREND_DAYS), GroupBy.DAY))
        start, end = parameters.period()
        places = _places(request)
        start = start or (end or timezone.now()) - TREND_DAYS[interval] * DAY
        grouping = Grouping(frozenset({interval}), tuple(Aggregation), requested_scale(parameters))
        try:
            return Response(aggregate(places, known_span(places, start, end), grouping))
        except TooManyGroups as error:
            raise UnprocessableBody(f"{error} Ask for a shorter period or a longer interval.") from error


class PerformanceView(APIView):
    """How steadily readings came, how good they were and how far from what was set: by default of the last 30 days."""

    needs = READ

    @extend_schema(parameters=[*PERIOD, *OF_PLACE, TEMPERATURE_UNIT], responses=PerformanceSerializer)
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request)
        start, end = parameters.period()
        places = _places(request)
        span = known_span(places, start or (end or timezone.now()) - PERFORMANCE_RANGE, end)
        return Response(performance(places, span, requested_scale(parameters)))


class AdminSummaryView(APIView):
    """Statistics of each customer by their code, and of all together as `system`."""

    needs = {"GET": ADMIN["GET"]}

    @extend_schema(parameters=[*PERIOD, TEMPERATURE_UNIT], responses={200: BY_CUSTOMER})
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request)
        start, end = parameters.period()
        scale = requested_scale(parameters)
        scope = principal_of(request).scope
        codes = dict(Customer.objects.visible_to(scope).values_list("pk", "customer_code"))
        return Response(statistics_by_customer(visible_unit_refs(scope), codes, start, end, scale))


def _places(request: Request) -> Places:
    """The units that `facility_id` and `unit_id` of the query name, else all of the caller's."""
    parameters = Parameters.of(request)
    return places_named(principal_of(request), parameters.public_id("facility_id"), parameters.public_id("unit_id"))
