"""REST API views of the configuration, which the operator can change at run time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from django.db import transaction
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.query_params import QueryParams, TextParam, takes
from core.api.versions import etag_of_values, require_match
from customers.access import actions
from readings.api.serializers import ChangedEntrySerializer, ConfigurationSerializer, EntrySerializer
from readings.configuration import Entry, InvalidValue, entries, lock_entries, set_value


class EntryParams(QueryParams):
    """`value` and `description`, as an alternative to the body."""

    value = TextParam(help_text="The value as JSON, unless it is in the body.")
    description = TextParam(help_text="The description, unless it is in the body.")


class Configuration(APIView):
    """The configuration."""

    needs = {"GET": actions.VIEW_CONFIGURATION}

    @extend_schema(responses=ConfigurationSerializer)
    def get(self, request: Request) -> Response:
        """Return every key with its value."""
        return Response(ConfigurationSerializer(entries()).data)


class ConfigurationKey(APIView):
    """A key of the configuration."""

    is_versioned = True
    needs = {"GET": actions.VIEW_CONFIGURATION, "PUT": actions.CHANGE_CONFIGURATION}

    @extend_schema(responses=EntrySerializer)
    def get(self, request: Request, key: str) -> Response:
        """Return the value of a key."""
        return _versioned(_entry(key))

    @takes([EntryParams], request=ChangedEntrySerializer, responses=EntrySerializer)
    def put(self, request: Request, key: str) -> Response:
        """Set the value of a key. It takes effect within a few seconds."""
        serializer = ChangedEntrySerializer(data=_submitted(request))
        serializer.is_valid(raise_exception=True)
        changed = serializer.validated_data
        if "value" not in changed:
            raise ValidationError({"value": ["Required, in the query or in the body."]})
        with transaction.atomic():
            lock_entries()
            stored = EntrySerializer(_entry(key)).data
            require_match(request, _etag(stored), lambda: stored)
            try:
                entry = set_value(key, changed["value"], changed.get("description"))
            except InvalidValue as error:
                raise ValidationError({"value": [str(error)]}) from error
        return _versioned(entry)


def _entry(key: str) -> Entry:
    """Return the entry of a key. Raise Http404."""
    try:
        return entries()[key]
    except KeyError as error:
        raise Http404 from error


def _versioned(entry: Entry) -> Response:
    data = EntrySerializer(entry).data
    return Response(data, headers={"ETag": _etag(data)})


def _etag(data: Mapping[str, object]) -> str:
    return etag_of_values((data["value"], data["description"]))


def _submitted(request: Request) -> dict[str, object]:
    """Return `value` and `description` from the body or, if it lacks them, from the query."""
    body = request.data if request.META.get("CONTENT_LENGTH") not in (None, "", "0") else {}
    if not isinstance(body, Mapping):
        raise ValidationError("The body must be an object.")
    query = EntryParams.parse(request)
    if "value" in query:
        query["value"] = _decoded(query["value"])
    # `updated_at` is sent back by clients that change what they received.
    return query | {name: value for name, value in body.items() if name != "updated_at"}


def _decoded(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValidationError({"value": ["Must be valid JSON."]}) from error
