"""REST API views of facilities and tokens. Storage units and customer profiles show readings and live in `readings`."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db.models import Count, Model, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from typing_extensions import override

from core.api.lists import RowListView, page_of
from core.api.pagination import PageParams, Rows
from core.api.query_params import CustomerFilterParams, takes
from core.api.serializer_rows import SerializerRows
from core.api.versions import VersionedView, etag_of_new, etag_of_values
from core.db.compiled_queries import CompiledQuery
from customers.access import actions
from customers.access.grant_token import grant_token
from customers.access.lookup import OwnCustomerParams, get_addressed, own_customer
from customers.access.principal import principal_of
from customers.access.submissions import once
from customers.access.tokens import revoke, with_details
from customers.api.serializers import FacilitySerializer, ListedFacilitySerializer, NewTokenSerializer, TokenSerializer
from customers.models import ApiToken, Customer, Facility

FACILITY_ROWS = SerializerRows(FacilitySerializer)
TOKEN_ROWS = SerializerRows(TokenSerializer)
FACILITIES = CompiledQuery(lambda scope: FACILITY_ROWS.values(Facility.objects.visible_to(scope)), is_look_up=True)

# A request without a body states its reason here.
REASON_PARAMETER = OpenApiParameter("reason", str, description="Why. Recorded in the audit trail.")


class FacilityList(RowListView):
    """Facilities of the caller."""

    creates_once = True
    needs = {"GET": actions.VIEW_FACILITIES, "POST": actions.ADD_FACILITIES}
    serializer_class = FacilitySerializer
    rows = FACILITY_ROWS

    @takes([PageParams], responses=page_of(FacilitySerializer))
    def get(self, request: Request) -> Response:
        """List the caller's facilities."""
        return self.list_page()

    @override
    def get_rows(self) -> Rows:
        return FACILITIES.visible_to(principal_of(self.request).own_scope)

    @override
    def get_queryset(self) -> QuerySet[Facility]:
        return Facility.objects.visible_to(principal_of(self.request).own_scope)

    @takes([OwnCustomerParams], responses={201: FacilitySerializer})
    def post(self, request: Request) -> Response:
        """Create a facility."""
        serializer = self.get_serializer(data=request.data)
        with once(request):
            serializer.is_valid(raise_exception=True)
            facility = serializer.save(customer=own_customer(request))
            etag = etag_of_new(facility, FacilitySerializer)
        created = FACILITY_ROWS.get(Facility.objects.filter(pk=facility.pk))
        return Response(created, status.HTTP_201_CREATED, headers={"ETag": etag})


