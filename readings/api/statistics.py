"""The REST API of what readings add up to: statistics, and groups."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import UnprocessableBody
from core.api.query_params import Parameters
from core.api.schema import PERIOD, TEMPERATURE_UNIT
from customers.access.permissions import READ
from customers.access.principal import Caller, Permission, caller_of
from customers.models import Facility
from readings.api.statistics_form import known_span, statistics_form
from readings.api.temperature_serializers import (
    AggregateRequestSerializer,
    GroupSerializer,
    StatisticsSerializer,
)
from readings.lists.filters import scale_asked
from readings.statistics.aggregates import Aggregation, GroupBy, Grouping, TooManyGroups, aggregate
from readings.units.unit_refs import Places, places_within


class StatisticsView(APIView):
    """Statistics of all units of the caller, over all the time or `start_date` to `end_date`."""

    needs = READ

    @extend_schema(parameters=[*PERIOD, TEMPERATURE_UNIT], responses=StatisticsSerializer)
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request)
        start, end = parameters.period()
        scale = scale_asked(parameters)
        return Response(statistics_form(places_within(caller_of(request).own_scope), start, end, scale))


class AggregateView(APIView):
    """Readings by group. A POST that changes nothing: the question is too long for a query."""

    needs = {"POST": Permission.READ}

    @extend_schema(
        parameters=[TEMPERATURE_UNIT],
        request=AggregateRequestSerializer,
        responses=GroupSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        scale = scale_asked(Parameters.of(request))
        question = AggregateRequestSerializer(data=request.data)
        question.is_valid(raise_exception=True)
        asked: dict[str, Any] = question.validated_data
        places = places_named(caller_of(request), asked.get("facility_id"), asked.get("storage_unit_id"))
        span = known_span(places, asked.get("start_date"), asked.get("end_date"))
        grouping = Grouping(
            frozenset(map(GroupBy, asked["group_by"])), tuple(map(Aggregation, asked["aggregations"])), scale
        )
        try:
            return Response(aggregate(places, span, grouping))
        except TooManyGroups as error:
            raise UnprocessableBody(f"{error} Ask for a shorter period or coarser groups.") from error


def places_named(caller: Caller, facility_id: UUID | None, unit_id: UUID | None) -> Places:
    """The units of a facility, the one unit, or all of the caller's where neither is named. Raises NotFound."""
    if facility_id is None and unit_id is None:
        return places_within(caller.own_scope)
    if facility_id is not None and not Facility.objects.within(caller.scope).filter(public_id=facility_id).exists():
        raise NotFound
    named: dict[str, Any] = {"facility__public_id": facility_id, "public_id": unit_id}
    named = {name: value for name, value in named.items() if value is not None}
    places = places_within(caller.scope, **named)
    if unit_id is not None and not places:
        raise NotFound
    return places
