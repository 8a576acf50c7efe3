"""`manage.py reencrypt_credentials`: encrypt stored secrets under the newest key."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from typing_extensions import override

from alarms.models import Channel
from core.crypto.encrypted_field import Secret
from core.crypto.encryption import SecretUnreadable, reencrypt
from customers.models import Customer
from ingestion.models import Source

SECRET_FIELDS: tuple[tuple[type[models.Model], tuple[str, ...]], ...] = (
    (
        Source,
        (
            "credentials_secret",
            "request_headers",
            "access_token",
            "url_secret",
            "structure_url_secret",
            "token_url_secret",
            "request_body_secret",
        ),
    ),
    (Channel, ("secret", "previous_secret", "address_secret")),
    (Customer, ("api_url_secret",)),
)
# What an authenticator app and the recovery codes are computed from.
FACTOR_SECRETS = {"secret", "seed"}


class Command(BaseCommand):
    """Re-encrypts stored secrets."""

    help = "Encrypt all stored secrets under the first of SOURCE_CREDENTIALS_KEYS; then remove the other keys."

    @override
    def handle(self, *args: object, **options: object) -> None:
        unreadable = sum(self._renew(model, names) for model, names in SECRET_FIELDS) + self._renew_factors()
        if unreadable:
            raise CommandError(f"{unreadable} stored secrets could not be read; keep all secrets.")

    def _renew(self, model: type[models.Model], names: tuple[str, ...]) -> int:
        """Re-encrypt the secrets of all rows of `model`; return the number of unreadable ones."""
        renewed = unreadable = 0
        # Row by row, each locked as it is at that moment: people and polls change secrets meanwhile.
        for pk in model._default_manager.order_by("pk").values_list("pk", flat=True):
            with transaction.atomic():
                row = model._default_manager.select_for_update(no_key=True).filter(pk=pk).first()
                tokens, unread = ({}, 0) if row is None else self._tokens(row, names)
                if tokens:
                    model._default_manager.filter(pk=pk).update(**tokens)
            renewed, unreadable = renewed + len(tokens), unreadable + unread
        self.stdout.write(f"Re-encrypted the credentials of {renewed} {model._meta.verbose_name_plural}.")
        return unreadable

    def _tokens(self, row: models.Model, names: tuple[str, ...]) -> tuple[dict[str, Secret], int]:
        """Return the new secrets of a row by their names, and the number of unreadable ones."""
        tokens, unreadable = {}, 0
        for name in names:
            if secret := getattr(row, name):
                try:
                    tokens[name] = Secret(reencrypt(secret.token))
                except SecretUnreadable as error:
                    self.stderr.write(f"{row}: {error}")
                    unreadable += 1
        return tokens, unreadable

    @transaction.atomic
    def _renew_factors(self) -> int:
        """Re-encrypt the secrets of people's second factors; return the number of unreadable ones."""
        renewed = unreadable = 0
        for factor in Authenticator.objects.select_for_update():
            for name in FACTOR_SECRETS & factor.data.keys():
                try:
                    factor.data[name] = reencrypt(factor.data[name])
                except SecretUnreadable as error:
                    self.stderr.write(f"Second factor {factor.pk}: {error}")
                    unreadable += 1
                    continue
                renewed += 1
            factor.save(update_fields=["data"])
        self.stdout.write(f"Re-encrypted the secrets of {renewed} second factors.")
        return unreadable
