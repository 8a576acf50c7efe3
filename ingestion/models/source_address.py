"""The addresses of a source and the body that is sent there: what may hold a secret, which is encrypted."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from core.crypto.encrypted_field import EncryptedTextField
from core.crypto.hidden_urls import HidesUrlSecrets
from core.crypto.redaction import redact_body, redact_url
from core.http.servers import InvalidAddress, server_of
from ingestion.sources.url_template import TemplateError, parse_placeholders

TEMPLATE_FIELDS = ("url", "structure_url")
URL_FIELDS = (*TEMPLATE_FIELDS, "token_url")


def _check_url(field: str, url: str) -> None:
    try:
        server_of(url)
    except InvalidAddress as error:
        raise ValidationError({field: f"{field} is not a valid URL."}) from error


class SourceAddress(HidesUrlSecrets):
    """The URLs and the body of a source, with “***” in place of each secret; the whole is encrypted beside it."""

    HIDDEN_URLS = {
        "url": redact_url,
        "structure_url": redact_url,
        "token_url": redact_url,
        "request_body": redact_body,
    }

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
    token_url = models.CharField(
        "token URL", max_length=2000, blank=True, db_default="", default="", help_text="OAuth 2: issues access tokens."
    )
    url_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    structure_url_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    token_url_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    request_body = models.TextField(
        blank=True,
        db_default="",
        default="",
        help_text="Of a POST. May contain the URL's placeholders, and {secret} for credentials of the kind “body”.",
    )
    request_body_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)

    class Meta:
        abstract = True

    def check_addresses(self, stored: SourceAddress | None) -> None:
        """Raise ValidationError for an invalid URL or placeholder, and for a hidden secret that is not the stored one.

        What is stored already is not refused: forms that save other fields could not show why.
        """
        for field in URL_FIELDS:
            if stored is None or getattr(self, field) != getattr(stored, field):
                _check_url(field, getattr(self, field))
        for field in TEMPLATE_FIELDS:
            try:
                parse_placeholders(getattr(self, field).replace("{unit}", ""))
            except TemplateError as error:
                raise ValidationError({field: str(error)}) from error
        self.check_hidden_urls()

    @property
    def request_url(self) -> str:
        """The URL template with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.whole_url("url")

    @property
    def request_structure_url(self) -> str:
        """The structure URL with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.whole_url("structure_url")

    @property
    def request_token_url(self) -> str:
        """The token URL with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.whole_url("token_url")

    @property
    def whole_request_body(self) -> str:
        """The template of the body with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.whole_url("request_body")
