"""Forms for the limits of storage units, and for profiles of limits."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, cast

from django import forms
from django.db import models
from django.http import QueryDict
from typing_extensions import override

from alarms.excursions.what_if import DELAYS
from alarms.limits.choice_forms import ProfileLimitsForm, UnitLimitsChoiceForm
from alarms.limits.profiles import VALUE_NAMES
from alarms.limits.versions import backdating_error
from alarms.models import CustomerLimits, LimitProfile, UnitLimits
from alarms.models.limits import ABSOLUTE_ZERO_C, HOTTEST_C, MAX_DELAY_SECONDS
from alarms.thresholds import Limits
from alarms.web.forms import LocalTimeField
from core.web.durations import DurationField, duration_formfield
from core.web.versioned_forms import VersionedForm
from customers.models import Sensor
from customers.web.settings_forms import reason_field
from readings.configuration import deviation_limits
from readings.units.formatting import deviation_text
from readings.units.scales import Scale
from readings.web.temperature_fields import TemperatureField, temperature_formfield, use_scale

# The fields that a page shows together, by the title of the group; the first has none.
LIMIT_GROUPS = {
    "": ("name", "description", "profile", "sensor_policy", "named_sensor"),
    "Temperatures": (
        "low_critical_c", "low_warning_c", "high_warning_c", "high_critical_c",
        "is_inclusive", "is_low_critical_inclusive",
    ),
    "Around the set temperature": ("is_around_set_temperature", "warning_deviation_k", "critical_deviation_k"),
    "Delays": (
        "high_delay_seconds", "low_delay_seconds", "high_critical_delay_seconds", "low_critical_delay_seconds",
        "clearing_margin_k", "clearing_delay_seconds",
    ),
    "Cumulative time outside": ("allowed_seconds", "allowed_window_seconds"),
    "Cumulative time too warm": ("high_allowed_seconds", "high_allowed_window_seconds", "high_allowed_c"),
    "Cumulative time too cold": ("low_allowed_seconds", "low_allowed_window_seconds", "low_allowed_c"),
    "Mean kinetic temperature": ("mkt_limit_c", "mkt_window_seconds"),
    "This change": ("applies_from", "reason"),
}  # fmt: skip
# Of fields that a page shows beside what they refer to, and that the admin shows above it.
HELP_TEXTS = {
    "is_around_set_temperature": "Instead of the four limits, use the set temperature plus and minus the deviations.",
    "allowed_seconds": "Total within the window. Leave empty for no budget.",
    "high_allowed_seconds": "Total within the window. Leave empty for no budget.",
    "low_allowed_seconds": "Total within the window. Leave empty for no budget.",
    "mkt_limit_c": "Of the window. Leave empty for no limit.",
}


def limits_formfield(field: models.Field[object, object], **kwargs: object) -> forms.Field | None:
    """Return the form field of a model field: temperatures and durations as people write them."""
    return temperature_formfield(field, **kwargs) or duration_formfield(field, **kwargs)


def grouped_fields(form: forms.BaseForm) -> list[tuple[str, list[forms.BoundField]]]:
    """Return the visible fields of a form of limits in groups, each with its title."""
    groups = ((title, [form[name] for name in names if name in form.fields]) for title, names in LIMIT_GROUPS.items())
    return [(title, fields) for title, fields in groups if fields]


def _use_scale(form: forms.BaseForm, scale: Scale | str) -> None:
    """Have temperatures entered and shown on this scale, and name the configured deviations on it."""
    use_scale(form, scale)
    configured = deviation_limits()
    deviations_k = {"warning_deviation_k": configured.warning_k, "critical_deviation_k": configured.critical_k}
    for name, deviation_k in deviations_k.items():
        text = deviation_text(deviation_k, scale).removeprefix("+")
        form.fields[name].help_text = f"Leave empty for the configured one, ±{text}."


class LimitProfileForm(ProfileLimitsForm):
    """Edit a limit profile. Its units may have several scales, so its temperatures are in °C."""

    class Meta:
        model = LimitProfile
        formfield_callback = limits_formfield
        fields = ["name", "description", *VALUE_NAMES]
        help_texts = HELP_TEXTS
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "class": "form-control"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _use_scale(self, Scale.CELSIUS)


class CustomerLimitsForm(VersionedForm[CustomerLimits]):
    """Choose the default limits of a customer."""

    reason = reason_field()

    class Meta:
        model = CustomerLimits
        fields = ["profile"]


class UnitLimitsForm(UnitLimitsChoiceForm):
    """Choose a profile or custom limits for a unit, on its scale, and the sensor rule."""

    class Meta:
        model = UnitLimits
        formfield_callback = limits_formfield
        fields = ["profile", "sensor_policy", "named_sensor", *VALUE_NAMES]
        labels = {"sensor_policy": "Sensor rule", "named_sensor": "Reference sensor"}
        help_texts = HELP_TEXTS | {"named_sensor": "Only for the rule “one reference sensor”."}

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
        _use_scale(self, self.instance.storage_unit.temperature_unit)
        if self.instance.storage_unit.has_provisional_limits:
            # The first choice applies from the first reading.
            del self.fields["applies_from"]
        cast("forms.ModelChoiceField[LimitProfile]", self.fields["profile"]).empty_label = "Custom limits"
        named_sensor = cast("forms.ModelChoiceField[Sensor]", self.fields["named_sensor"])
        named_sensor.queryset, named_sensor.empty_label = self.instance.storage_unit.sensors.all(), "None"

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


def _temperature(label: str) -> TemperatureField:
    return TemperatureField(label=label, lowest=ABSOLUTE_ZERO_C, highest=HOTTEST_C, required=False)


class LimitReplayForm(forms.Form):
    """Limits to try, initially those in force. An empty temperature is no limit."""

    low_critical_c = _temperature("Low critical")
    low_warning_c = _temperature("Low warning")
    high_warning_c = _temperature("High warning")
    high_critical_c = _temperature("High critical")
    delay = _delay("Warning delay")
    critical_delay = _delay("Critical delay")

    @classmethod
    def for_limits(cls, limits: Limits, data: QueryDict, scale: Scale | str) -> LimitReplayForm:
        """Build the form, bound to `data` if there is any, with `limits` as initial values on `scale`."""
        initial = {name: getattr(limits, name) for name in cls.base_fields if name not in DELAYS}
        initial |= {name: getattr(limits, names[0]) for name, names in DELAYS.items()}
        form = cls(data or None, initial=initial)
        use_scale(form, scale)
        return form

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
