"""Encryption at rest of secrets that must be readable again, such as passwords and signing keys.

Uses Fernet (AES-128-CBC with HMAC-SHA256) with keys derived from the secrets in `SOURCE_CREDENTIALS_KEYS`. The first
secret encrypts, and all of them decrypt. To replace a secret, put a new one first, run `manage.py
reencrypt_credentials`, and remove the old one.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_KEY_PURPOSE = b"temperature-monitoring-system source credentials v1"


class SecretUnreadable(Exception):  # noqa: N818 - a state of the configuration; the message says what to do
    """A stored secret was encrypted with a key that is no longer configured, or is damaged."""

    def __init__(self) -> None:
        super().__init__(
            "The stored credentials cannot be read with any secret in SOURCE_CREDENTIALS_KEYS. "
            "Add the secret that was in use when they were stored, or enter the credentials again."
        )


def encrypt(plain: str) -> str:
    """Encrypt a text with the first secret. Every call returns a different token."""
    return _cipher().encrypt(plain.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Return the decrypted text. Raise SecretUnreadable."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        raise SecretUnreadable from None


def reencrypt(token: str) -> str:
    """Encrypt the same text with the first secret. Raise SecretUnreadable."""
    try:
        return _cipher().rotate(token.encode()).decode("ascii")
    except InvalidToken:
        raise SecretUnreadable from None


def _cipher() -> MultiFernet:
    secrets = settings.SOURCE_CREDENTIALS_KEYS or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return _cipher_of(tuple(secrets))


@lru_cache(maxsize=4)
def _cipher_of(secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_key_of(secret)) for secret in secrets])


def _key_of(secret: str) -> bytes:
    # A salt would have to be stored with every token. The purpose separates this key from others derived from the
    # secret.
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_PURPOSE)
    return urlsafe_b64encode(derivation.derive(secret.encode()))
