"""The members of a customer: changing roles, removing. A customer always keeps a manager.

People become members by accepting an invitation, see `customers.accounts.invitations`.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.db.models import QuerySet

from customers.models import Customer, Membership

logger = structlog.get_logger(__name__)


class LastManager(Exception):  # noqa: N818 - reads better where it is caught
    """The change would leave the customer without a manager."""


def members_of(customer: Customer) -> QuerySet[Membership]:
    """Return the customer's memberships with their people, by role and name."""
    found: QuerySet[Membership] = Membership.objects.filter(customer=customer).select_related("user")
    return found.order_by("role", "user__username")


class ChangedMeanwhile(Exception):  # noqa: N818 - reads better where it is caught
    """Somebody else changed the member's role since it was shown."""


@transaction.atomic
def change_role(membership: Membership, role: str, *, by: str, shown: str | None = None) -> None:
    """Change the member's role, as it was `shown`. Raise LastManager or ChangedMeanwhile."""
    locked = _lock_and_check(membership, stays_manager=role == Membership.Role.MANAGER)
    present = locked.get(membership.pk)
    if present is None:
        raise ChangedMeanwhile("Somebody else removed the member meanwhile.")
    if shown not in (None, present):
        raise ChangedMeanwhile(f"Changed meanwhile by somebody else, now stored: {present}. Change it again if needed.")
    membership.role = role
    membership.save(update_fields=["role"])
    logger.info("role changed", membership=membership.pk, role=role, by=by)


@transaction.atomic
def remove(membership: Membership, *, by: str) -> None:
    """Remove the member; the account remains. Raise LastManager."""
    _lock_and_check(membership, stays_manager=False)
    Membership.objects.filter(pk=membership.pk).delete()
    logger.info("member removed", membership=membership.pk, user_id=membership.user_id, by=by)


def _lock_and_check(membership: Membership, *, stays_manager: bool) -> dict[int, str]:
    """Lock all members, since two managers may demote each other, and return their roles by id.

    Raise LastManager if nobody else manages.
    """
    members = Membership.objects.filter(customer_id=membership.customer_id).select_related("user")
    locked = list(members.select_for_update(of=("self",)).order_by("pk"))
    managers = {each.pk for each in locked if each.role == Membership.Role.MANAGER and each.user.is_active}
    if not stays_manager and managers == {membership.pk}:
        raise LastManager("A customer needs a manager. Make someone else a manager first.")
    return {each.pk: each.role for each in locked}
