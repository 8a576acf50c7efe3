"""The REST API's views of facilities and tokens. Storage units and profiles tell of readings and live with those."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.query_params import Parameters
from core.api.schema import CUSTOMER_ID, OF_CUSTOMER, PAGE, page_of
from core.db.compiled_queries import RememberedQuery
from customers.access.grant_token import grant_token
from customers.access.lookup import addressed, own_customer, require_whole_customer
from customers.access.permissions import ADMIN, READ_AND_WRITE
from customers.access.principal import principal_of
from customers.access.tokens import revoke, shown
from customers.api.row_lists import Shape, ShapedList
from customers.api.serializers import FacilitySerializer, ListedFacilitySerializer, NewTokenSerializer, TokenSerializer
from customers.models import ApiToken, Customer, Facility

FACILITY = Shape(FacilitySerializer)
LISTED_FACILITY = Shape(ListedFacilitySerializer)
TOKEN = Shape(TokenSerializer)
FACILITIES = RememberedQuery(lambda scope: FACILITY.columns(Facility.objects.visible_to(scope)), is_look_up=True)


class FacilityList(ShapedList, GenericAPIView[Facility]):
    """The caller's facilities."""

    needs = READ_AND_WRITE
    serializer_class = FacilitySerializer
    shape = FACILITY
    remembered = FACILITIES

    @extend_schema(parameters=PAGE, responses=page_of(FacilitySerializer))
    def get(self, request: Request) -> Response:
        return super().get(request)

    def get_queryset(self) -> QuerySet[Facility]:
        return Facility.objects.visible_to(principal_of(self.request).own_scope)

    @extend_schema(parameters=[CUSTOMER_ID], responses={201: FacilitySerializer})
    def post(self, request: Request) -> Response:
        """Register a facility."""
        require_whole_customer(request)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        facility = serializer.save(customer=own_customer(request))
        return Response(FACILITY.one(Facility.objects.filter(pk=facility.pk)), status.HTTP_201_CREATED)


class FacilityDetail(GenericAPIView[Facility]):
    """One facility. PUT takes any subset of its fields, like PATCH."""

    needs = READ_AND_WRITE
    serializer_class = FacilitySerializer

    def get(self, request: Request, public_id: UUID) -> Response:
        facility = addressed(Facility, request, public_id)
        return Response(FACILITY.one(Facility.objects.filter(pk=facility.pk)))

    @extend_schema(request=FacilitySerializer(partial=True))
    def put(self, request: Request, public_id: UUID) -> Response:
        require_whole_customer(request)
        facility = addressed(Facility, request, public_id)
        serializer = self.get_serializer(facility, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(FACILITY.one(Facility.objects.filter(pk=facility.pk)))

    patch = put


class AdminFacilityList(ShapedList, GenericAPIView[Facility]):
    """Every customer's facilities, or those of `?customer_id=`."""

    needs = {"GET": ADMIN["GET"]}
    serializer_class = ListedFacilitySerializer
    shape = LISTED_FACILITY

    @extend_schema(parameters=[OF_CUSTOMER, *PAGE], responses=page_of(ListedFacilitySerializer))
    def get(self, request: Request) -> Response:
        return super().get(request)

    def get_queryset(self) -> QuerySet[Any]:
        with_goods = Count("units", filter=Q(units__is_synthetic=False))
        facilities = Facility.objects.visible_to(principal_of(self.request).scope).annotate(unit_count=with_goods)
        customer_id = Parameters.of(self.request).public_id("customer_id")
        return facilities.filter(customer__public_id=customer_id) if customer_id else facilities


class TokenList(GenericAPIView[ApiToken]):
    """The tokens of the caller's customer; their texts are shown once, when they are made."""

    needs = READ_AND_WRITE
    serializer_class = TokenSerializer
    pagination_class = None
    queryset = ApiToken.objects.none()  # the browsable API asks for one where a list is answered

    def customer(self, request: Request, **of_path: UUID) -> Customer:
        return own_customer(request)

    @extend_schema(parameters=[CUSTOMER_ID], responses=TokenSerializer(many=True))
    def get(self, request: Request, **of_path: UUID) -> Response:
        tokens = ApiToken.objects.visible_to(principal_of(request).scope).filter(
            customer=self.customer(request, **of_path)
        )
        return Response(TOKEN.named(TOKEN.columns(shown(tokens, timezone.now()))))

    @extend_schema(parameters=[CUSTOMER_ID], responses={201: NewTokenSerializer})
    def post(self, request: Request, **of_path: UUID) -> Response:
        """Make a token. It can't grant what its creator lacks."""
        customer = self.customer(request, **of_path)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token, text = grant_token(principal_of(request), customer, **serializer.validated_data)
        made = shown(ApiToken.objects.filter(pk=token.pk), timezone.now())
        return Response(TOKEN.one(made) | {"token": text}, status.HTTP_201_CREATED)


@extend_schema_view(
    get=extend_schema(parameters=[OpenApiParameter("customer_id", exclude=True)]),
    post=extend_schema(parameters=[OpenApiParameter("customer_id", exclude=True)]),
)
class AdminTokenList(TokenList):
    """The tokens of any customer."""

    needs = {"GET": ADMIN["GET"], "POST": ADMIN["POST"]}

    def customer(self, request: Request, **of_path: UUID) -> Customer:
        customer: Customer = addressed(Customer, request, of_path["public_id"])
        return customer


class TokenDetail(GenericAPIView[ApiToken]):
    """One token."""

    needs = {"DELETE": READ_AND_WRITE["DELETE"]}
    serializer_class = TokenSerializer

    @extend_schema(responses={200: TokenSerializer})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke the token: it is turned away from now on, and stays listed."""
        token = ApiToken.objects.filter(pk=addressed(ApiToken, request, public_id).pk)
        revoke(token)
        return Response(TOKEN.one(shown(token, timezone.now())))
