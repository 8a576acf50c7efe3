"""REST API views of customers: the caller's own, and every one for the operator. A profile configures a source."""

from __future__ import annotations

from copy import copy
from typing import Any
from uuid import UUID

from django.db.models import Aggregate, Count, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from typing_extensions import override

from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams
from core.api.query_params import takes
from core.api.serializer_rows import Representation, SerializerRows
from core.api.versions import VersionedView, etag_of_new
from core.scope import Scope
from customers.access import actions
from customers.access.lookup import OwnCustomerParams, get_addressed, own_customer, reachable_scope
from customers.access.principal import principal_of
from customers.access.submissions import once
from customers.models import Customer, Facility, StorageUnit
from ingestion.customer_source import configure_source
from readings.api.serializers import CustomerSerializer, ProfileSerializer
from readings.models import LatestReading
from readings.reading_counts import with_reading_counts


def profiles(scope: Scope) -> QuerySet[Customer]:
    """Return the customers visible to `scope` with counts of their visible objects, without units for alarm drills."""
    units = StorageUnit.objects.filter(is_synthetic=False)
    latest = LatestReading.objects.filter(storage_unit__is_synthetic=False)
    customers: QuerySet[Customer] = Customer.objects.visible_to(scope)
    return customers.annotate(
        facility_count=_total(Facility.objects.all(), "customer", Count("pk", distinct=True), scope, 0),
        unit_count=_total(units, "facility__customer", Count("pk"), scope, 0),
        active_readings_count=_total(with_reading_counts(units), "facility__customer", Sum("reading_count"), scope, 0),
        last_reading_time=_total(latest, "storage_unit__facility__customer", Max("recorded_at"), scope),
    )


def _total(rows: QuerySet[Any], path: str, total: Aggregate, scope: Scope, default: Any = None) -> Any:
    """Return the `total` of the rows whose `path` leads to the outer query's customer, as a subquery."""
    unit_path = rows.model.SCOPE.unit if scope.unit_ids is not None else None
    # Not `visible_to`: the outer query restricts the customers; only the limit to units is left.
    rows = rows.filter(**({f"{unit_path}__in": scope.unit_ids} if unit_path else {}))
    summed = rows.filter(**{path: OuterRef("pk")}).order_by().values(path).annotate(total=total).values("total")
    return Subquery(summed) if default is None else Coalesce(Subquery(summed), default)


CUSTOMER_ROWS = SerializerRows(CustomerSerializer)


class Profile(VersionedView[Customer]):
    """Profile of the caller's own customer."""

    needs = {"GET": actions.VIEW_PROFILE, "PUT": actions.CHANGE_PROFILE}
    serializer_class = ProfileSerializer

    @takes([OwnCustomerParams])
    def get(self, request: Request) -> Response:
        """Return the profile of the caller's own customer."""
        customer = own_customer(request)
        return self.versioned(customer, _represent(customer, reachable_scope(request)))

    @takes([OwnCustomerParams], request=ProfileSerializer(partial=True))
    def put(self, request: Request) -> Response:
        """Update the profile. All fields are optional; `api_url` and the frequency configure the customer's source."""
        customer = own_customer(request)
        with self.changing(request, customer) as serializer:
            _save(serializer)
        customer.refresh_from_db()
        return self.versioned(customer, _represent(customer, reachable_scope(request)))


class AdminCustomerList(RowListView):
    """Every customer."""

    creates_once = True
    needs = {"GET": actions.LIST_CUSTOMERS, "POST": actions.ADD_CUSTOMERS}
    serializer_class = CustomerSerializer
    rows = CUSTOMER_ROWS

    @takes([PageParams], responses=page_of(CustomerSerializer))
    def get(self, request: Request) -> Response:
        """List every customer."""
        return self.list_page()

    @override
    def get_queryset(self) -> QuerySet[Customer]:
        return profiles(principal_of(self.request).scope)

    @extend_schema(responses={201: CustomerSerializer})
    def post(self, request: Request) -> Response:
        """Create a customer. With an `api_url` its system is polled every `data_frequency_seconds`."""
        serializer = self.get_serializer(data=request.data)
        with once(request):
            serializer.is_valid(raise_exception=True)
            customer = _save(serializer)
            etag = etag_of_new(customer, CustomerSerializer)
        created = _represent(customer, Scope.everything())
        return Response(created, status.HTTP_201_CREATED, headers={"ETag": etag})


class AdminCustomer(VersionedView[Customer]):
    """A customer."""

    needs = {"GET": actions.LIST_CUSTOMERS, "PUT": actions.CHANGE_CUSTOMERS}
    serializer_class = CustomerSerializer

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return a customer."""
        customer = get_addressed(Customer, request, public_id)
        return self.versioned(customer, _represent(customer, reachable_scope(request)))

    @extend_schema(request=CustomerSerializer(partial=True))
    def put(self, request: Request, public_id: UUID) -> Response:
        """Update a customer. All fields are optional; `api_url` and the frequency configure its source."""
        customer = get_addressed(Customer, request, public_id)
        with self.changing(request, customer) as serializer:
            _save(serializer)
        customer.refresh_from_db()
        return self.versioned(customer, _represent(customer, reachable_scope(request)))


def _save(serializer: BaseSerializer[Customer]) -> Customer:
    """Save a valid profile, and configure the customer's source by it, in the caller's transaction."""
    former = copy(serializer.instance)
    customer = serializer.save()
    configure_source(customer, former)
    return customer


def _represent(customer: Customer, scope: Scope) -> Representation:
    return CUSTOMER_ROWS.get(profiles(scope).filter(pk=customer.pk))
