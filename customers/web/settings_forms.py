"""The forms of the settings pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db import models
from django.http import HttpResponse
from django.utils import timezone

from core.api.fields import MAX_REASON
from core.web.durations import duration_formfield
from core.web.versioned_forms import VersionedForm
from customers.access.principal import Principal
from customers.models import ApiToken, Membership, StorageUnit

THEME_COOKIE = "theme"
_YEAR_SECONDS = 365 * 86_400


class Theme(models.TextChoices):
    """The colour themes, as a script reads them from the cookie."""

    DEVICE = "", "Match device"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


def save_theme(response: HttpResponse, theme: str, *, is_secure: bool) -> None:
    """Save the theme in a cookie on this device. Not HttpOnly: a script applies it before the page is drawn."""
    response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR_SECONDS, samesite="Lax", secure=is_secure)


NAME_MAX_LENGTH = 200
# As over the REST API.
FIRST_YEAR_TOO_LATE = 9_000
# The same number in every scale; no cold store is that warm.
COLDEST = {"C": -273.15, "F": -459.67, "K": 0.0}
WARMEST = 1_000.0


class PersonForm(forms.ModelForm[User]):
    """The person's own name. The operator sets the e-mail address, because people are added to customers by it."""

    class Meta:
        model = User
        fields = ["first_name", "last_name"]


class DisplayForm(forms.Form):
    """The appearance of pages on this device."""

    theme = forms.ChoiceField(choices=Theme.choices, required=False, label="Colours")


class TokenForm(forms.Form):
    """A new token, with no more permissions than the principal has."""

    token_name = forms.CharField(label="Name", max_length=NAME_MAX_LENGTH, help_text="What it is used for.")
    permissions = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, initial=[ApiToken.Permission.READ])
    expires_on = forms.DateField(
        required=False,
        label="Last day",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="In UTC. Leave empty for a token that does not expire.",
    )
    rate_limit_per_hour = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=2_000_000_000,
        label="Requests per hour",
        help_text="Leave empty for no limit.",
    )

    def __init__(self, *args: Any, principal: Principal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(value, label) for value, label in ApiToken.Permission.choices if value in principal.grantable]
        permissions: Any = self.fields["permissions"]
        permissions.choices = choices

    def clean_expires_on(self) -> datetime | None:
        """Return the end of the last day."""
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        if day.year >= FIRST_YEAR_TOO_LATE:
            raise forms.ValidationError(f"The last day must be before the year {FIRST_YEAR_TOO_LATE}.")
        expires_at = datetime.combine(day, time(), UTC) + timedelta(days=1)
        if expires_at <= timezone.now():
            raise forms.ValidationError("The last day must not be in the past.")
        return expires_at


class InviteForm(forms.Form):
    """The address and role of a new member."""

    email = forms.EmailField(label="E-mail address", max_length=150)
    role = forms.ChoiceField(choices=[(role, role.capitalize()) for role in Membership.Role.values])


def reason_field(help_text: str = "Recorded in the history.") -> forms.CharField:
    """Return the field of the reason for a change, which `customers.access.audit_actor` reads from the request."""
    return forms.CharField(label="Reason", required=False, max_length=MAX_REASON, help_text=help_text)


class UnitForm(VersionedForm[StorageUnit]):
    """A unit's name, set temperature, sampling interval and staleness limit."""

    reason = reason_field()

    class Meta:
        model = StorageUnit
        formfield_callback = duration_formfield
        fields = ["name", "set_temperature", "interval_seconds", "gap_limit_seconds"]
        labels = {"interval_seconds": "Sampling interval", "gap_limit_seconds": "Staleness limit"}

    def clean_set_temperature(self) -> float | None:
        """Return the set temperature. Raise ValidationError below absolute zero."""
        temperature: float | None = self.cleaned_data["set_temperature"]
        if temperature is None:
            return None
        coldest = COLDEST[self.instance.temperature_unit]
        if not math.isfinite(temperature) or not coldest <= temperature <= WARMEST:
            raise forms.ValidationError(f"Enter a temperature from {coldest:g} to {WARMEST:g}.")
        return temperature
