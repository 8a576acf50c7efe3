"""Secrets encrypted at rest."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from core.crypto.encryption import SecretUnreadable, decrypt, encrypt, reencrypt


@pytest.fixture(autouse=True)
def _one_key(settings: Settings) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["first secret"]
    settings.SECRET_KEY_FALLBACKS = []


def test_decrypting_restores_the_text() -> None:
    assert decrypt(encrypt("pä$$wörd\n°C")) == "pä$$wörd\n°C"


def test_every_token_is_different_and_hides_the_text() -> None:
    one, other = encrypt("hunter2hunter2"), encrypt("hunter2hunter2")

    assert one != other
    assert "hunter2" not in one + other


def test_older_secrets_still_decrypt(settings: Settings) -> None:
    token = encrypt("password")

    settings.SOURCE_CREDENTIALS_KEYS = ["second secret", "first secret"]

    assert decrypt(token) == "password"


def test_a_reencrypted_token_no_longer_needs_the_old_secret(settings: Settings) -> None:
    token = encrypt("password")
    settings.SOURCE_CREDENTIALS_KEYS = ["second secret", "first secret"]

    renewed = reencrypt(token)

    settings.SOURCE_CREDENTIALS_KEYS = ["second secret"]
    assert decrypt(renewed) == "password"
    with pytest.raises(SecretUnreadable):
        decrypt(token)


def test_without_own_keys_the_secret_key_and_its_fallbacks_are_used(settings: Settings) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = []
    settings.SECRET_KEY = "old site secret"
    token = encrypt("password")

    settings.SECRET_KEY = "new site secret"
    with pytest.raises(SecretUnreadable):
        decrypt(token)
    settings.SECRET_KEY_FALLBACKS = ["old site secret"]
    assert decrypt(token) == "password"


@pytest.mark.parametrize(
    "token", ["", "damaged", "gAAAAA", "ümlaut", Fernet(Fernet.generate_key()).encrypt(b"x").decode()]
)
def test_an_unreadable_token_raises_an_error_that_says_what_to_do(token: str) -> None:
    with pytest.raises(SecretUnreadable, match=r"SOURCE_CREDENTIALS_KEYS.*enter the credentials again"):
        decrypt(token)
    with pytest.raises(SecretUnreadable):
        reencrypt(token)
