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
        for row in model._default_manager.all():
            for name in names:
                secret = getattr(row, name)
                if not secret:
                    continue
                try:
                    token = reencrypt(secret.token)
                except SecretUnreadable as error:
                    self.stderr.write(f"{row}: {error}")
                    unreadable += 1
                    continue
                model._default_manager.filter(pk=row.pk).update(**{name: Secret(token)})
                renewed += 1
        self.stdout.write(f"Re-encrypted the credentials of {renewed} {model._meta.verbose_name_plural}.")
        return unreadable

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
