"""Django's accounts, loading the signed-in person and their roles with one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection

from core.db.prepared import Prepared
from customers.models import Membership

_FIELDS = User._meta.concrete_fields
_COLUMNS = ", ".join(f"person.{field.column}" for field in _FIELDS)
# A role of a customer that requires a second factor has no effect until the person has one; no role has if the operator
# requires it of all members, the parameter. Recovery codes are no second factor.
_HAS_NO_FACTOR = """NOT EXISTS (
    SELECT 1 FROM mfa_authenticator AS factor
    WHERE factor.user_id = {user_id} AND factor.type IN ('totp', 'webauthn'))"""
_LACKS_SECOND_FACTOR = (
    f"(customer.requires_second_factor OR %s) AND {_HAS_NO_FACTOR.format(user_id='membership.user_id')}"
)
_STAFF_LACKS_SECOND_FACTOR = f"person.is_staff AND {_HAS_NO_FACTOR.format(user_id='person.id')}"
# One row per role in an active customer; one row without a role for a person who has none.
FIND_PERSON = Prepared(
    f"""
SELECT {_COLUMNS}, {_STAFF_LACKS_SECOND_FACTOR}, customer.id, membership.role, {_LACKS_SECOND_FACTOR}
FROM auth_user AS person
LEFT JOIN (membership JOIN customer ON customer.id = membership.customer_id AND customer.is_active)
    ON membership.user_id = person.id
WHERE person.id = %s ORDER BY customer.id
"""  # noqa: S608  constants only
)


FIND_ROLES = Prepared(
    f"""
SELECT membership.customer_id, membership.role, {_LACKS_SECOND_FACTOR} FROM membership
JOIN customer ON customer.id = membership.customer_id
WHERE membership.user_id = %s AND customer.is_active ORDER BY membership.customer_id
"""  # noqa: S608  constants only
)
FIND_STAFF_WITHOUT_FACTOR = Prepared(
    f"SELECT {_STAFF_LACKS_SECOND_FACTOR} FROM auth_user AS person WHERE person.id = %s"  # noqa: S608  constants only
)
_LOADED_ROLES = "_roles_by_customer"
_LACKS_FACTOR = "_staff_lacks_second_factor"


@dataclass(frozen=True, slots=True)
class Roles:
    """A person's roles by customer id, and the customers whose roles wait for a second factor."""

    effective: Mapping[int, str]
    waiting: frozenset[int]

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int | None, str, bool]]) -> Roles:
        """Return the roles of rows of customer, role, and whether a second factor is missing."""
        known = [(customer_id, role, lacks) for customer_id, role, lacks in rows if customer_id is not None]
        return cls(
            {customer_id: role for customer_id, role, lacks in known if not lacks},
            frozenset(customer_id for customer_id, _, lacks in known if lacks),
        )


def roles_of(user: User) -> Mapping[int, str]:
    """Return the user's role by customer id, for active customers. No query if `AccountBackend` loaded the user."""
    return _roles(user).effective


def role_for_tokens(user: User, customer_id: int) -> Mapping[int, str]:
    """Return the role that counts for the user's tokens by the customer's id, also if it waits for a second factor."""
    return dict(Membership.objects.filter(user=user, customer=customer_id).values_list("customer_id", "role"))


def customers_requiring_second_factor(user: User) -> frozenset[int]:
    """Return the customers of which the person is a member but has no access, lacking a second factor."""
    return _roles(user).waiting


def staff_lacks_second_factor(user: User) -> bool:
    """Return whether a person is staff but has no access as such, lacking a second factor that the operator requires.

    No query if `AccountBackend` loaded the user.
    """
    if not settings.STAFF_SECOND_FACTOR or not user.is_staff:
        return False
    loaded: bool | None = getattr(user, _LACKS_FACTOR, None)
    return any(lacks for (lacks,) in FIND_STAFF_WITHOUT_FACTOR.rows([user.pk])) if loaded is None else loaded


def _roles(user: User) -> Roles:
    loaded: Roles | None = getattr(user, _LOADED_ROLES, None)
    return Roles.of_rows(FIND_ROLES.rows([settings.MEMBER_SECOND_FACTOR, user.pk])) if loaded is None else loaded


class AccountBackend(ModelBackend):
    """Django's backend, which also loads the roles."""

    def get_user(self, user_id: int) -> User | None:
        """Return the person with this id if they may sign in, with their roles for `roles_of`."""
        rows = FIND_PERSON.rows([settings.MEMBER_SECOND_FACTOR, user_id])
        if not rows:
            return None
        user = User.from_db(connection.alias, [field.attname for field in _FIELDS], rows[0][: len(_FIELDS)])
        roles = Roles.of_rows(row[len(_FIELDS) + 1 :] for row in rows)
        setattr(user, _LOADED_ROLES, roles)
        setattr(user, _LACKS_FACTOR, rows[0][len(_FIELDS)])
        # For the notice on every page.
        is_due = bool(roles.waiting) or staff_lacks_second_factor(user)
        setattr(user, "second_factor_is_due", is_due)  # noqa: B010  not a field of Django's user
        return user if self.user_can_authenticate(user) else None
