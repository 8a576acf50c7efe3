"""Django's database sessions, loaded with a prepared statement.

Every page looks its session up, and to build the look-up takes the ORM longer than it takes PostgreSQL to answer it.
"""

from __future__ import annotations

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from core.db.prepared import Prepared

FIND_SESSION = Prepared(
    "SELECT session_key, session_data, expire_date FROM django_session WHERE session_key = %s AND expire_date > %s"
)


class SessionStore(db.SessionStore):
    """Django's session store, with a prepared lookup."""

    def _get_session_from_db(self) -> Session | None:
        """Return the row of a valid session; forget the key of any other, as Django does."""
        found = FIND_SESSION.rows([self.session_key, timezone.now()])
        if not found:
            self._session_key = None
            return None
        key, data, expires_at = found[0]
        return Session(session_key=key, session_data=data, expire_date=expires_at)
