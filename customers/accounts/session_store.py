"""Sessions in the database, in which the secret of an authenticator app that is being added is encrypted.

django-allauth keeps it in the session from the page with the QR code until the first code is entered. After that it is
stored encrypted with the account; without this store a backup made in between would contain it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from typing_extensions import override

from core.crypto.encryption import SecretUnreadable, decrypt, encrypt

if TYPE_CHECKING:
    from collections.abc import Mapping

# As allauth.mfa.totp.internal.auth names it; its modules cannot be imported before the apps are loaded.
TOTP_SECRET = "mfa.totp.secret"  # noqa: S105  the name of a secret


class SessionStore(DatabaseStore):
    """A session with the secret encrypted in its row."""

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
