"""The forms of the guided setup: one per step, each saying what to do if something is wrong."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError

from core.web.durations import duration_entry
from core.web.versioned_forms import VersionedForm
from customers.models import Customer
from ingestion.models import Source
from ingestion.source_form import SourceSecretsForm
from ingestion.sources.credentials import CredentialsKind
from ingestion.web.mapping_forms import TIME_ZONES

_KINDS = [
    (CredentialsKind.NONE.value, "None"),
    (CredentialsKind.BASIC.value, "User name and password"),
    (CredentialsKind.BEARER.value, "Bearer token"),
    (CredentialsKind.HEADER.value, "Key in a header"),
    (CredentialsKind.QUERY.value, "Key in the URL's query"),
    (CredentialsKind.BODY.value, "Key in the body of a POST"),
    (CredentialsKind.OAUTH2.value, "OAuth 2 client credentials"),
]
# Shown when they are asked for: most sources need none of them.
_FURTHER_FIELDS = [
    "token_url",
    "token_scope",
    "sends_client_in_body",
    "request_headers",
    "request_method",
    "request_content_type",
    "request_body",
    "ca_certificates",
]
_WITH_DEFAULT = frozenset({"request_method", "request_content_type"})
INTERVALS = [
    (60, "Every minute"),
    (300, "Every 5 minutes"),
    (900, "Every 15 minutes"),
    (3_600, "Every hour"),
    (86_400, "Every day"),
]


class CustomerForm(forms.ModelForm[Customer]):
    """A new customer."""

    class Meta:
        model = Customer
        fields = ["name", "customer_code"]
        labels = {"name": "Name of the customer"}
        help_texts = {"customer_code": "Short and unique, such as COLD-7. People sign in with it and a token."}


class ConnectionForm(SourceSecretsForm):
    """Where the data is requested, and how to authenticate."""

    class Meta(SourceSecretsForm.Meta):
        model = Source
        fields = ["name", "url", "credentials_kind", "credentials_name", "credentials_secret", *_FURTHER_FIELDS]
        labels = {
            "name": "Name of the source",
            "credentials_kind": "Authentication",
            "token_url": "Address that issues access tokens",
            "token_scope": "Scopes of access tokens",
            "sends_client_in_body": "Send the client in the body of the token request",
            "request_headers": "Further headers",
            "request_method": "Method",
            "request_content_type": "Type of the body",
            "request_body": "Body",
        }
        widgets = SourceSecretsForm.Meta.widgets | {
            "url": forms.TextInput(attrs={"placeholder": "https://example.com/readings.csv?hours={hours}"}),
            "request_body": forms.Textarea(attrs={"rows": 4}),
            "ca_certificates": forms.Textarea(attrs={"rows": 4}),
        }
        help_texts = {
            "url": "May contain {hours}, {since}, {until} for the requested period, and {unit}.",
            "credentials_name": "Of the user, the header, the query parameter or the OAuth 2 client.",
            "credentials_secret": "Password, token or key. It is stored encrypted and never shown again."
            " Enter it again if the source moves to another server.",
        }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["url"].required = True
        self.fields["credentials_kind"] = forms.ChoiceField(choices=_KINDS, label="Authentication")
        self.fields["credentials_secret"].widget = forms.PasswordInput()

    @property
    def main_fields(self) -> list[forms.BoundField]:
        """The fields that every source needs."""
        return [field for field in self.visible_fields() if field.name not in (*_FURTHER_FIELDS, "clear_headers")]

    @property
    def further_fields(self) -> list[forms.BoundField]:
        """The fields of OAuth 2, a second key in a header, a POST, and certificates."""
        names = list(_FURTHER_FIELDS)
        if self.instance.request_headers:
            names.insert(names.index("request_headers") + 1, "clear_headers")
        return [self[name] for name in names]

    @property
    def needs_further_fields(self) -> bool:
        """Whether one of them is used or has to be corrected."""
        used = any(getattr(self.instance, name) for name in _FURTHER_FIELDS if name not in _WITH_DEFAULT)
        kind = self["credentials_kind"].value()
        is_needed = kind in (CredentialsKind.BODY, CredentialsKind.OAUTH2)
        return used or is_needed or any(field.errors for field in self.further_fields)

    def clean(self) -> dict[str, object]:
        """Also reject a name that the customer's other source has."""
        cleaned = super().clean()
        others = Source.objects.filter(customer=self.instance.customer, name=cleaned.get("name")).exclude(
            pk=self.instance.pk
        )
        if others.exists():
            self.add_error("name", "This customer already has a source with this name. Choose another one.")
        if cleaned.get("credentials_kind") == CredentialsKind.NONE:
            cleaned |= {"credentials_name": "", "credentials_secret": ""}
        return cleaned


class ScheduleForm(VersionedForm[Source]):
    """How often the source is polled, and what its rows do not say."""

    class Meta:
        model = Source
        fields = ["interval_seconds", "facility_time_zone", "default_facility_code", "default_unit_code"]
        labels = {
            "default_facility_code": "Facility of rows without one",
            "default_unit_code": "Storage unit of rows without one",
        }
        help_texts = {"default_facility_code": "", "default_unit_code": ""}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.interval_seconds
        choices = INTERVALS if stored in dict(INTERVALS) else [*INTERVALS, (stored, f"Every {duration_entry(stored)}")]
        self.fields["interval_seconds"] = forms.TypedChoiceField(choices=choices, coerce=int, label="Poll")
        self.fields["facility_time_zone"] = forms.ChoiceField(
            choices=[(zone, zone) for zone in TIME_ZONES],
            label="Time zone of its facilities",
            help_text="Their days begin and end in it.",
        )

    def clean_interval_seconds(self) -> int:
        """Return the interval within what a source allows."""
        seconds = int(self.cleaned_data["interval_seconds"])
        if not 1 <= seconds <= 7 * 86_400:
            raise ValidationError("Choose an interval from the list.")
        return seconds
