"""REST API views of statistics and of readings by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import UnprocessableBody
from core.api.query_params import Params, takes
from core.api.serializer_rows import Representation, SerializerRows
from core.db.replica import from_replica, read_connection
from customers.access import actions
from customers.access.principal import Principal, principal_of
from customers.models import Facility
from readings.api.fields import TemperatureRows
from readings.api.query_params import StatisticsParams, TemperatureUnitParams
from readings.api.serializers import (
    AggregateRequestSerializer,
    GroupKeySerializer,
    GroupSerializer,
    MetricsSerializer,
    StatisticsSerializer,
)
from readings.lists.filters import EARLIEST
from readings.statistics.aggregates import Aggregation, Group, GroupBy, Grouping, TooManyGroups, aggregate
from readings.statistics.statistics import Statistics
from readings.statistics.totals import RequestedUnit, totals_by_key
from readings.storage.measures import Totals
from readings.time_ranges import MICROSECOND, TimeRange
from readings.units.scales import Scale
from readings.units.unit_refs import UnitRefs, visible_unit_refs

STATISTICS_ROWS = TemperatureRows(StatisticsSerializer)
GROUP_ROWS = SerializerRows(GroupSerializer)
# The name of the statistics of all customers together among those of each.
ALL_CUSTOMERS = "system"
# Every reading has its hour, and an hour without readings follows one that has some.
FIRST_HOUR = """
SELECT min(hour) FROM unnest(%(unit_ids)s::int[]) AS unit (id) CROSS JOIN LATERAL (
    SELECT hour FROM hourly_rollup WHERE storage_unit_id = unit.id ORDER BY hour LIMIT 1
) AS first
"""


def data_range(
    units: UnitRefs, start: datetime | None, end: datetime | None, *, default_length: timedelta | None = None
) -> TimeRange:
    """Return the period between two instants, both inclusive, limited to the time that can have readings.

    Without a start it has the default length up to `end` or now, or begins with the hour of the first reading. It ends
    no later than now or the latest reading.
    """
    now = timezone.now()
    newest = [unit.newest_at for unit in units.values() if unit.newest_at]
    latest = max([now, *(instant + MICROSECOND for instant in newest)])
    if start is None:
        start = min(end or now, now) - default_length if default_length else _first_hour(units) or latest
    start = max(start, EARLIEST)
    end = min(end + MICROSECOND, latest) if end else latest
    return TimeRange(start, max(start, end))


def statistics_of(
    units: UnitRefs, scale: Scale, start: datetime | None = None, end: datetime | None = None
) -> Representation:
    """Return the combined statistics of these units. The number of queries is constant."""
    time_range = data_range(units, start, end)
    totals = totals_by_key([RequestedUnit(unit.unit_id, unit.zone, 0) for unit in units.values()], time_range)
    statistics = Statistics.of(next(iter(totals.values()), Totals()), len(units), time_range)
    return _represent(statistics, scale, start, end)


def statistics_by_customer(
    units: UnitRefs, names: Mapping[int, str], scale: Scale, start: datetime | None = None, end: datetime | None = None
) -> dict[str, Representation]:
    """Return the statistics of each customer in `names` by name, and of all units together as ALL_CUSTOMERS.

    All are of the same period. The number of queries is constant.
    """
    time_range = data_range(units, start, end)
    groups = totals_by_key(
        [RequestedUnit(unit.unit_id, unit.zone, unit.customer_id) for unit in units.values()], time_range
    )
    totals = {key.group: each for key, each in groups.items()}
    unit_counts = Counter(unit.customer_id for unit in units.values())
    system = Totals()
    for each in totals.values():
        system.add(each)
    statistics = {
        name: Statistics.of(totals.get(customer_id, Totals()), unit_counts[customer_id], time_range)
        for customer_id, name in names.items()
    }
    statistics[ALL_CUSTOMERS] = Statistics.of(system, len(units), time_range)
    return {name: _represent(each, scale, start, end) for name, each in statistics.items()}


def _represent(statistics: Statistics, scale: Scale, start: datetime | None, end: datetime | None) -> Representation:
    end = end or statistics.end
    statistics = replace(statistics, start=start or min(statistics.start, end), end=end)
    (representation,) = STATISTICS_ROWS.represent_in(scale, [statistics])
    return representation


def _first_hour(units: UnitRefs) -> datetime | None:
    with read_connection().cursor() as cursor:
        cursor.execute(FIRST_HOUR, {"unit_ids": list(units)})
        first: datetime | None = cursor.fetchone()[0]
    return first


class StatisticsView(APIView):
    """Statistics of the caller's units."""

    needs = {"GET": actions.VIEW_READINGS}

    @takes([StatisticsParams], responses=StatisticsSerializer)
    @from_replica
    def get(self, request: Request) -> Response:
        """Return statistics of all of the caller's units, over all time or a period."""
        params = StatisticsParams.parse(request)
        return Response(statistics_of(visible_unit_refs(principal_of(request).own_scope), **params))


