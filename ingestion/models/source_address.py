"""The addresses of a source. Their secrets are stored encrypted; the columns hold what may be shown."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.base import ModelBase
from typing_extensions import override

from core.crypto.encrypted_field import EncryptedTextField
from ingestion.sources.credentials import has_redacted_part, redact_url
from ingestion.sources.url_template import TemplateError, parse_placeholders

URL_FIELDS = ("url", "structure_url")


class SourceAddress(models.Model):
    """The URLs of a source, with “***” in place of each secret; the whole of such a URL is encrypted beside it."""

    url = models.CharField(
        "URL",
        max_length=2000,
        blank=True,
        help_text="May contain {hours}, {hours:int}, {since}, {until} and {unit}, also as {since:epoch}, {since:ms},"
        " {since:%Y-%m-%d} or {since_local}. Leave empty for pushes and imports.",
    )
    structure_url = models.CharField(
        "structure URL", max_length=2000, blank=True, help_text="Lists the customer's facilities and storage units."
    )
    url_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    structure_url_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)

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
        """Save the source with the secrets in its URLs encrypted, and shown nowhere."""
        for field in URL_FIELDS:
            self._hide_secrets_of(field)
        if update_fields is not None:
            names = {*update_fields}
            update_fields = names | {f"{field}_secret" for field in URL_FIELDS if field in names}
        super().save(force_insert=force_insert, force_update=force_update, using=using, update_fields=update_fields)

    def check_addresses(self) -> None:
        """Raise ValidationError for an unknown placeholder, and for a hidden secret that is not the stored one."""
        for field in URL_FIELDS:
            try:
                parse_placeholders(getattr(self, field).replace("{unit}", ""))
            except TemplateError as error:
                raise ValidationError({field: str(error)}) from error
            if has_redacted_part(getattr(self, field)) and not self._keeps_secret_of(field):
                raise ValidationError({field: "Contains “***” in place of a secret. Enter the whole URL."})

    @property
    def request_url(self) -> str:
        """The URL template with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.url_secret.reveal() if has_redacted_part(self.url) else self.url

    @property
    def request_structure_url(self) -> str:
        """The structure URL with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.structure_url_secret.reveal() if has_redacted_part(self.structure_url) else self.structure_url

    def _hide_secrets_of(self, field: str) -> None:
        url = getattr(self, field)
        if has_redacted_part(url):
            return
        shown = redact_url(url)
        has_secrets = has_redacted_part(shown)
        setattr(self, f"{field}_secret", url if has_secrets else "")
        if has_secrets:
            setattr(self, field, shown)

    def _keeps_secret_of(self, field: str) -> bool:
        """Return whether the URL is as it is stored, secrets hidden."""
        rows = type(self)._default_manager.filter(pk=self.pk)
        stored = rows.values_list(field, f"{field}_secret").first()
        return stored is not None and stored[0] == getattr(self, field) and bool(stored[1])
