"""The REST API's views of what the operator may set while the system runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.query_params import Parameters
from customers.access.lookup import require_whole_customer
from customers.access.permissions import ADMIN
from readings.api.serializers import ChangedEntrySerializer, ConfigurationSerializer, EntrySerializer
from readings.configuration import LONGEST_DESCRIPTION, InvalidValue, UnknownKey, entries, set_value


class Configuration(APIView):
    """Every key with its value."""

    needs = {"GET": ADMIN["GET"]}

    @extend_schema(responses=ConfigurationSerializer)
    def get(self, request: Request) -> Response:
        return Response({key: asdict(entry) for key, entry in entries().items()})


class ConfigurationKey(APIView):
    """One key."""

    needs = {"PUT": ADMIN["PUT"]}

    @extend_schema(
        request=ChangedEntrySerializer,
        responses=EntrySerializer,
        parameters=[
            OpenApiParameter("value", description="The value as JSON, where the body has none."),
            OpenApiParameter("description", description="What it is for, where the body says nothing."),
        ],
    )
    def put(self, request: Request, key: str) -> Response:
        """Set the key's value. It takes effect within a few seconds."""
        require_whole_customer(request)
        given = _given(request)
        if "value" not in given:
            raise ValidationError({"value": ["This is needed, in the query or in the body."]})
        try:
            entry = set_value(key, given["value"], _description(given))
        except UnknownKey as error:
            raise Http404 from error
        except InvalidValue as error:
            raise ValidationError({"value": [str(error)]}) from error
        return Response(asdict(entry))


def _given(request: Request) -> dict[str, Any]:
    """`value` and `description` as the body or, where it lacks them, the query gives them."""
    body = request.data if request.META.get("CONTENT_LENGTH") not in (None, "", "0") else {}
    if not isinstance(body, Mapping):
        raise ValidationError("The body must be an object.")
    parameters, query = Parameters.of(request), {}
    if text := parameters.text("value"):
        query["value"] = _parsed(text)
    if text := parameters.text("description"):
        query["description"] = text
    return query | {name: body[name] for name in ("value", "description") if name in body}


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValidationError({"value": ["This is no JSON."]}) from error


def _description(given: dict[str, Any]) -> str | None:
    description = given.get("description")
    if description is None:
        return None
    if not isinstance(description, str) or "\x00" in description or len(description) > LONGEST_DESCRIPTION:
        raise ValidationError({"description": [f"This must be text of at most {LONGEST_DESCRIPTION:,} characters."]})
    return description
