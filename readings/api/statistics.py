"""The REST API of what readings add up to: statistics, and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import UnprocessableBody
from core.api.query_params import MICROSECOND, Parameters
from core.api.schema import PERIOD, TEMPERATURE_UNIT
from customers.access.permissions import READ
from customers.access.principal import Permission, Principal, principal_of
from customers.models import Facility
from readings.api.serializers import (
    AggregateRequestSerializer,
    GroupSerializer,
    StatisticsSerializer,
)
from readings.lists.filters import EARLIEST, requested_scale
from readings.spans import Span
from readings.statistics.aggregates import Aggregation, GroupBy, Grouping, TooManyGroups, aggregate, on_scale
from readings.statistics.statistics import Statistics
from readings.statistics.totals import RequestedUnit, Totals, totals_by_key
from readings.units.scales import Scale
from readings.units.unit_refs import Places, visible_unit_refs

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
    totals = totals_by_key([RequestedUnit(place.unit_id, place.zone, 0) for place in places.values()], span)
    summaries = Statistics.of(next(iter(totals.values()), Totals()), len(places), span)
    return _in_form(summaries, start, end, scale)


def statistics_by_customer(
    places: Places, codes: Mapping[int, str], start: datetime | None, end: datetime | None, scale: Scale
) -> dict[str, Any]:
    """The statistics of each customer in `codes` by their code, and of all units together as `system`.

    All are of the same period. The number of queries is fixed.
    """
    span = known_span(places, start, end)
    found = totals_by_key(
        [RequestedUnit(place.unit_id, place.zone, place.customer_id) for place in places.values()], span
    )
    totals = {key.group: each for key, each in found.items()}
    units = Counter(place.customer_id for place in places.values())
    together = Totals()
    for each in totals.values():
        together.add(each)
    summaries = {
        code: Statistics.of(totals.get(customer_id, Totals()), units[customer_id], span)
        for customer_id, code in codes.items()
    }
    summaries["system"] = Statistics.of(together, len(places), span)
    return {code: _in_form(each, start, end, scale) for code, each in summaries.items()}


def _in_form(summaries: Statistics, start: datetime | None, end: datetime | None, scale: Scale) -> dict[str, Any]:
    return {
        "min_temperature": on_scale(summaries.min_c, scale),
        "max_temperature": on_scale(summaries.max_c, scale),
        "avg_temperature": on_scale(summaries.average_c, scale),
        "mkt": on_scale(summaries.mkt_c, scale),
        "reading_count": summaries.reading_count,
        "normal_count": summaries.normal_count,
        "warning_count": summaries.warning_count,
        "error_count": summaries.error_count,
        "fault_count": summaries.fault_count,
        "time_range_start": start or summaries.start,
        "time_range_end": end or summaries.end,
        "unit_count": summaries.unit_count,
        "temperature_unit": scale.value,
    }


def _first_hour(places: Places) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(FIRST_HOUR, {"unit_ids": list(places)})
        first: datetime | None = cursor.fetchone()[0]
    return first


class StatisticsView(APIView):
    """Statistics of all units of the caller, over all the time or `start_date` to `end_date`."""

    needs = READ

    @extend_schema(parameters=[*PERIOD, TEMPERATURE_UNIT], responses=StatisticsSerializer)
    def get(self, request: Request) -> Response:
        parameters = Parameters.of(request)
        start, end = parameters.period()
        scale = requested_scale(parameters)
        return Response(statistics_form(visible_unit_refs(principal_of(request).own_scope), start, end, scale))


class AggregateView(APIView):
    """Readings by group. A POST that changes nothing: the question is too long for a query."""

    needs = {"POST": Permission.READ}

    @extend_schema(
        parameters=[TEMPERATURE_UNIT],
        request=AggregateRequestSerializer,
        responses=GroupSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        scale = requested_scale(Parameters.of(request))
        question = AggregateRequestSerializer(data=request.data)
        question.is_valid(raise_exception=True)
        requested: dict[str, Any] = question.validated_data
        places = places_named(principal_of(request), requested.get("facility_id"), requested.get("storage_unit_id"))
        span = known_span(places, requested.get("start_date"), requested.get("end_date"))
        grouping = Grouping(
            frozenset(map(GroupBy, requested["group_by"])), tuple(map(Aggregation, requested["aggregations"])), scale
        )
        try:
            return Response(aggregate(places, span, grouping))
        except TooManyGroups as error:
            raise UnprocessableBody(f"{error} Ask for a shorter period or coarser groups.") from error


def places_named(principal: Principal, facility_id: UUID | None, unit_id: UUID | None) -> Places:
    """The units of a facility, the one unit, or all of the caller's where neither is named. Raises NotFound."""
    if facility_id is None and unit_id is None:
        return visible_unit_refs(principal.own_scope)
    if (
        facility_id is not None
        and not Facility.objects.visible_to(principal.scope).filter(public_id=facility_id).exists()
    ):
        raise NotFound
    named: dict[str, Any] = {"facility__public_id": facility_id, "public_id": unit_id}
    named = {name: value for name, value in named.items() if value is not None}
    places = visible_unit_refs(principal.scope, **named)
    if unit_id is not None and not places:
        raise NotFound
    return places
