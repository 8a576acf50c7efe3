"""The facilities that a caller may see, by name: what their units are listed with, and what a page is narrowed by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from core.db.compiled_queries import RememberedQuery
from core.scope import Scope
from customers.models import Facility

# More than a person chooses from: then the text finds them.
MOST_FACILITIES = 200
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class FacilityName:
    """What people call a facility; the same object for as long as it is the same."""

    facility_id: int
    public_id: str
    name: str
    facility_code: str
    customer_code: str
    customer_name: str

    def __str__(self) -> str:
        return self.name or self.facility_code


_facility_name = lru_cache(maxsize=_REMEMBERED)(FacilityName)


def _names(scope: Scope) -> QuerySet[Any]:
    facilities = Facility.objects.visible_to(scope).annotate(public_id_text=Cast("public_id", TextField()))
    return facilities.values_list(
        "pk", "public_id_text", "name", "facility_code", "customer__customer_code", "customer__name"
    )


_ALL_NAMES = RememberedQuery(_names, is_look_up=True)


def visible_facilities(scope: Scope) -> list[FacilityName]:
    """All facilities within `scope`, by customer and code. One query."""
    return [_facility_name(*columns) for columns in _ALL_NAMES.visible_to(scope)]


def customers_of(facilities: Iterable[FacilityName]) -> list[tuple[str, str]]:
    """Codes and names of the facilities' customers, by code."""
    return sorted({(each.customer_code, each.customer_name) for each in facilities})


def facilities_to_choose(facilities: Iterable[FacilityName], customer_code: str) -> list[FacilityName]:
    """Those of one customer or ("") of all; none where there are too many to choose from."""
    found = [each for each in facilities if customer_code in ("", each.customer_code)]
    return found if len(found) <= MOST_FACILITIES else []


def chosen_of(facilities: Iterable[FacilityName], public_id: str) -> FacilityName | None:
    """The one of this public id; None where there is none, so that a foreign one narrows nothing."""
    return next((each for each in facilities if each.public_id == public_id), None)
