"""Errors of a model's validation by the fields of the API that set its attributes, which may have other names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as ModelError
from rest_framework.serializers import Serializer

from core.api.fields import AnySerializer, Values


def errors_by_field(error: ModelError, serializer: AnySerializer) -> Values:
    """Return the messages by field, those of a nested object inside it; `detail` is what concerns several fields."""
    fields = dict(_fields_by_attribute(serializer))
    errors: Values = {}
    for attribute, messages in _messages(error).items():
        if attribute == NON_FIELD_ERRORS:
            errors["detail"] = " ".join(messages)
            continue
        *outer, name = fields.get(attribute, (attribute,))
        place = errors
        for part in outer:
            place = place.setdefault(part, {})
        place[name] = messages
    return errors


def _messages(error: ModelError) -> Mapping[str, list[str]]:
    return error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}


def _fields_by_attribute(serializer: AnySerializer) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each attribute that the serializer sets, with the path of its field in the body."""
    for name, field in serializer.fields.items():
        if isinstance(field, Serializer) and field.source == "*":
            yield from ((attribute, (name, *path)) for attribute, path in _fields_by_attribute(field))
        elif not field.read_only:
            yield str(field.source), (name,)
