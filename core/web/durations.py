"""Durations in forms of pages: entered and shown as "45 min", "1 h 30 min" or "2 days", in one way everywhere.

What is stored and what the REST API takes are seconds, or minutes. A number alone is refused: somebody who is used to
seconds would set an alarm delay of 15 hours instead of 15 minutes.
"""

from __future__ import annotations

import re
from decimal import Decimal

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import capfirst
from typing_extensions import override

# By the end of a field's name: the seconds of its unit.
_UNIT_OF_NAME = {"seconds": 1, "minutes": 60}
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = r"(\d{1,9}(?:[.,]\d{1,3})?)\s*(days?|d|hours?|h|minutes?|min|m|seconds?|sec|s)"
_DURATION = re.compile(rf"{_PART}(?:\s*{_PART})*", re.ASCII)


def parse_duration(text: str) -> int | None:
    """Return the whole seconds of a duration such as "45 min", "1 h 30 min", "1.5h" or "0"; None if it is none."""
    text = " ".join(text.lower().split())
    if text == "0":
        return 0
    if _DURATION.fullmatch(text) is None:
        return None
    parts = re.findall(_PART, text, re.ASCII)
    return round(sum(Decimal(number.replace(",", ".")) * _SECONDS[unit[0]] for number, unit in parts))


def duration_entry(seconds: int) -> str:
    """Return a duration exactly, as `parse_duration` reads it: "2 days", "1 h 30 min", "0 min"."""
    parts = []
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''}")
    return " ".join(parts) or "0 min"


class DurationField(forms.IntegerField):
    """A duration as text; its value is a whole number of `unit_seconds`."""

    widget = forms.TextInput
    default_error_messages = {"invalid": "Enter a duration with its unit, such as 45 min, 1 h 30 min or 2 days."}

    def __init__(
        self,
        *,
        max_value: int,
        label: str,
        required: bool,
        min_value: int = 0,
        unit_seconds: int = 1,
        help_text: str = "",
    ) -> None:
        super().__init__(label=label, required=required, help_text=help_text)
        self.unit_seconds = unit_seconds
        at_least, at_most = (self.prepare_value(each) for each in (min_value, max_value))
        self.validators += [
            MinValueValidator(min_value, f"Enter at least {at_least}."),
            MaxValueValidator(max_value, f"Enter at most {at_most}."),
        ]

    @override
    def to_python(self, value: object) -> int | None:
        if value is None or isinstance(value, int):
            return value
        text = str(value).strip()
        if not text:
            return None
        seconds = parse_duration(text)
        if seconds is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        count, rest = divmod(seconds, self.unit_seconds)
        if rest:
            raise ValidationError("Enter whole minutes.", code="invalid")
        return count

    @override
    def prepare_value(self, value: object) -> object:
        return duration_entry(value * self.unit_seconds) if isinstance(value, int) else value


def duration_formfield(field: models.Field[object, object], **kwargs: object) -> forms.Field | None:
    """Return the form field of a model field, for `formfield_callback`: a duration for those in seconds or minutes."""
    unit_seconds = _UNIT_OF_NAME.get(field.name.rpartition("_")[2])
    if unit_seconds is None:
        return field.formfield(**kwargs)  # type: ignore[arg-type]  # passed on
    lowest = max(each.limit_value for each in field.validators if isinstance(each, MinValueValidator))
    highest = min(each.limit_value for each in field.validators if isinstance(each, MaxValueValidator))
    return DurationField(
        unit_seconds=unit_seconds,
        min_value=lowest,
        max_value=highest,
        label=str(kwargs.get("label") or capfirst(re.sub(", (s|minutes)$", "", str(field.verbose_name)))),
        required=not field.blank,
        help_text=str(kwargs.get("help_text") or field.help_text),
    )
