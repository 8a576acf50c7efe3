"""`manage.py reencrypt_credentials`: encrypt sources' credentials under the newest secret."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.models import Source
from trust.encrypted_field import Secret
from trust.encryption import SecretUnreadable, reencrypt


class Command(BaseCommand):
    help = "Encrypts all sources' credentials under the first of SOURCE_CREDENTIALS_KEYS; the others can go then."

    def handle(self, *args: Any, **options: Any) -> None:
        renewed, unreadable = 0, []
        for source in Source.objects.select_related("customer"):
            if not source.credentials_secret:
                continue
            try:
                token = reencrypt(source.credentials_secret.token)
            except SecretUnreadable as error:
                self.stderr.write(f"{source}: {error}")
                unreadable.append(source)
                continue
            Source.objects.filter(pk=source.pk).update(credentials_secret=Secret(token))
            renewed += 1
        self.stdout.write(f"Encrypted the credentials of {renewed} sources under the first secret.")
        if unreadable:
            raise CommandError(f"The credentials of {len(unreadable)} sources could not be read; keep all secrets.")
