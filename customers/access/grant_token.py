"""Granting tokens: nobody can grant more than they have.

Limits that the creator leaves out are the creator's own: a token created with one that is limited to units, a rate or a
time has the same limits. It belongs to the person who created the first of them, whose rights cap it at every request,
and is revoked together with the token it was created with.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from rest_framework.exceptions import PermissionDenied, ValidationError

from customers.access.principal import Principal
from customers.access.tokens import create_token
from customers.models import ApiToken, Customer, StorageUnit

Limit = TypeVar("Limit", int, datetime)


@transaction.atomic
def grant_token(
    principal: Principal,
    customer: Customer,
    *,
    token_name: str,
    permissions: Collection[str],
    unit_ids: Collection[UUID] = (),
    source_public_id: UUID | None = None,
    rate_limit_per_hour: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Create a token of `customer` for `principal`; return its row and its text.

    Raise PermissionDenied for more than the principal has, ValidationError for units outside its scope.
    """
    # Whoever manages a source decides what it is fed with anyway.
    missing = [] if source_public_id else sorted(set(permissions) - principal.grantable)
    if missing:
        raise PermissionDenied(f"You cannot grant a permission you lack: {', '.join(missing)}.")
    parent = _parent(principal)
    own_rate = None if parent is None else parent.rate_limit_per_hour
    own_expiry = None if parent is None else parent.expires_at
    return create_token(
        customer,
        token_name,
        permissions,
        units=_units(principal, customer, unit_ids),
        source_public_id=source_public_id,
        created_by=principal.user if parent is None else parent.created_by,
        created_by_token=parent,
        rate_limit_per_hour=_within(own_rate, rate_limit_per_hour, "rate_limit_per_hour"),
        expires_at=_within(own_expiry, expires_at, "expires_at"),
    )


def _parent(principal: Principal) -> ApiToken | None:
    """Return the token of the principal, locked so that it cannot be revoked or narrowed without the new one."""
    if principal.token_id is None:
        return None
    parent: ApiToken = ApiToken.objects.select_for_update().get(pk=principal.token_id)
    if parent.revoked_at is not None:
        raise PermissionDenied("The token has been revoked.")
    unit_ids = list(parent.accessible_units.values_list("pk", flat=True)) if parent.is_limited_to_units else None
    now = Principal.of_token(parent.pk, parent.customer_id, parent.permissions, unit_ids)
    if (now.permissions, now.reach) != (principal.permissions, principal.reach):
        raise PermissionDenied("The token was changed meanwhile. Send the request again.")
    return parent


def _units(principal: Principal, customer: Customer, unit_ids: Collection[UUID]) -> list[StorageUnit]:
    reached = StorageUnit.objects.visible_to(principal.scope).filter(facility__customer=customer)
    if not unit_ids:
        return _all_units(principal, list(reached.select_related("facility")))
    units = list(reached.filter(public_id__in=unit_ids).select_related("facility"))
    unknown = set(unit_ids) - {unit.public_id for unit in units}
    if unknown:
        raise ValidationError({"accessible_units": [f"There is no storage unit {each}." for each in sorted(unknown)]})
    return units


def _all_units(principal: Principal, reached: list[StorageUnit]) -> list[StorageUnit]:
    """Return the units that “all units” means: none listed for a principal without limit, else the principal's list."""
    if principal.scope.unit_ids is None:
        return []
    if not reached:
        raise PermissionDenied("A token that sees no unit of this customer cannot grant any.")
    return reached


def _within(own: Limit | None, wanted: Limit | None, name: str) -> Limit | None:
    """Return the limit of a new token. Raise PermissionDenied if it exceeds its creator's own."""
    if wanted is None or own is None:
        return own if wanted is None else wanted
    if wanted > own:
        raise PermissionDenied(f"{name} cannot exceed the creator's own, {own}.")
    return wanted
