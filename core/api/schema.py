"""Additions to drf-spectacular: pages of lists, and the authentication schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from typing_extensions import override

if TYPE_CHECKING:
    from drf_spectacular.openapi import AutoSchema


def page_of(item: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """Return the schema of a page of such items, see `core.api.pagination.envelope`."""
    return inline_serializer(
        name=f"PageOf{item.__name__.removesuffix('Serializer')}",
        fields={
            "items": item(many=True),
            "total": serializers.IntegerField(help_text="Items in all pages.", min_value=0),
            "page": serializers.IntegerField(help_text="Number of this page, from 1.", min_value=0),
            "page_size": serializers.IntegerField(help_text="The limit.", min_value=0),
            "pages": serializers.IntegerField(help_text="Number of pages.", min_value=0),
            "next": serializers.URLField(allow_null=True, help_text="URL of the next page; null on the last page."),
            "previous": serializers.URLField(
                allow_null=True, help_text="URL of the previous page; null on the first page."
            ),
        },
    )


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # untyped in drf-spectacular
    """Authentication by API token."""

    target_class = "customers.access.authentication.TokenAuthentication"
    name = "token"

    @override
    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token. The keyword `Token` also works."}


class SignInScheme(SessionScheme):  # type: ignore[no-untyped-call]  # untyped in drf-spectacular
    """Authentication by the session of a signed-in user."""

    target_class = "customers.access.authentication.SessionAuthentication"
    name = "session"
