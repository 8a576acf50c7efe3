"""Sessions in the database, as Django keeps them, found by a statement of ours.

Every page looks its session up, and to build the look-up takes the ORM longer than it takes PostgreSQL to answer it.
"""

from __future__ import annotations

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

FIND_SESSION = "SELECT * FROM django_session WHERE session_key = %s AND expire_date > %s"


class SessionStore(db.SessionStore):
    """Django's."""

    def _get_session_from_db(self) -> Session | None:
        """The row of a session that has not expired; the key of any other is forgotten, as Django does."""
        found = next(iter(Session.objects.raw(FIND_SESSION, [self.session_key, timezone.now()])), None)
        if found is None:
            self._session_key = None
        return found
