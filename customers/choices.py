"""What a person narrows a page by: customers and facilities that the caller may see."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from customers.models import Facility
from customers.remembered import RememberedQuery
from customers.scope import Scope

# More than a person chooses from: then the text finds them.
MOST_FACILITIES = 200


class FacilityChoice(NamedTuple):
    """A facility by what people call it."""

    public_id: UUID
    name: str

    def __str__(self) -> str:
        return self.name


def _facilities(scope: Scope) -> QuerySet[Any]:
    return Facility.objects.within(scope).values_list("public_id", "name", "facility_code")


_ALL_FACILITIES = RememberedQuery(_facilities, is_look_up=True)


def facilities_to_choose(scope: Scope, customer_code: str) -> list[FacilityChoice]:
    """The facilities to choose from, of one customer or ("") of all; none where there are too many."""
    found: Any = _ALL_FACILITIES.within(scope)
    if customer_code:
        found = _facilities(scope).filter(customer__customer_code=customer_code)
    rows = found[0 : MOST_FACILITIES + 1]
    return (
        [FacilityChoice(public_id, name or code) for public_id, name, code in rows]
        if len(rows) <= MOST_FACILITIES
        else []
    )
