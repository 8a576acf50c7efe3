"""The facilities visible to a principal by name: for lists of units, and as filter options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from core.db.compiled_queries import CompiledQuery
from core.scope import Scope
from customers.models import Facility

# More than a person chooses from: then the text finds them.
MAX_FACILITY_OPTIONS = 200
_CACHE_SIZE = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class FacilityName:
    """The names of a facility; cached, so the same object while they are the same."""

    facility_id: int
    public_id: str
    name: str
    facility_code: str
    customer_code: str
    customer_name: str

    def __str__(self) -> str:
        return self.name or self.facility_code


_facility_name = lru_cache(maxsize=_CACHE_SIZE)(FacilityName)


def _names(scope: Scope) -> QuerySet[Any]:
    facilities = Facility.objects.visible_to(scope).annotate(public_id_text=Cast("public_id", TextField()))
    return facilities.values_list(
        "pk", "public_id_text", "name", "facility_code", "customer__customer_code", "customer__name"
    )


_ALL_NAMES = CompiledQuery(_names, is_look_up=True)


def visible_facilities(scope: Scope) -> list[FacilityName]:
    """Return all facilities within `scope` by customer and code. One query."""
    return [_facility_name(*columns) for columns in _ALL_NAMES.visible_to(scope)]


def customers_of(facilities: Iterable[FacilityName]) -> list[tuple[str, str]]:
    """Return codes and names of the facilities' customers, by code."""
    return sorted({(each.customer_code, each.customer_name) for each in facilities})


def facility_options(facilities: Iterable[FacilityName], customer_code: str) -> list[FacilityName]:
    """Return the facilities of one customer, or of all for "", as filter options; none if there are too many."""
    found = [each for each in facilities if customer_code in ("", each.customer_code)]
    return found if len(found) <= MAX_FACILITY_OPTIONS else []


def selected_facility(facilities: Iterable[FacilityName], public_id: str) -> FacilityName | None:
    """Return the facility with this public id, None if there is none: a foreign one does not filter."""
    return next((each for each in facilities if each.public_id == public_id), None)
