"""The principal of a request: a person or a token, with what they may see and do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from django.contrib.auth.models import User
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from core.scope import Scope
from customers.access.actions import ACTIONS, ALL_PERMISSIONS, PUSH_TO_SOURCE, Action, Permission
from customers.access.auth_backend import role_for_tokens, roles_of, staff_lacks_second_factor

NOTHING = Scope.nothing()


@dataclass(frozen=True, slots=True)
class Rights:
    """What a person may do: by role in each customer, and by Django's model permissions in every one if they are staff.

    model_permissions: empty for everybody but staff; None means all, for a superuser.
    """

    roles: Mapping[int, str]
    model_permissions: frozenset[str] | None = frozenset()

    def scope_of(self, action: Action) -> Scope:
        """Return the customers for which the person may do it."""
        if self.model_permissions is None or action.model_permission in self.model_permissions:
            return Scope.everything()
        return Scope(frozenset(customer for customer, role in self.roles.items() if action.is_permitted_to(role)))

    @classmethod
    def of_user(cls, user: User) -> Self:
        """Return the rights of an account. Two queries for staff who are not superusers."""
        return cls._of_account(user, roles_of)

    @classmethod
    def of_creator(cls, user: User, customer_id: int) -> Self:
        """Return the rights for one customer of the person who created a token.

        Roles that wait for a second factor count: it is required of people who sign in, not of their tokens.
        """
        return cls._of_account(user, lambda creator: role_for_tokens(creator, customer_id))

    @classmethod
    def _of_account(cls, user: User, find_roles: Callable[[User], Mapping[int, str]]) -> Self:
        if not user.is_active:
            return cls({})
        if not user.is_staff:
            return cls(find_roles(user))
        return cls(find_roles(user), None if user.is_superuser else frozenset(user.get_all_permissions()))

    @property
    def is_none(self) -> bool:
        """Whether the person may do nothing at all."""
        return not self.roles and self.model_permissions == frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A signed-in person, or a token, and what either may do.

    rights: of the person, or of the person who created the token; None for a token that no account created.
    permissions: of the token; a person has all, within their rights.
    reach: what a token can address at most; everything for a person.
    customer_id: the only customer the principal belongs to; None for staff and for members of several.
    source_public_id: the only source that a token may push to, and nothing else; None without this limit.
    action: what the current request does; scope: for what it may do that, nothing until the request is checked.
    """

    rights: Rights | None
    permissions: frozenset[Permission]
    reach: Scope
    customer_id: int | None
    token_id: int | None = None
    source_public_id: UUID | None = None
    user: User | None = None
    action: Action | None = None
    scope: Scope = NOTHING

    def scope_of(self, action: Action) -> Scope:
        """Return for which customers and units the principal may do it; `Scope.nothing()` if it may not."""
        is_carried = self.user is not None if action.permission is None else action.permission in self.permissions
        if self.source_public_id is not None and action is not PUSH_TO_SOURCE:
            return NOTHING
        if not is_carried or (action.spans_units and self.reach.unit_ids is not None):
            return NOTHING
        return self.reach if self.rights is None else self.rights.scope_of(action).intersection(self.reach)

    def may(self, action: Action, customer_id: int) -> bool:
        """Return whether the principal may do it for all of this customer; never if limited to some units."""
        return self.scope_of(action).holds_all_of(customer_id)

    def for_action(self, action: Action) -> Self:
        """Return the principal as of a request that does this."""
        return replace(self, action=action, scope=self.scope_of(action))

    @property
    def own_scope(self) -> Scope:
        """What collections without an id (`/facilities`) contain; `/admin/...` collections use `scope`."""
        if self.token_id is None or self.customer_id is None:
            return self.scope
        return self.scope.intersection(Scope.of_customer(self.customer_id))

    @property
    def grantable(self) -> frozenset[Permission]:
        """The permissions that the principal can give to a token: those it can use for anything."""
        usable = {action.permission for action in ACTIONS if not self.scope_of(action).is_empty}
        return frozenset(permission for permission in usable if permission is not None)

    @property
    def name(self) -> str:
        """The name under which decisions are recorded."""
        return self.user.get_username() if self.user else f"token {self.token_id}"

    @classmethod
    def of_token(
        cls,
        token_id: int,
        customer_id: int,
        permissions: Collection[str],
        unit_ids: Collection[int] | None = None,
        creator: Rights | None = None,
        source_public_id: UUID | None = None,
    ) -> Self:
        """Return the principal of a token. `unit_ids`: the only units it may see; None means all."""
        units = None if unit_ids is None else frozenset(unit_ids)
        is_admin = Permission.ADMIN in permissions
        return cls(
            rights=creator,
            permissions=ALL_PERMISSIONS if is_admin else frozenset(map(Permission, permissions)),
            reach=Scope(None if is_admin else frozenset({customer_id}), units),
            customer_id=customer_id,
            token_id=token_id,
            source_public_id=source_public_id,
        )

    @classmethod
    def of_user(cls, user: User) -> Self:
        """Return the principal of a signed-in person."""
        rights = Rights.of_user(user)
        if staff_lacks_second_factor(user):
            rights = replace(rights, model_permissions=frozenset())
        is_of_one_customer = len(rights.roles) == 1 and not user.is_staff
        return cls(
            rights=rights,
            permissions=ALL_PERMISSIONS,
            reach=Scope.everything(),
            customer_id=next(iter(rights.roles)) if is_of_one_customer else None,
            user=user,
        )


def principal_of(request: Request) -> Principal:
    """Return who sent this request. Raise NotAuthenticated (401) if unknown."""
    if isinstance(request.auth, Principal):
        return request.auth
    raise NotAuthenticated
