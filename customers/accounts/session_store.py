"""Sessions in the database, in which the secret of an authenticator app that is being added is encrypted.

django-allauth keeps it in the session from the page with the QR code until the first code is entered. After that it is
stored encrypted with the account; without this store a backup made in between would contain it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone
from typing_extensions import override

from core.crypto.encryption import SecretUnreadable, decrypt, encrypt
from core.db.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Mapping

# As allauth.mfa.totp.internal.auth names it; its modules cannot be imported before the apps are loaded.
TOTP_SECRET = "mfa.totp.secret"  # noqa: S105  the name of a secret

# Every page begins with it, and compiling it with the ORM costs several times as much as running it.
FIND_SESSION = Prepared("SELECT session_data FROM django_session WHERE session_key = %s AND expire_date > %s")


class SessionStore(DatabaseStore):
    """A session with the secret encrypted in its row."""

    @override
    def load(self) -> dict[str, object]:
        rows = FIND_SESSION.rows([self.session_key, timezone.now()])
        if not rows:
            self._session_key = None
            return {}
        return self.decode(rows[0][0])

    @override
    def encode(self, session_dict: Mapping[str, object]) -> str:
        secret = session_dict.get(TOTP_SECRET)
        stored = {**session_dict, TOTP_SECRET: encrypt(str(secret))} if secret else {**session_dict}
        encoded: str = super().encode(stored)
        return encoded

    @override
    def decode(self, session_data: bytes | str) -> dict[str, object]:
        session: dict[str, object] = super().decode(session_data)
        if TOTP_SECRET in session:
            try:
                session[TOTP_SECRET] = decrypt(str(session[TOTP_SECRET]))
            except SecretUnreadable:
                # The key has been replaced meanwhile: the page makes another secret.
                del session[TOTP_SECRET]
        return session
