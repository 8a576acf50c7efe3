"""What the forms of a source share: stored secrets are kept, entered again or removed."""

from __future__ import annotations

from typing import ClassVar

from django import forms

from core.crypto.encryption import SecretUnreadable
from core.web.versioned_forms import VersionedForm
from ingestion.models import Source
from ingestion.sources.credentials import Credentials, CredentialsKind


class SourceSecretsForm(VersionedForm[Source]):
    """A form with a source's credentials and further headers.

    An empty input keeps what is stored; `clear_headers` and credentials of the kind “none” remove it.
    """

    clear_headers = forms.BooleanField(required=False, label="Remove the stored headers")

    class Meta:
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "request_headers": forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})
        }

    def clean(self) -> dict[str, object]:
        """Remove what is to be removed, and reject credentials that cannot be used in a request."""
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        if cleaned.get("clear_headers") and not cleaned.get("request_headers"):
            self.instance.request_headers = ""
        kind = CredentialsKind(str(cleaned.get("credentials_kind") or CredentialsKind.NONE))
        if cleaned.get("credentials_kind") == CredentialsKind.NONE:
            self.instance.credentials_secret = ""
        try:
            secret = str(cleaned.get("credentials_secret") or self.instance.credentials_secret.reveal())
        except SecretUnreadable as unreadable:
            self.add_error("credentials_secret", str(unreadable))
            return cleaned
        if problem := Credentials(kind, str(cleaned.get("credentials_name", "")), secret).validation_error():
            self.add_error("credentials_kind", problem)
        return cleaned
