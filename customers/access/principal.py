"""The principal of a request: a person or a token, with what they may see and do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import User
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from core.scope import Scope
from customers.access.auth_backend import roles_of
from customers.models import Membership


class Permission(StrEnum):
    """The permissions of a token; `write` does not imply `read`, `admin` implies both."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


ALL_PERMISSIONS = frozenset(Permission)
_WRITING_ROLES = (Membership.Role.OPERATOR, Membership.Role.MANAGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A token's or a signed-in person's rights.

    scope: what may be addressed by id and read. write_scope: what may be addressed by id and changed.
    own_scope: what collections without an id (`/facilities`) contain; `/admin/...` collections use `scope`.
    manage_scope: whose settings, tokens and people may be changed.
    customer_id: the only customer the principal belongs to; None for staff and for members of several.
    """

    permissions: frozenset[Permission]
    scope: Scope
    write_scope: Scope
    own_scope: Scope
    manage_scope: Scope
    customer_id: int | None
    token_id: int | None = None
    user: User | None = None

    def may(self, needed: Permission) -> bool:
        """Return whether the principal has this permission."""
        return needed in self.permissions

    @property
    def name(self) -> str:
        """The name under which decisions are recorded."""
        return self.user.get_username() if self.user else f"token {self.token_id}"

    def may_operate(self, customer_id: int) -> bool:
        """Return whether the principal may acknowledge alarms and resolve rows of this customer."""
        return self.may(Permission.WRITE) and self.write_scope.holds_all_of(customer_id)

    def may_manage(self, customer_id: int) -> bool:
        """Return whether the principal may change this customer's settings."""
        return self.manage_scope.holds_all_of(customer_id)

    @classmethod
    def of_token(
        cls, token_id: int, customer_id: int, permissions: list[str], unit_ids: list[int] | None = None
    ) -> Principal:
        """Return the principal of a token. `unit_ids`: the only units it may see; None means all."""
        units = None if unit_ids is None else frozenset(unit_ids)
        own = Scope(frozenset({customer_id}), units)
        is_admin = Permission.ADMIN in permissions
        reach = Scope(None, units) if is_admin else own
        return cls(
            permissions=ALL_PERMISSIONS if is_admin else frozenset(map(Permission, permissions)),
            scope=reach,
            write_scope=reach,
            own_scope=own,
            # A principal limited to some units must not create a token for all of them.
            manage_scope=reach if units is None and (is_admin or Permission.WRITE in permissions) else Scope.nothing(),
            customer_id=customer_id,
            token_id=token_id,
        )

    @classmethod
    def of_user(cls, user: User) -> Principal:
        """Staff are admin and reach every customer; others have what their roles in active customers give."""
        if user.is_staff:
            everything = Scope.everything()
            return cls(
                permissions=ALL_PERMISSIONS,
                scope=everything,
                write_scope=everything,
                own_scope=everything,
                manage_scope=everything,
                customer_id=None,
                user=user,
            )
        roles = roles_of(user)
        writable = frozenset(customer_id for customer_id, role in roles.items() if role in _WRITING_ROLES)
        managed = frozenset(customer_id for customer_id, role in roles.items() if role == Membership.Role.MANAGER)
        permissions = {Permission.READ} if roles else set()
        scope = Scope(frozenset(roles))
        return cls(
            permissions=frozenset(permissions | ({Permission.WRITE} if writable else set())),
            scope=scope,
            write_scope=Scope(writable),
            own_scope=scope,
            manage_scope=Scope(managed),
            customer_id=next(iter(roles)) if len(roles) == 1 else None,
            user=user,
        )


def principal_of(request: Request) -> Principal:
    """Return who sent this request. Raise NotAuthenticated (401) if unknown."""
    if isinstance(request.auth, Principal):
        return request.auth
    raise NotAuthenticated
