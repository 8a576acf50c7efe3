"""The forms of the pages of alarms, limits and maintenance windows."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet

from alarms.lifecycle.actions import LONGEST_TEXT
from alarms.limits.profiles import VALUE_NAMES
from alarms.models import LimitProfile, MaintenanceWindow, UnitLimits
from core.scope import Scope
from customers.models import Customer, Facility, StorageUnit


def _text(label: str, help_text: str = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3, "class": "form-control"})
    return forms.CharField(label=label, max_length=LONGEST_TEXT, widget=widget, help_text=help_text)


class AcknowledgeForm(forms.Form):
    """Who takes an alarm over says what is done about it."""

    comment = _text("What you are doing about it")


class CommentForm(forms.Form):
    """Something to say of an alarm."""

    text = _text("Comment")


class CloseForm(forms.Form):
    """What it was, and what was done so that it does not come again."""

    cause = _text("Cause")
    corrective_action = _text("Corrective action")


class ProfileForm(forms.ModelForm):
    """Limits with a name."""

    class Meta:
        model = LimitProfile
        fields = ["name", "description", *VALUE_NAMES]
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "class": "form-control"})}


class UnitLimitsForm(forms.ModelForm):
    """What limits a unit has: a profile's or its own, and which of its sensors speak for it."""

    class Meta:
        model = UnitLimits
        fields = ["profile", "sensor_policy", "named_sensor", *VALUE_NAMES]
        labels = {"sensor_policy": "which sensors count", "named_sensor": "that one sensor"}
        help_texts = {"named_sensor": "Only where one sensor speaks for the unit."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        profile: Any = self.fields["profile"]
        profile.empty_label = "own limits, as below"
        sensor: Any = self.fields["named_sensor"]
        sensor.queryset = self.instance.storage_unit.sensors.all()


class LocalTimeField(forms.DateTimeField):
    """A time on a clock that the form names; the form turns it into an instant."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class MaintenanceForm(forms.ModelForm):
    """A time in which nobody is told, for a unit, a facility or the whole customer."""

    starts_at = LocalTimeField(label="From")
    ends_at = LocalTimeField(label="To")

    class Meta:
        model = MaintenanceWindow
        fields = ["facility", "storage_unit", "starts_at", "ends_at", "reason"]
        help_texts = {
            "facility": "Without one, all of the customer.",
            "storage_unit": "Without one, all of the facility.",
        }

    def __init__(self, data: Any, *, customer: Customer, scope: Scope) -> None:
        super().__init__(data, instance=MaintenanceWindow(customer=customer))
        facilities: Any = self.fields["facility"]
        facilities.queryset = Facility.objects.visible_to(scope).filter(customer=customer)
        units: Any = self.fields["storage_unit"]
        units.queryset = _units_of(customer, scope)

    def clean(self) -> dict[str, Any]:
        """Take the times for those of the place's clock."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        unit, facility = cleaned.get("storage_unit"), cleaned.get("facility")
        if unit and facility and unit.facility_id != facility.pk:
            self.add_error("storage_unit", "This unit is in another facility.")
        place = unit.facility if unit else facility
        zone = place.zone if place else ZoneInfo("UTC")
        for name in ("starts_at", "ends_at"):
            if isinstance(cleaned.get(name), datetime):
                cleaned[name] = cleaned[name].replace(tzinfo=zone)
        return cleaned


def _units_of(customer: Customer, scope: Scope) -> QuerySet[Any]:
    units = StorageUnit.objects.visible_to(scope).filter(facility__customer=customer, is_synthetic=False)
    return units.order_by("facility__facility_code", "unit_code")
