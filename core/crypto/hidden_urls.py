"""URL columns with their secrets stored encrypted beside them; the columns hold what may be shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.base import ModelBase
from typing_extensions import override

from core.crypto.encrypted_field import Secret
from core.crypto.redaction import has_redacted_part

_WEB = ("https://", "http://")


class HidesUrlSecrets(models.Model):
    """A model with URLs that have “***” in place of each secret; the whole of such a URL is encrypted beside it.

    `HIDDEN_URLS` names the fields, each with what returns its URL without secrets. The whole of a field `url` is in an
    EncryptedTextField `url_secret`, and is empty if there are none.
    """

    HIDDEN_URLS: ClassVar[Mapping[str, Callable[[str], str]]] = {}

    class Meta:
        abstract = True

    @override
    def save(
        self,
        *args: object,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Save the row with the secrets in its URLs encrypted, and shown nowhere."""
        deferred = self.get_deferred_fields()
        for field in self.HIDDEN_URLS.keys() - deferred:
            self._hide_secrets_of(field)
        if update_fields is not None:
            names = {*update_fields}
            update_fields = names | {_secret_of(field) for field in self.HIDDEN_URLS if field in names}
        super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=update_fields)

    def check_hidden_urls(self) -> None:
        """Raise ValidationError for a URL with “***” that is not the stored one: its secret is lost."""
        for field in self.HIDDEN_URLS:
            if has_redacted_part(getattr(self, field)) and not self.keeps_secret_of(field):
                raise ValidationError({field: "Contains “***” in place of a secret. Enter the whole URL."})

    def whole_url(self, field: str) -> str:
        """Return a URL with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        url: str = getattr(self, field)
        if not has_redacted_part(url):
            return url
        secret: Secret = getattr(self, _secret_of(field))
        return secret.reveal()

    def keeps_secret_of(self, field: str) -> bool:
        """Return whether a URL is as it is stored, secrets hidden."""
        rows = type(self)._default_manager.filter(pk=self.pk)
        stored = rows.values_list(field, _secret_of(field)).first()
        return stored is not None and stored[0] == getattr(self, field) and bool(stored[1])

    def _hide_secrets_of(self, field: str) -> None:
        url: str = getattr(self, field)
        if has_redacted_part(url):
            return
        shown = self.HIDDEN_URLS[field](url)
        has_secrets = has_redacted_part(shown)
        setattr(self, _secret_of(field), url if has_secrets else "")
        # A fragment is not sent, and may be a secret, too. In the name of a file “#” begins none.
        if has_secrets or url.startswith(_WEB):
            setattr(self, field, shown)


def _secret_of(field: str) -> str:
    return f"{field}_secret"
