"""Forms for alarms, limits and maintenance windows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from typing_extensions import override

from alarms.lifecycle.actions import LONGEST_TEXT
from alarms.models import AlarmSignature, MaintenanceWindow
from core.scope import Scope
from customers.models import Customer, Facility, StorageUnit
from customers.web.unit_choices import UnitChoiceField, selectable_units

SIGNATURE_FIELDS = ("meaning", "password", "credential", "confirmation")
# A passkey's answer is some hundred characters long.
LONGEST_CREDENTIAL = 8_192


def _text(label: str, help_text: str = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3, "class": "form-control"})
    return forms.CharField(label=label, max_length=LONGEST_TEXT, widget=widget, help_text=help_text)


class UsedOnceInput(forms.HiddenInput):
    """A hidden input that is empty again when the form is shown once more."""

    @override
    def get_context(self, name: str, value: object, attrs: dict[str, object] | None) -> dict[str, object]:
        return super().get_context(name, None, attrs)


class SignedForm(forms.Form):
    """The base of forms that may be signed, and must be where the customer requires it.

    Its signature is in the field `meaning`, empty without one. It is confirmed by the `password`, or by a passkey: its
    answer is the `credential`, and what it was asked for the `confirmation`.
    """

    meaning = forms.ChoiceField(
        label="Sign as",
        choices=[("", "No signature"), *AlarmSignature.Meaning.choices],
        required=False,
        help_text="What your electronic signature means. It has the effect of one by hand.",
    )
    password = forms.CharField(
        label="Your password",
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Only to sign.",
    )
    credential = forms.CharField(required=False, max_length=LONGEST_CREDENTIAL, widget=UsedOnceInput)
    confirmation = forms.CharField(required=False, max_length=LONGEST_CREDENTIAL, widget=UsedOnceInput)

    def __init__(
        self, *args: Any, is_required: bool = False, may_sign: bool = True, has_passkey: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.has_passkey = has_passkey
        if not may_sign:
            for name in SIGNATURE_FIELDS:
                del self.fields[name]
        elif is_required:
            meaning = cast("forms.ChoiceField", self.fields["meaning"])
            meaning.choices = [*AlarmSignature.Meaning.choices]
            meaning.required = True
            self.fields["password"].help_text = "This customer requires signatures on alarms."
        self.order_fields([*(name for name in self.fields if name not in SIGNATURE_FIELDS), *SIGNATURE_FIELDS])

    @override
    def clean(self) -> None:
        super().clean()
        is_confirmed = self.cleaned_data.get("password") or self.cleaned_data.get("credential")
        if self.cleaned_data.get("meaning") and not is_confirmed and not self.errors:
            self.add_error("password", "Enter your password to sign.")

    def clean_credential(self) -> object:
        """Return the passkey's answer, None if there is none."""
        text = self.cleaned_data["credential"]
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("The passkey's answer cannot be read. Use the passkey again.") from error

    def problems_before_signing(self) -> list[str]:
        """Return what is missing to sign, besides the confirmation by password or passkey."""
        others = [str(error) for name, errors in self.errors.items() if name != "password" for error in errors]
        if not self.cleaned_data.get("meaning") and not others:
            others = ["Choose what your signature means."]
        return others


class AcknowledgeForm(SignedForm):
    """Acknowledge an alarm with a comment."""

    comment = _text("Planned action")


class CommentForm(forms.Form):
    """Comment on an alarm."""

    text = _text("Comment")


class CloseForm(SignedForm):
    """Close an alarm with its cause and the corrective action."""

    cause = _text("Cause")
    corrective_action = _text("Corrective action")


class LocalTimeField(forms.DateTimeField):
    """A local time, which the form converts to an instant. One with an offset is refused: the offset would be lost."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    @override
    def to_python(self, value: Any) -> datetime | None:
        try:
            has_offset = isinstance(value, str) and datetime.fromisoformat(value.strip()).tzinfo is not None
        except ValueError:
            has_offset = False
        if has_offset:
            raise forms.ValidationError("Enter the local time without an offset.", code="invalid")
        return super().to_python(value)


class MaintenanceForm(forms.ModelForm[MaintenanceWindow]):
    """Schedule a maintenance window for a unit, a facility or the whole customer."""

    storage_unit = UnitChoiceField(StorageUnit.objects.none(), required=False, help_text="Leave empty for all units.")
    is_for_customer = forms.BooleanField(required=False)
    starts_at = LocalTimeField(label="Start")
    ends_at = LocalTimeField(label="End")

    class Meta:
        model = MaintenanceWindow
        fields = ["facility", "storage_unit", "is_for_customer", "starts_at", "ends_at", "reason"]

    def __init__(self, data: QueryDict | None, *, customer: Customer, scope: Scope) -> None:
        super().__init__(data, instance=MaintenanceWindow(customer=customer))
        facilities = Facility.objects.visible_to(scope).filter(customer=customer).exclude(units__is_synthetic=True)
        facility = cast("forms.ModelChoiceField[Facility]", self.fields["facility"])
        facility.queryset, facility.empty_label = facilities, "Choose a facility"
        unit = cast("UnitChoiceField", self.fields["storage_unit"])
        unit.queryset, unit.empty_label = selectable_units(customer, scope), "All units"
        self.fields["is_for_customer"].label = f"Silence every facility of {customer.name}"

    @override
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        unit, facility = cleaned.get("storage_unit"), cleaned.get("facility")
        if unit and facility and unit.facility_id != facility.pk:
            self.add_error("storage_unit", "This unit belongs to another facility.")
        self._require_one_location(cleaned)
        location = unit.facility if unit else facility
        zone = location.zone if location else ZoneInfo("UTC")
        for name in ("starts_at", "ends_at"):
            if isinstance(cleaned.get(name), datetime):
                cleaned[name] = cleaned[name].replace(tzinfo=zone)
        return cleaned

    def _require_one_location(self, cleaned: dict[str, Any]) -> None:
        """Refuse to silence everything by leaving fields empty, and a location that would be ignored."""
        has_location = any(cleaned.get(name) or name in self.errors for name in ("facility", "storage_unit"))
        if cleaned.get("is_for_customer") and has_location:
            self.add_error("is_for_customer", "Choose either every facility, or a facility or unit.")
        elif not cleaned.get("is_for_customer") and not has_location:
            self.add_error(None, "Choose a facility or a storage unit, or confirm that every facility is silenced.")
