"""Replacing the secret that encrypts sources' credentials."""

from __future__ import annotations

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.management import CommandError, call_command
from pytest_django import Settings

from core.crypto.encryption import SecretUnreadable, decrypt, reencrypt
from ingestion.management.commands import reencrypt_credentials
from ingestion.models import Source
from tests.alarm_factories import WebhookChannelFactory
from tests.factories import SourceFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_reencrypting_makes_the_old_secret_unnecessary(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["the old secret"]
    SourceFactory(credentials_kind="bearer", credentials_secret="open sesame")
    SourceFactory()

    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret", "the old secret"]
    call_command("reencrypt_credentials")

    assert "credentials of 1 sources" in capsys.readouterr().out
    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret"]
    assert Source.objects.get(credentials_kind="bearer").credentials.secret == "open sesame"


def test_channel_secrets_are_reencrypted_as_well(settings: Settings) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["the old secret"]
    channel = WebhookChannelFactory(previous_secret="the one before")
    secret = channel.secret.reveal()

    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret", "the old secret"]
    call_command("reencrypt_credentials")

    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret"]
    channel.refresh_from_db()
    assert (channel.secret.reveal(), channel.previous_secret.reveal()) == (secret, "the one before")


def test_secrets_of_second_factors_are_reencrypted_as_well(settings: Settings) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["the old secret"]
    totp, codes = TOTP.activate(UserFactory(), "ABCDEF"), RecoveryCodes.activate(UserFactory())
    unused = codes.get_unused_codes()

    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret", "the old secret"]
    call_command("reencrypt_credentials")

    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret"]
    for factor in (totp.instance, codes.instance):
        factor.refresh_from_db()
    assert decrypt(totp.instance.data["secret"]) == "ABCDEF"
    assert codes.get_unused_codes() == unused


def test_a_secret_that_is_changed_meanwhile_is_kept(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command runs while people change credentials, and polls renew access tokens."""
    settings.SOURCE_CREDENTIALS_KEYS = ["the old secret"]
    SourceFactory(credentials_kind="bearer", credentials_secret="open sesame")
    other = SourceFactory(credentials_kind="bearer", credentials_secret="expired")
    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret", "the old secret"]

    def change_the_other_and_reencrypt(token: str) -> str:
        if Source.objects.get(pk=other.pk).credentials.secret == "expired":
            Source.objects.filter(pk=other.pk).update(credentials_secret="renewed")
        return reencrypt(token)

    monkeypatch.setattr(reencrypt_credentials, "reencrypt", change_the_other_and_reencrypt)
    call_command("reencrypt_credentials")

    assert Source.objects.get(pk=other.pk).credentials.secret == "renewed"


def test_unreadable_secrets_are_reported_and_unchanged(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["the lost secret"]
    source = SourceFactory(credentials_kind="bearer", credentials_secret="open sesame")
    token = source.credentials_secret.token

    settings.SOURCE_CREDENTIALS_KEYS = ["the new secret"]
    with pytest.raises(CommandError, match="keep all secrets"):
        call_command("reencrypt_credentials")

    assert source.name in capsys.readouterr().err
    source.refresh_from_db()
    assert source.credentials_secret.token == token
    with pytest.raises(SecretUnreadable):
        source.credentials_secret.reveal()
