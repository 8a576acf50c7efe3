"""Query parameters as serializers, which validate them and describe them in the OpenAPI document.

Parsing is strict: an invalid value is a 422 with the reason, never a guess.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from typing_extensions import override

from core.api.errors import InvalidQuery, refuse_unknown
from core.api.fields import NUMBER, AnyField, InstantField, KnownFieldsMixin, Values, labelled_choices

_MAX_LENGTH = 1_000
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads TakesQueryParams from the settings while it is imported

Params: TypeAlias = Values
F = TypeVar("F", bound=Callable[..., object])


# Chooses the format of any response.
FORMAT_PARAM = "format"


def takes(parameters: Iterable[type[QueryParams] | OpenApiParameter], **schema: object) -> Callable[[F], F]:
    """Declare the query parameters of a view's method: they are documented, and any other one is rejected."""
    groups = list(parameters)
    names = {name for group in groups if isinstance(group, type) for name in _instance_of(group).fields}

    def declare(method: F) -> F:
        declared: F = extend_schema(parameters=groups, **schema)(method)  # type: ignore[arg-type]  # passed on
        declared.__dict__["query_params"] = frozenset(names)
        return declared

    return declare


class TakesQueryParams(BasePermission):
    """Reject query parameters that the method does not take: a misspelt filter must not return everything.

    Not a matter of permission, but checked with them: after they are, and before anything is done.
    """

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request._request.GET:
            return True
        handler = getattr(view, (request.method or "").lower(), None)
        is_form_of_browsable_api = request.method != request._request.method
        if handler is None or request.method == "OPTIONS" or is_form_of_browsable_api:
            return True
        known: frozenset[str] = getattr(handler, "query_params", frozenset())
        if request.method not in SAFE_METHODS:
            known |= KnownFieldsMixin.SHARED_FIELDS
        refuse_unknown(request._request.GET.keys() - {FORMAT_PARAM}, known, "query parameter")
        return True


class QueryParams(serializers.Serializer[object]):
    """Query parameters of a view. Subclasses declare fields, or combine groups of parameters by inheritance.

    An absent or empty parameter has its default, or is left out if it has none. The last of several values counts.
    """

    @classmethod
    def parse(cls, request: Request) -> Params:
        """Return the validated parameters by the `source` of their fields. Raises InvalidQuery."""
        query = request._request.GET
        serializer = _instance_of(cls)
        params: Params = {}
        for name, field in serializer.fields.items():
            text = _text(name, query.get(name, ""), field)
            if text or (name in query and isinstance(field, WholeNumberParam)):
                params[str(field.source)] = _value(name, text, field)
            elif field.default is not empty:
                params[str(field.source)] = field.default
        serializer.check(params)
        return params

    def check(self, params: Params) -> None:
        """Check parameters against each other, and convert them in place. Raises InvalidQuery."""


@cache
def _instance_of(params: type[QueryParams]) -> QueryParams:
    """Return the one instance per class: building fields costs more than parsing a query with them."""
    return params()


def _text(name: str, text: str, field: AnyField) -> str:
    if len(text) > _MAX_LENGTH or not text.isprintable():
        raise InvalidQuery(name, f"must be printable text of at most {_MAX_LENGTH:,} characters.")
    return text.strip() if getattr(field, "trim_whitespace", False) else text


def _value(name: str, text: str, field: AnyField) -> object:
    try:
        return field.to_internal_value(text)
    except ValidationError as error:
        (problem,) = error.detail  # fields raise one at a time
        raise InvalidQuery(name, str(problem)) from error


class TextParam(serializers.CharField):
    """Printable text."""

    def __init__(self, *, help_text: str, source: str | None = None, trim_whitespace: bool = False) -> None:
        super().__init__(
            help_text=help_text, source=source, trim_whitespace=trim_whitespace, required=False, allow_blank=True
        )


class InstantParam(InstantField):
    """An ISO 8601 time, see InstantField."""

    def __init__(self, *, help_text: str, source: str | None = None, is_end: bool = False) -> None:
        super().__init__(help_text=help_text, source=source, is_end=is_end, required=False, allow_blank=True)


