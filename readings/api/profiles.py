"""The REST API's views of customers: one's own profile, and every customer for the operator."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Aggregate, Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.schema import CUSTOMER_ID, PAGE, page_of
from core.scope import Scope
from customers.access.lookup import addressed, own_customer, reach_of, require_whole_customer
from customers.access.permissions import ADMIN, READ_AND_WRITE
from customers.access.principal import principal_of
from customers.api.row_lists import Shape, ShapedList
from customers.models import Customer, Facility, StorageUnit
from readings.api.serializers import CustomerSerializer, ProfileSerializer
from readings.models import DailyRollup, LatestReading


def profiles(scope: Scope) -> QuerySet[Any]:
    """The customers within `scope`, each with its counts of what `scope` may see; readings by the roll-ups.

    Units that are there for alarm drills only do not count.
    """
    units = StorageUnit.objects.filter(is_synthetic=False)
    return Customer.objects.visible_to(scope).annotate(
        facility_count=_total(Facility.objects.all(), "customer", Count("pk"), scope, 0),
        unit_count=_total(units, "facility__customer", Count("pk"), scope, 0),
        active_readings_count=_total(
            _of_goods(DailyRollup), "storage_unit__facility__customer", Sum("reading_count"), scope, 0
        ),
        last_reading_time=_total(
            _of_goods(LatestReading), "storage_unit__facility__customer", Max("recorded_at"), scope
        ),
    )


def _of_goods(model: type[DailyRollup] | type[LatestReading]) -> QuerySet[Any]:
    return model.objects.filter(storage_unit__is_synthetic=False)


def _total(rows: QuerySet[Any], way: str, total: Aggregate, scope: Scope, default: Any = None) -> Any:
    """What those of `rows` that lead by `way` to a customer add up to, as a subquery of the customer's row."""
    unit_way = rows.model.SCOPE.unit if scope.unit_ids is not None else None
    # Not `visible_to`: whose rows they are is said by the customer they are summed up for; left are the units.
    rows = rows.filter(**({f"{unit_way}__in": scope.unit_ids} if unit_way else {}))
    summed = rows.filter(**{way: OuterRef("pk")}).order_by().values(way).annotate(total=total).values("total")
    return Subquery(summed) if default is None else Coalesce(Subquery(summed), default)


PROFILE = Shape(CustomerSerializer)


class Profile(GenericAPIView[Customer]):
    """The caller's own customer. PUT takes any subset of the fields."""

    needs = {method: READ_AND_WRITE[method] for method in ("GET", "PUT")}
    serializer_class = ProfileSerializer

    @extend_schema(parameters=[CUSTOMER_ID])
    def get(self, request: Request) -> Response:
        return Response(_one(own_customer(request), reach_of(request)))

    @extend_schema(parameters=[CUSTOMER_ID], request=ProfileSerializer(partial=True))
    def put(self, request: Request) -> Response:
        require_whole_customer(request)
        return _changed(self, own_customer(request))


class AdminCustomerList(ShapedList, GenericAPIView[Customer]):
    """Every customer."""

    needs = {method: ADMIN[method] for method in ("GET", "POST")}
    serializer_class = CustomerSerializer
    shape = PROFILE

    @extend_schema(parameters=PAGE, responses=page_of(CustomerSerializer))
    def get(self, request: Request) -> Response:
        return super().get(request)

    def get_queryset(self) -> Any:
        return profiles(principal_of(self.request).scope)

    @extend_schema(responses={201: CustomerSerializer})
    def post(self, request: Request) -> Response:
        """Register a customer."""
        require_whole_customer(request)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(_one(serializer.save(), Scope.everything()), status.HTTP_201_CREATED)


class AdminCustomer(GenericAPIView[Customer]):
    """One customer. PUT takes any subset of the fields."""

    needs = {method: ADMIN[method] for method in ("GET", "PUT")}
    serializer_class = CustomerSerializer

    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(_one(addressed(Customer, request, public_id), reach_of(request)))

    @extend_schema(request=CustomerSerializer(partial=True))
    def put(self, request: Request, public_id: UUID) -> Response:
        require_whole_customer(request)
        return _changed(self, addressed(Customer, request, public_id))


def _changed(view: GenericAPIView[Customer], customer: Customer) -> Response:
    serializer = view.get_serializer(customer, data=view.request.data, partial=True)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    return Response(_one(customer, reach_of(view.request)))


def _one(customer: Customer, scope: Scope) -> dict[str, Any]:
    return PROFILE.one(profiles(scope).filter(pk=customer.pk))
