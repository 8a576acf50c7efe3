"""REST API views of analytics: summaries, trends and the performance of measurements."""

from __future__ import annotations

from datetime import timedelta

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.errors import UnprocessableBody
from core.api.query_params import Params, takes
from core.db.replica import from_replica
from customers.access import actions
from customers.access.principal import Principal, principal_of
from customers.models import Customer
from readings.api.query_params import TREND_DAYS, StatisticsParams, TrendParams, UnitStatisticsParams
from readings.api.serializers import GroupSerializer, PerformanceSerializer, StatisticsSerializer
from readings.api.statistics import (
    ALL_CUSTOMERS,
    data_range,
    represent_groups,
    selected_units,
    statistics_by_customer,
    statistics_of,
)
from readings.statistics.aggregates import Aggregation, Grouping, TooManyGroups, aggregate
from readings.statistics.analytics import performance
from readings.time_ranges import DAY
from readings.units.unit_refs import UnitRefs, visible_unit_refs

BY_CUSTOMER = {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Statistics"}}
PERFORMANCE_RANGE = timedelta(days=30)


class SummaryView(APIView):
    """Statistics of the caller's units, of a facility or of a unit."""

    needs = {"GET": actions.VIEW_READINGS}

    @takes([UnitStatisticsParams], responses=StatisticsSerializer)
    @from_replica
    def get(self, request: Request) -> Response:
        """Return statistics of all of the caller's units, of a facility or of a unit, over all time or a period."""
        params = UnitStatisticsParams.parse(request)
        units = _pop_units(principal_of(request), params)
        return Response(statistics_of(units, **params))


class TrendsView(APIView):
    """Readings by interval."""

    needs = {"GET": actions.VIEW_READINGS}

    @takes([TrendParams], responses=GroupSerializer(many=True))
    @from_replica
    def get(self, request: Request) -> Response:
        """Return metrics by hour, day, week or month; by default of the last 1, 7, 30 or 365 days."""
        params = TrendParams.parse(request)
        units = _pop_units(principal_of(request), params)
        interval = params["interval"]
        time_range = data_range(
            units, params.get("start"), params.get("end"), default_length=TREND_DAYS[interval] * DAY
        )
        grouping = Grouping(frozenset({interval}), tuple(Aggregation))
        try:
            groups = aggregate(units, time_range, grouping)
        except TooManyGroups as error:
            raise UnprocessableBody(f"{error} Request a shorter period or a longer interval.") from error
        return Response(represent_groups(groups, grouping, params["scale"]))


class PerformanceView(APIView):
    """Performance of the measurements."""

    needs = {"GET": actions.VIEW_READINGS}

    @takes([UnitStatisticsParams], responses=PerformanceSerializer)
    @from_replica
    def get(self, request: Request) -> Response:
        """Return uptime, data quality and deviation from the set temperature; by default of the last 30 days."""
        params = UnitStatisticsParams.parse(request)
        units = _pop_units(principal_of(request), params)
        time_range = data_range(units, params.get("start"), params.get("end"), default_length=PERFORMANCE_RANGE)
        serializer = PerformanceSerializer(performance(units, time_range), context={"scale": params["scale"]})
        return Response(serializer.data)


class AdminSummaryView(APIView):
    """Statistics by customer."""

    needs = {"GET": actions.LIST_ALL_READINGS}

    @takes([StatisticsParams], responses={200: BY_CUSTOMER})
    @from_replica
    def get(self, request: Request) -> Response:
        """Return the statistics of each customer by code, and of all customers together as `system`.

        A customer that has this code itself is listed by its id.
        """
        scope = principal_of(request).scope
        customers = Customer.objects.visible_to(scope).values_list("pk", "customer_code", "public_id")
        names = {pk: str(public_id) if code == ALL_CUSTOMERS else code for pk, code, public_id in customers}
        return Response(statistics_by_customer(visible_unit_refs(scope), names, **StatisticsParams.parse(request)))


def _pop_units(principal: Principal, params: Params) -> UnitRefs:
    """Return the units that `facility_id` and `unit_id` select, and remove both from `params`. Raises NotFound."""
    return selected_units(principal, params.pop("facility_id", None), params.pop("unit_id", None))