class WholeNumberParam(serializers.IntegerField):
    """A whole number in ASCII digits from `min_value` to `max_value`; an empty one is an error."""

    def __init__(
        self,
        *,
        min_value: int,
        max_value: int,
        default: int | None = None,
        help_text: str,
        source: str | None = None,
    ) -> None:
        super().__init__(
            min_value=min_value,
            max_value=max_value,
            default=empty if default is None else default,
            help_text=help_text,
            source=source,
            required=False if default is None else None,  # DRF allows it only without a default
        )
        self.lowest, self.highest = min_value, max_value
        self.error_messages["invalid"] = f"Must be a whole number from {min_value:,} to {max_value:,}."

    @override
    def to_internal_value(self, data: str) -> int:  # type: ignore[override]  # a query holds text only
        if not _WHOLE_NUMBER.fullmatch(data) or not self.lowest <= int(data) <= self.highest:
            self.fail("invalid")
        return int(data)


class NumberParam(serializers.FloatField):
    """A finite number in ASCII digits."""

    default_error_messages = {"invalid": "Must be a number.", "range": "Must be from {min_value:g} to {max_value:g}."}

    def __init__(
        self,
        *,
        min_value: float | None = None,
        max_value: float | None = None,
        help_text: str,
        source: str | None = None,
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, help_text=help_text, source=source, required=False)

    @override
    def to_internal_value(self, data: str) -> float:  # type: ignore[override]  # a query holds text only
        if not NUMBER.fullmatch(data) or not math.isfinite(float(data)):
            self.fail("invalid")
        number = float(data)
        if self.min_value is not None and self.max_value is not None and not self.min_value <= number <= self.max_value:
            self.fail("range", min_value=self.min_value, max_value=self.max_value)
        return number


class ChoiceParam(serializers.ChoiceField):
    """One of several texts; returns the member of `choices` with that value."""

    default_error_messages = {"invalid_choice": "Must be one of {choices}."}

    def __init__(
        self,
        choices: Iterable[str],
        *,
        default: str | None = None,
        help_text: str,
        source: str | None = None,
    ) -> None:
        super().__init__(
            choices=labelled_choices(choices),
            default=empty if default is None else default,
            help_text=help_text,
            source=source,
            required=False if default is None else None,
        )

    @override
    def to_internal_value(self, data: str) -> str:  # type: ignore[override]  # a query holds text only
        if data not in self.choice_strings_to_values:
            self.fail("invalid_choice", choices=", ".join(self.choice_strings_to_values))
        value: str = self.choice_strings_to_values[data]
        return value


class UUIDParam(serializers.UUIDField):
    """A public id."""

    default_error_messages = {"invalid": "Must be a UUID."}

    def __init__(self, *, help_text: str, source: str | None = None) -> None:
        super().__init__(help_text=help_text, source=source, required=False)


class PeriodParams(QueryParams):
    """`start_date` and `end_date`, both inclusive, as `start` and `end`."""

    start_date = InstantParam(
        source="start", help_text="Earliest time (ISO 8601), inclusive. UTC unless it has an offset."
    )
    end_date = InstantParam(
        source="end",
        is_end=True,
        help_text="Latest time (ISO 8601), inclusive; a date without a time includes the whole day.",
    )

    @override
    def check(self, params: Params) -> None:
        super().check(params)
        if "start" in params and "end" in params and params["end"] < params["start"]:
            raise InvalidQuery("end_date", "must not be before start_date.")


class CustomerFilterParams(QueryParams):
    """`customer_id`, as a filter of lists that span customers."""

    customer_id = UUIDParam(help_text="Only this customer.")


class FacilityUnitParams(QueryParams):
    """`facility_id` and `unit_id`, as filters."""

    facility_id = UUIDParam(help_text="Only this facility.")
    unit_id = UUIDParam(help_text="Only this storage unit.")
