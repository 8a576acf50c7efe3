"""Forms for channels, rules and drill schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from django import forms
from django.db.models import Model
from django.utils.functional import Promise
from typing_extensions import override

from alarms.models import Alarm, Channel, Rule
from alarms.models.channels import WEEKDAYS
from alarms.models.excursions import SEVERITIES
from alarms.notifications.channels import kind_of
from alarms.notifications.channels.webhook import new_secret
from core.crypto.encryption import SecretUnreadable
from core.scope import Scope
from core.web.durations import duration_formfield
from core.web.versioned_forms import VersionedForm
from customers.models import Customer, Facility, StorageUnit
from customers.web.unit_choices import UnitsChoiceField, selectable_units

# Customers with more units select them by facility.
MAX_UNITS_LISTED = 500


def _sentence_case(choices: Iterable[tuple[str, str | Promise]]) -> list[tuple[str, str]]:
    return [(value, str(label).capitalize()) for value, label in choices]


def _scrolling_checkboxes() -> forms.CheckboxSelectMultiple:
    """Return the widget of long lists. In a list that selects by clicks, one without Ctrl deselects all others."""
    return forms.CheckboxSelectMultiple(attrs={"class": "long-list"})


class ChannelForm(VersionedForm[Channel]):
    """Edit a channel. An empty secret keeps the stored one; a new webhook gets a generated one."""

    field_order = ["kind", "name", "address", "secret", "messages_a_minute", "flap_minutes"]

    class Meta:
        model = Channel
        formfield_callback = duration_formfield
        fields = ["kind", "name", "address", "secret", "messages_a_minute", "flap_minutes"]
        help_texts = {
            "address": "E-mail: addresses separated by commas. Webhook: URL. Chat or SMS service: leave empty.",
            "secret": "Chat or SMS service: its Apprise URL, such as slack://… Webhook: leave empty to generate one."
            " It is never shown again.",
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.customer = customer
        if self.instance.pk:
            del self.fields["kind"]
        else:
            kind = cast("forms.ChoiceField", self.fields["kind"])
            kind.choices = [("", "Choose a kind"), *Channel.Kind.choices]

    @override
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = self.instance.kind if self.instance.pk else cleaned.get("kind")
        if not kind:
            return cleaned
        self._reject_ignored(cleaned, kind)
        try:
            stored = self.instance.secret.reveal() if self.instance.secret else ""
        except SecretUnreadable as unreadable:
            stored = ""
            if not cleaned.get("secret"):
                self.add_error("secret", str(unreadable))
                return cleaned
        generated = new_secret() if kind == Channel.Kind.WEBHOOK else ""
        cleaned["secret"] = cleaned.get("secret") or stored or generated
        error = kind_of(kind).settings_error(cleaned.get("address", ""), cleaned["secret"])
        if error:
            self.add_error("secret" if kind == Channel.Kind.APPRISE else "address", error)
        return cleaned

    def _reject_ignored(self, cleaned: Mapping[str, object], kind: str) -> None:
        """Reject what this kind of channel would store without using it."""
        if kind == Channel.Kind.EMAIL and cleaned.get("secret"):
            self.add_error("secret", "An e-mail channel has no secret. Leave it empty.")
        if kind == Channel.Kind.APPRISE and cleaned.get("address"):
            self.add_error("address", "Leave it empty: the Apprise URL belongs into the secret, which is encrypted.")

    @override
    def validate_unique(self) -> None:
        _validate_name(self, Channel)


class RuleForm(VersionedForm[Rule]):
    """Edit a rule of a customer, with the customer's own facilities, units and channels as choices."""

    kinds = forms.MultipleChoiceField(
        choices=_sentence_case(Alarm.Kind.choices),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave empty for all.",
    )
    severities = forms.MultipleChoiceField(
        choices=_sentence_case(SEVERITIES),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave empty for all.",
    )
    units = UnitsChoiceField(StorageUnit.objects.none(), required=False, widget=_scrolling_checkboxes())
    weekdays = forms.TypedMultipleChoiceField(
        choices=WEEKDAYS,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Leave empty for all.",
    )

    class Meta:
        model = Rule
        formfield_callback = duration_formfield
        fields = [
            "name", "is_enabled", "kinds", "severities", "facilities", "units", "channels", "weekdays", "from_time",
            "until_time", "repeat_minutes", "escalate_minutes", "escalation_channels", "tells_when_closed",
        ]  # fmt: skip
        widgets = {
            "from_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "until_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "facilities": _scrolling_checkboxes(),
            "channels": forms.CheckboxSelectMultiple,
            "escalation_channels": forms.CheckboxSelectMultiple,
        }
        labels = {"is_enabled": "Enabled"}
        help_texts = {
            "facilities": "Leave facilities and units empty for all.",
            "channels": "Notified immediately.",
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.customer = customer
        choices = {
            "facilities": Facility.objects.filter(customer=customer).exclude(units__is_synthetic=True),
            "units": selectable_units(customer, Scope.of_customer(customer.pk)),
            "channels": Channel.objects.filter(customer=customer),
            "escalation_channels": Channel.objects.filter(customer=customer),
        }
        for name, queryset in choices.items():
            cast("forms.ModelChoiceField[Model]", self.fields[name]).queryset = queryset
        if choices["units"].count() > MAX_UNITS_LISTED:
            # A field that is not shown must not be saved as empty.
            del self.fields["units"]

    @override
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        if not cleaned.get("channels") and not cleaned.get("escalation_channels"):
            self.add_error("channels", "Select at least one channel.")
        if bool(cleaned.get("escalate_minutes")) != bool(cleaned.get("escalation_channels")):
            self.add_error("escalate_minutes", "An escalation needs both a time and channels.")
        if cleaned.get("repeat_minutes") and not cleaned.get("channels"):
            self.add_error(
                "repeat_minutes", "Only the channels that are notified immediately get reminders. Select one."
            )
        return cleaned

    @override
    def validate_unique(self) -> None:
        _validate_name(self, Rule)


class DrillScheduleForm(forms.Form):
    """Set the interval of alarm drills."""

    every_days = forms.IntegerField(
        label="Days between scheduled drills",
        required=False,
        min_value=1,
        max_value=366,
        help_text="Leave empty for manual drills only.",
    )


def _validate_name(form: forms.ModelForm[Channel] | forms.ModelForm[Rule], model: type[Channel] | type[Rule]) -> None:
    name = form.cleaned_data.get("name")
    same_name = model.objects.filter(customer=form.instance.customer, name=name).exclude(pk=form.instance.pk)
    if name and same_name.exists():
        form.add_error("name", f"This customer already has a {model._meta.verbose_name} with this name.")
