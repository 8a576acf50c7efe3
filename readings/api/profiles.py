"""The REST API's views of customers: one's own profile, and every customer for the operator."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.schema import CUSTOMER_ID, PAGE, page_of
from core.scope import Scope
from customers.access.lookup import addressed, own_customer, reach_of, require_whole_customer
from customers.access.permissions import ADMIN, READ_AND_WRITE
from customers.access.principal import caller_of
from customers.api.row_lists import Shape, ShapedList
from customers.models import Customer
from readings.api.profiles_merge import profiles
from readings.api.serializers import CustomerSerializer, ProfileSerializer

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
        return profiles(caller_of(self.request).scope)

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
