"""The facilities visible to a principal by name: for lists of units, and as filter options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.scope import Scope
from customers.models import Facility

# A longer menu would be unusable; the text filter finds facilities instead.
MAX_FACILITY_OPTIONS = 200


@dataclass(frozen=True, slots=True)
class FacilityName:
    """The names of a facility and its customer."""

    facility_id: int
    public_id: str
    name: str
    facility_code: str
    customer_code: str
    customer_name: str

    def __str__(self) -> str:
        return self.name or self.facility_code

    @property
    def customer_label(self) -> str:
        """The customer as filters name it."""
        return f"{self.customer_code} · {self.customer_name}"


def visible_facilities(scope: Scope) -> list[FacilityName]:
    """Return all facilities within `scope` by customer and code. One query."""
    columns = ("pk", "public_id", "name", "facility_code", "customer__customer_code", "customer__name")
    rows = Facility.objects.visible_to(scope).values_list(*columns)
    return [FacilityName(pk, str(public_id), *names) for pk, public_id, *names in rows]


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
