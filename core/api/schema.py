"""Parameters of the API as OpenAPI tells them, for all rooms. How they are read is in `core.api.query_params`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from core.api.pagination import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET

CUSTOMER_ID = OpenApiParameter(
    "customer_id", OpenApiTypes.UUID, description="Whose; needed from who belongs to no single customer."
)
OF_CUSTOMER = OpenApiParameter("customer_id", OpenApiTypes.UUID, description="Only this customer's.")
FACILITY_ID = OpenApiParameter("facility_id", OpenApiTypes.UUID, description="Only this facility's.")
UNIT_ID = OpenApiParameter("unit_id", OpenApiTypes.UUID, description="Only this storage unit's.")
START_DATE = OpenApiParameter(
    "start_date", OpenApiTypes.STR, description="From this ISO 8601 time on; without an offset it is UTC."
)
END_DATE = OpenApiParameter(
    "end_date", OpenApiTypes.STR, description="Up to this ISO 8601 time; a bare date is included."
)
PERIOD = [START_DATE, END_DATE]
TEMPERATURE_UNIT = OpenApiParameter(
    "temperature_unit", enum=["C", "F", "K"], default="C", description="The scale of the answer's temperatures."
)

LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}, description="Of a page."
)
OFFSET = OpenApiParameter(
    "offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}, description="Rows to pass over."
)
PAGE = [LIMIT, OFFSET]


def page_of(item: type[serializers.BaseSerializer[Any]]) -> Any:
    """The envelope of a list of such items, see `core.api.pagination.envelope`."""
    return inline_serializer(
        name=f"PageOf{item.__name__.removesuffix('Serializer')}",
        fields={
            "items": item(many=True),
            "total": serializers.IntegerField(help_text="In all pages.", min_value=0),
            "page": serializers.IntegerField(help_text="From 1 on.", min_value=0),
            "page_size": serializers.IntegerField(help_text="The limit.", min_value=0),
            "pages": serializers.IntegerField(min_value=0),
            "next": serializers.URLField(allow_null=True, help_text="Null on the last page."),
            "previous": serializers.URLField(allow_null=True, help_text="Null on the first page."),
        },
    )


class TokenScheme(OpenApiAuthenticationExtension):
    """How the document names TokenAuthentication."""

    target_class = "customers.access.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token; the keyword Token works, too."}


class PersonScheme(SessionScheme):
    """How the document names SessionAuthentication."""

    target_class = "customers.access.authentication.SessionAuthentication"
    name = "session"
