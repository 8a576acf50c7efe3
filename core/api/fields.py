"""Serializer fields that are stricter than DRF's: values that cannot be stored or interpreted are rejected."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from django.db.models import Choices
from rest_framework import serializers
from rest_framework.fields import Field
from typing_extensions import override

from core.api.errors import refuse_unknown

# The values of fields by name.
Values: TypeAlias = dict[str, Any]
AnyField: TypeAlias = Field[Any, Any, Any, Any]
AnySerializer: TypeAlias = "serializers.Serializer[Any]"
# Beyond any temperature, size and coordinate; keeps values computed from it finite.
MAX_NUMBER = 1e9
MAX_REASON = 1_000
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
# A decimal number in ASCII digits, which may be too large for a float.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
# A plus sign that a client forgot to escape arrives as a space.
_LOST_PLUS = re.compile(r"(?<=[0-9]) (?=[0-9]{2}:?[0-9]{2}$)", re.ASCII)


def reason_field(help_text: str = "Why. Recorded in the audit trail.") -> serializers.CharField:
    """Return the field of the reason for a change; it states nothing of the object itself."""
    return serializers.CharField(
        write_only=True, required=False, allow_blank=True, max_length=MAX_REASON, help_text=help_text
    )


def labelled_choices(choices: Iterable[str]) -> list[tuple[str, str]]:
    """Return choices with the labels that the API documentation shows, such as "C" with "Celsius"."""
    return [(choice, _label(choice)) for choice in choices]


def _label(choice: str) -> str:
    if isinstance(choice, Choices):
        label = str(choice.label)
    else:
        label = (choice.name.lower() if isinstance(choice, Enum) else choice).replace("_", " ")
    return label[:1].upper() + label[1:]


class KnownFieldsMixin(AnySerializer if TYPE_CHECKING else object):  # type: ignore[misc]  # depends on who reads it
    """Reject fields of a body that the serializer does not have: a misspelt one would silently change nothing.

    Fields that are only read are known, so that an object can be sent back as it was received.
    """

    # Fields that belong to any request that changes something; read outside of serializers.
    SHARED_FIELDS: ClassVar = frozenset({"reason"})

    def to_internal_value(self, data: object) -> Values:
        """Convert the body. Raise ValidationError (400) that names unknown fields and the known ones."""
        if isinstance(data, Mapping):
            refuse_unknown(map(str, data.keys() - self.SHARED_FIELDS), self.fields, "field")
        values: Values = super().to_internal_value(data)
        return values


class NumberField(serializers.FloatField):
    """A finite number. DRF accepts true, "nan", "inf" and "4_5", and fails with an exception for 10**400."""

    def __init__(
        self,
        *,
        min_value: float = -MAX_NUMBER,
        max_value: float = MAX_NUMBER,
        **options: object,
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, **options)  # type: ignore[arg-type]  # passed on

    @override
    def to_internal_value(self, data: object) -> float:
        if isinstance(data, bool) or (isinstance(data, str) and not NUMBER.fullmatch(data.strip())):
            self.fail("invalid")
        try:
            number = super().to_internal_value(data)  # type: ignore[arg-type]  # DRF itself checks the type
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(number):
            self.fail("invalid")
        return number


class TextField(serializers.CharField):
    """Text, unchanged. DRF also accepts numbers, and strips white space."""

    def __init__(self, **options: object) -> None:
        super().__init__(trim_whitespace=False, **options)  # type: ignore[arg-type]  # passed on

    @override
    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class InstantField(serializers.CharField):
    """An ISO 8601 time, converted to UTC; UTC unless it has an offset.

    A bare date is its first moment, or its last microsecond if `is_end`: the date is included.
    """

    default_error_messages = {
        "format": "Must be an ISO 8601 time, such as 2026-11-23T10:15:00+00:00.",
        "year": "Must be between the years 1900 and 9000.",
    }

    def __init__(self, *, is_end: bool = False, **options: object) -> None:
        self.is_end = is_end
        super().__init__(**options)  # type: ignore[arg-type]  # passed on

    @override
    def to_internal_value(self, data: object) -> datetime:  # type: ignore[override]  # a CharField for its blank handling
        text = super().to_internal_value(data).strip()  # type: ignore[arg-type]  # DRF itself checks the type
        try:
            instant = datetime.fromisoformat(_LOST_PLUS.sub("+", text) if "T" in text or ":" in text else text)
            instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail("format")
        if not 1900 <= instant.year <= 9000:
            self.fail("year")
        return instant + _DAY - _MICROSECOND if self.is_end and is_date(text) else instant


def is_date(text: str) -> bool:
    """Return whether an ISO 8601 text has no time of day: 2026-11-23, 20261123 or 2026-W48-1."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