class FacilityDetail(VersionedView[Facility]):
    """A facility."""

    needs = {
        "GET": actions.VIEW_FACILITIES,
        "PUT": actions.CHANGE_FACILITIES,
        "PATCH": actions.CHANGE_FACILITIES,
    }
    serializer_class = FacilitySerializer

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return a facility."""
        facility = get_addressed(Facility, request, public_id)
        return self.versioned(facility, FACILITY_ROWS.get(Facility.objects.filter(pk=facility.pk)))

    @extend_schema(request=FacilitySerializer(partial=True))
    def put(self, request: Request, public_id: UUID) -> Response:
        """Update a facility. All fields are optional; PUT and PATCH behave alike."""
        facility = get_addressed(Facility, request, public_id)
        with self.changing(request, facility) as serializer:
            serializer.save()
        facility.refresh_from_db()
        return self.versioned(facility, FACILITY_ROWS.get(Facility.objects.filter(pk=facility.pk)))

    patch = put


class AdminFacilityList(RowListView):
    """Facilities of every customer."""

    needs = {"GET": actions.LIST_CUSTOMERS}
    serializer_class = ListedFacilitySerializer
    rows = SerializerRows(ListedFacilitySerializer)

    @takes([CustomerFilterParams, PageParams], responses=page_of(ListedFacilitySerializer))
    def get(self, request: Request) -> Response:
        """List the facilities of every customer, or of one."""
        return self.list_page()

    @override
    def get_queryset(self) -> QuerySet[Facility]:
        unit_count = Count("units", filter=Q(units__is_synthetic=False))
        facilities: QuerySet[Facility] = Facility.objects.visible_to(principal_of(self.request).scope).annotate(
            unit_count=unit_count
        )
        customer_id = CustomerFilterParams.parse(self.request).get("customer_id")
        if customer_id is not None:
            facilities = facilities.filter(customer__public_id=customer_id)
        return facilities


class TokenList(GenericAPIView[ApiToken]):
    """API tokens of the caller's customer."""

    creates_once = True
    needs = {"GET": actions.LIST_TOKENS, "POST": actions.CREATE_TOKENS}
    serializer_class = TokenSerializer
    pagination_class = None
    queryset = ApiToken.objects.none()  # the browsable API requires one for lists

    def get_customer(self, request: Request, **path: UUID) -> Customer:
        """Return the customer whose tokens are listed. Raises Http404."""
        return own_customer(request)

    @takes([OwnCustomerParams], responses=TokenSerializer(many=True))
    def get(self, request: Request, **path: UUID) -> Response:
        """List the tokens of a customer. Their text is not stored and cannot be retrieved."""
        customer = self.get_customer(request, **path)
        tokens = ApiToken.objects.visible_to(principal_of(request).scope).filter(customer=customer)
        return Response(TOKEN_ROWS.represent(TOKEN_ROWS.values(with_details(tokens, timezone.now()))))

    @takes([OwnCustomerParams], responses={201: NewTokenSerializer})
    def post(self, request: Request, **path: UUID) -> Response:
        """Create a token and return its text once. It cannot grant more than the caller has."""
        customer = self.get_customer(request, **path)
        serializer = self.get_serializer(data=request.data)
        with once(request):
            serializer.is_valid(raise_exception=True)
            token, text = grant_token(principal_of(request), customer, **serializer.validated_data)
            etag = etag_of_token(token)
        created = TOKEN_ROWS.get(with_details(ApiToken.objects.filter(pk=token.pk), timezone.now()))
        return Response(created | {"token": text}, status.HTTP_201_CREATED, headers={"ETag": etag})


@extend_schema_view(
    get=takes([OpenApiParameter("customer_id", exclude=True)]),
    post=takes([OpenApiParameter("customer_id", exclude=True)]),
)
class AdminTokenList(TokenList):
    """API tokens of any customer."""

    needs = {"GET": actions.LIST_CUSTOMER_TOKENS, "POST": actions.CREATE_CUSTOMER_TOKENS}

    @override
    def get_customer(self, request: Request, **path: UUID) -> Customer:
        customer: Customer = get_addressed(Customer, request, path["public_id"])
        return customer


class TokenDetail(VersionedView[ApiToken]):
    """An API token."""

    needs = {"GET": actions.VIEW_TOKEN, "DELETE": actions.REVOKE_TOKENS}
    serializer_class = TokenSerializer

    def get(self, request: Request, public_id: UUID) -> Response:
        """Return a token, without its text."""
        return self._represent(get_addressed(ApiToken, request, public_id))

    @extend_schema(parameters=[REASON_PARAMETER], responses={200: TokenSerializer})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke a token. It is rejected from now on and stays listed."""
        with self.locking(request, get_addressed(ApiToken, request, public_id)) as token:
            revoke(ApiToken.objects.filter(pk=token.pk))
        return self._represent(token)

    @override
    def etag(self, row: Model) -> str:
        return etag_of_token(row)

    @override
    def stored(self, request: Request, row: ApiToken) -> Mapping[str, object]:
        return {"token_name": row.token_name, "permissions": row.permissions, "revoked_at": row.revoked_at}

    def _represent(self, token: ApiToken) -> Response:
        # The ETag first: one of a later version than is sent would let a change overwrite that one unseen.
        etag = self.etag(token)
        rows = with_details(ApiToken.objects.filter(pk=token.pk), timezone.now())
        return Response(TOKEN_ROWS.get(rows), headers={"ETag": etag})


def etag_of_token(token: Model) -> str:
    """Return the ETag of a token as it is stored, with the units that it is limited to."""
    units = ApiToken.accessible_units.through.objects.filter(apitoken=token.pk).order_by("storageunit")
    columns = ("token_name", "permissions", "rate_limit_per_hour", "expires_at", "revoked_at")
    [values] = ApiToken.objects.filter(pk=token.pk).values_list(*columns)
    return etag_of_values((values, list(units.values_list("storageunit", flat=True))))
