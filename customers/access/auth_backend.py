"""Django's accounts, loading the signed-in person and their roles with one statement."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db import connection

from core.db.prepared import Prepared

_FIELDS = User._meta.concrete_fields
_COLUMNS = ", ".join(f"person.{field.column}" for field in _FIELDS)
# One row per role in an active customer; one row without a role for a person who has none.
FIND_PERSON = Prepared(
    f"""
SELECT {_COLUMNS}, customer.id, membership.role
FROM auth_user AS person
LEFT JOIN (membership JOIN customer ON customer.id = membership.customer_id AND customer.is_active)
    ON membership.user_id = person.id
WHERE person.id = %s ORDER BY customer.id
"""  # noqa: S608  constants only
)


FIND_ROLES = Prepared("""
SELECT membership.customer_id, membership.role FROM membership
JOIN customer ON customer.id = membership.customer_id
WHERE membership.user_id = %s AND customer.is_active ORDER BY membership.customer_id
""")
_LOADED_ROLES = "_roles_by_customer"


def roles_of(user: User) -> Mapping[int, str]:
    """Return the user's role by customer id, for active customers. No query if `AccountBackend` loaded the user."""
    loaded: Mapping[int, str] | None = getattr(user, _LOADED_ROLES, None)
    return dict(FIND_ROLES.rows([user.pk])) if loaded is None else loaded


class AccountBackend(ModelBackend):
    """Django's backend, which also loads the roles."""

    def get_user(self, user_id: int) -> User | None:
        """Return the person with this id if they may sign in, with their roles for `roles_of`."""
        rows = FIND_PERSON.rows([user_id])
        if not rows:
            return None
        user = User.from_db(connection.alias, [field.attname for field in _FIELDS], rows[0][: len(_FIELDS)])
        setattr(user, _LOADED_ROLES, {customer_id: role for *_, customer_id, role in rows if customer_id is not None})
        return user if self.user_can_authenticate(user) else None
