"""Forms for alarms, limits and maintenance windows."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict
from typing_extensions import override

from alarms.excursions.what_if import DELAYS
from alarms.lifecycle.actions import LONGEST_TEXT
from alarms.limits.choice_forms import ProfileLimitsForm, UnitLimitsChoiceForm
from alarms.limits.profiles import VALUE_NAMES
from alarms.limits.versions import backdating_error
from alarms.models import AlarmSignature, CustomerLimits, LimitProfile, MaintenanceWindow, UnitLimits
from alarms.models.limits import MAX_DELAY_SECONDS
from alarms.thresholds import Limits
from core.scope import Scope
from core.web.durations import DurationField, duration_formfield
from core.web.versioned_forms import VersionedForm
from customers.models import Customer, Facility, Sensor, StorageUnit
from customers.web.settings_forms import reason_field
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


class LimitProfileForm(ProfileLimitsForm):
    """Edit a limit profile."""

    class Meta:
        model = LimitProfile
        formfield_callback = duration_formfield
        fields = ["name", "description", *VALUE_NAMES]
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "class": "form-control"})}


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


class CustomerLimitsForm(VersionedForm[CustomerLimits]):
    """Choose the profile of a customer's units without limits of their own."""

    reason = reason_field()

    class Meta:
        model = CustomerLimits
        fields = ["profile"]


class UnitLimitsForm(UnitLimitsChoiceForm):
    """Choose a profile or custom limits for a unit, and the sensor rule."""

    class Meta:
        model = UnitLimits
        formfield_callback = duration_formfield
        fields = ["profile", "sensor_policy", "named_sensor", *VALUE_NAMES]
        labels = {"sensor_policy": "Sensor rule", "named_sensor": "Reference sensor"}
        help_texts = {"named_sensor": "Only for the rule “one reference sensor”."}

    applies_from = LocalTimeField(
        label="Backdate to",
        required=False,
        help_text=(
            "Local time. One that occurs twice, when summer time ends, means the first; one that is skipped, "
            "when it begins, is an hour later. Leave empty if the limits apply from now on."
        ),
    )
    reason = reason_field("Recorded in the history. Required to backdate limits.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.storage_unit.has_provisional_limits:
            # The first choice applies from the first reading.
            del self.fields["applies_from"]
        cast("forms.ModelChoiceField[LimitProfile]", self.fields["profile"]).empty_label = "Custom limits"
        named_sensor = cast("forms.ModelChoiceField[Sensor]", self.fields["named_sensor"])
        named_sensor.queryset = self.instance.storage_unit.sensors.all()

    @override
    def clean(self) -> None:
        super().clean()
        applies_from, reason = self.cleaned_data.get("applies_from"), self.cleaned_data.get("reason", "")
        if applies_from is not None:
            applies_from = applies_from.replace(tzinfo=self.instance.storage_unit.facility.zone)
        self.instance.applies_from, self.instance.reason = applies_from, reason
        if "applies_from" not in self.errors and (error := backdating_error(applies_from, reason)):
            self.add_error(error.field, error.text)

    @property
    def digest(self) -> str:
        """What identifies the entered limits, so that exactly those that were previewed are saved."""
        entered = {name: str(value) for name, value in sorted(self.cleaned_data.items())}
        return sha256(repr(entered).encode()).hexdigest()


def _delay(label: str) -> DurationField:
    return DurationField(label=label, max_value=MAX_DELAY_SECONDS, required=False)


class LimitReplayForm(forms.Form):
    """Limits to try, initially those in force. An empty temperature is no limit."""

    low_critical_c = forms.FloatField(label="Low critical, °C", required=False)
    low_warning_c = forms.FloatField(label="Low warning, °C", required=False)
    high_warning_c = forms.FloatField(label="High warning, °C", required=False)
    high_critical_c = forms.FloatField(label="High critical, °C", required=False)
    delay = _delay("Warning delay")
    critical_delay = _delay("Critical delay")

    @classmethod
    def for_limits(cls, limits: Limits, data: QueryDict) -> LimitReplayForm:
        """Build the form, bound to `data` if there is any, with `limits` as initial values."""
        initial = {name: getattr(limits, name) for name in cls.base_fields if name not in DELAYS}
        initial |= {name: getattr(limits, names[0]) for name, names in DELAYS.items()}
        return cls(data or None, initial=initial)

    @property
    def changes(self) -> dict[str, float | None]:
        """The changed fields of Limits; an untouched or empty delay keeps the delays of both sides."""
        changes: dict[str, float | None] = {
            name: value for name, value in self.cleaned_data.items() if name not in DELAYS
        }
        for name, names in DELAYS.items():
            if name in self.changed_data and self.cleaned_data[name] is not None:
                changes |= dict.fromkeys(names, self.cleaned_data[name])
        return changes


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
