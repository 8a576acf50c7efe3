"""What a token loses, those created with it lose as well, and so on: nobody keeps by a detour what was taken away.

The rights of the person who created a token cap it at every request, see `customers.access.authentication`; that is not
possible for what another token granted, without a query for each of its ancestors. So it is taken away once, when a
person changes a token. Nothing is given back when the token gets more again.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver

from customers.access.actions import Permission
from customers.access.tokens import revoke
from customers.models import ApiToken

_CHANGED = ("post_add", "post_remove", "post_clear")


@receiver(post_save, sender=ApiToken)
def narrow_after_saving(instance: ApiToken, created: bool, **_: object) -> None:
    """Narrow the tokens created with one that was changed."""
    if not created:
        narrow_created_with(instance.pk)


@receiver(m2m_changed, sender=ApiToken.accessible_units.through)
def narrow_after_change_of_units(instance: ApiToken, action: str, reverse: bool, **_: Any) -> None:
    """Narrow the tokens created with one whose units were changed."""
    if action in _CHANGED and not reverse:
        narrow_created_with(instance.pk)


@transaction.atomic
def narrow_created_with(token_id: int) -> None:
    """Limit the tokens created with this one to what it has; revoke those that have nothing left.

    Saving a narrowed token narrows those created with it in turn.
    """
    # A token is granted while the one that grants it is locked: from now on none, or with what is stored now.
    parent = ApiToken.objects.select_for_update(no_key=True).get(pk=token_id)
    created = ApiToken.objects.filter(created_by_token=parent, revoked_at=None).order_by("pk")
    for token in created.select_for_update(no_key=True):
        _narrow(token, parent)


def _narrow(token: ApiToken, parent: ApiToken) -> None:
    permissions, unit_ids = _permissions_left(token, parent), _units_left(token, parent)
    is_elsewhere = token.customer_id != parent.customer_id and Permission.ADMIN not in parent.permissions
    if is_elsewhere or not permissions or (unit_ids is not None and not unit_ids):
        revoke(ApiToken.objects.filter(pk=token.pk))
        return
    before = (token.permissions, token.rate_limit_per_hour, token.expires_at)
    token.permissions = permissions
    token.rate_limit_per_hour = _least(token.rate_limit_per_hour, parent.rate_limit_per_hour)
    token.expires_at = _least(token.expires_at, parent.expires_at)
    if (token.permissions, token.rate_limit_per_hour, token.expires_at) != before:
        token.save(update_fields=["permissions", "rate_limit_per_hour", "expires_at"])
    if unit_ids is not None:
        token.accessible_units.set(unit_ids)


def _permissions_left(token: ApiToken, parent: ApiToken) -> list[str]:
    if Permission.ADMIN in parent.permissions:
        return list(token.permissions)
    # Whoever manages a source may let others push to it, see `customers.access.grant_token`.
    if token.source_public_id is not None and Permission.MANAGE in parent.permissions:
        return list(token.permissions)
    return sorted(set(token.permissions) & set(parent.permissions))


def _units_left(token: ApiToken, parent: ApiToken) -> set[int] | None:
    """Return the ids of the units that the token may still see, None for all."""
    if not parent.is_limited_to_units:
        return None
    of_parent = set(parent.accessible_units.values_list("pk", flat=True))
    if not token.is_limited_to_units:
        return of_parent
    return of_parent & set(token.accessible_units.values_list("pk", flat=True))


def _least(own: Any, of_parent: Any) -> Any:
    """Return the stricter of two limits, of which None is none."""
    return min((limit for limit in (own, of_parent) if limit is not None), default=None)