class AggregateView(APIView):
    """Readings by group."""

    needs = {"POST": actions.VIEW_READINGS}

    @takes([TemperatureUnitParams], request=AggregateRequestSerializer, responses=GroupSerializer(many=True))
    @from_replica
    def post(self, request: Request) -> Response:
        """Group readings by time, facility, unit or sensor.

        Read-only: it is a POST because the query may be too long for a URL.
        """
        scale = TemperatureUnitParams.parse(request)["scale"]
        query = _aggregate_request().run_validation({} if request.data is None else request.data)
        units = selected_units(principal_of(request), query.get("facility_id"), query.get("storage_unit_id"))
        time_range = data_range(units, query.get("start_date"), query.get("end_date"))
        grouping = Grouping(frozenset(map(GroupBy, query["group_by"])), tuple(map(Aggregation, query["aggregations"])))
        try:
            groups = aggregate(units, time_range, grouping)
        except TooManyGroups as error:
            raise UnprocessableBody(f"{error} Request a shorter period or coarser groups.") from error
        return Response(represent_groups(groups, grouping, scale))


@cache
def _aggregate_request() -> AggregateRequestSerializer:
    """Return the one instance: building its fields takes longer than validating a body with them."""
    return AggregateRequestSerializer()


def represent_groups(groups: Sequence[Group], grouping: Grouping, scale: Scale) -> list[Representation]:
    """Return groups as GroupSerializer defines them, with what `grouping` requests."""
    key_rows, metrics_rows = _group_rows(grouping.by, tuple(grouping.aggregations))
    keys, metrics = key_rows.represent_objects(groups), metrics_rows.represent_in(scale, groups)
    return [dict(zip(GROUP_ROWS.fields, parts, strict=True)) for parts in zip(keys, metrics, strict=True)]


@lru_cache
def _group_rows(
    by: frozenset[GroupBy], aggregations: tuple[Aggregation, ...]
) -> tuple[SerializerRows, TemperatureRows]:
    key_names = [name for each in GroupBy if each in by for name in GroupKeySerializer.FIELDS_BY_GROUPING[each]]
    metric_names = [MetricsSerializer.FIELD_BY_AGGREGATION[each] for each in aggregations]
    return (
        SerializerRows(GroupKeySerializer, only=key_names),
        TemperatureRows(MetricsSerializer, only=[*metric_names, "temperature_unit"]),
    )


def selected_units(principal: Principal, facility_id: UUID | None = None, unit_id: UUID | None = None) -> UnitRefs:
    """Return a facility's units, one unit, or all of the caller's if neither is given. Raises NotFound."""
    if facility_id is None and unit_id is None:
        return visible_unit_refs(principal.own_scope)
    facilities = Facility.objects.visible_to(principal.scope)
    if facility_id is not None and not facilities.filter(public_id=facility_id).exists():
        raise NotFound
    lookups: Params = {"facility__public_id": facility_id, "public_id": unit_id}
    units = visible_unit_refs(principal.scope, **{name: value for name, value in lookups.items() if value is not None})
    if unit_id is not None and not units:
        raise NotFound
    return units
