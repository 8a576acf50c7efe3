"""What a person narrows a page by: customers and facilities that the caller may see."""

from __future__ import annotations

from customers.models import Facility
from customers.scope import Scope

# More than a person chooses from: then the text finds them.
MOST_FACILITIES = 200


def facilities_to_choose(scope: Scope, customer_code: str) -> list[Facility]:
    """The facilities to choose from, of one customer or ("") of all; none where there are too many."""
    facilities = Facility.objects.within(scope).only("public_id", "name", "facility_code")
    if customer_code:
        facilities = facilities.filter(customer__customer_code=customer_code)
    found = list(facilities[: MOST_FACILITIES + 1])
    return found if len(found) <= MOST_FACILITIES else []
