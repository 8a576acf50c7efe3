"""The forms of the notifications pages."""

from __future__ import annotations

from typing import Any

from django import forms

from alarms.models import Alarm, Channel, Rule
from alarms.models.channels import WEEKDAYS
from alarms.models.excursions import SEVERITIES
from alarms.notifications.channels import kind_of
from alarms.notifications.channels.webhook import new_secret
from core.crypto.encryption import SecretUnreadable
from customers.models import Customer, Facility, StorageUnit

# More units than a list on a page is good for are chosen by their facilities.
MOST_UNITS_LISTED = 500


class ChannelForm(forms.ModelForm):
    """A channel. A webhook without a secret is given one; an empty secret keeps what is stored."""

    field_order = ["kind", "name", "address", "secret", "messages_a_minute", "flap_minutes"]

    class Meta:
        model = Channel
        fields = ["kind", "name", "address", "secret", "messages_a_minute", "flap_minutes"]
        help_texts = {
            "address": "E-mail: addresses separated by commas. Webhook: its URL. Chat or SMS service: empty.",
            "secret": "Chat or SMS service: its URL as apprise writes it, such as slack://… Webhook: empty, and one is"
            " made. It is never shown again.",
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.customer = customer
        if self.instance.pk:
            del self.fields["kind"]

    def clean(self) -> dict[str, Any]:
        """Refuse settings that nothing can be sent by."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        kind = self.instance.kind if self.instance.pk else cleaned.get("kind")
        if not kind:
            return cleaned
        try:
            stored = self.instance.secret.reveal() if self.instance.secret else ""
        except SecretUnreadable as unreadable:
            stored = ""
            if not cleaned.get("secret"):
                self.add_error("secret", str(unreadable))
                return cleaned
        made = new_secret() if kind == Channel.Kind.WEBHOOK else ""
        cleaned["secret"] = cleaned.get("secret") or stored or made
        problem = kind_of(kind).settings_error(cleaned.get("address", ""), cleaned["secret"])
        if problem:
            self.add_error("secret" if kind == Channel.Kind.APPRISE else "address", problem)
        return cleaned

    def validate_unique(self) -> None:
        """The customer is not on the form, and a name is unique among its channels all the same."""
        _validate_name(self, Channel)


class RuleForm(forms.ModelForm):
    """A rule of a customer; it names only what is the customer's."""

    kinds = forms.MultipleChoiceField(
        choices=Alarm.Kind.choices, required=False, widget=forms.CheckboxSelectMultiple, help_text="None: all."
    )
    severities = forms.MultipleChoiceField(
        choices=SEVERITIES, required=False, widget=forms.CheckboxSelectMultiple, help_text="None: all."
    )
    weekdays = forms.TypedMultipleChoiceField(
        choices=WEEKDAYS, coerce=int, required=False, widget=forms.CheckboxSelectMultiple, help_text="None: all."
    )

    class Meta:
        model = Rule
        fields = [
            "name", "is_enabled", "kinds", "severities", "facilities", "units", "channels", "weekdays", "from_time",
            "until_time", "repeat_minutes", "escalate_minutes", "escalation_channels", "tells_when_closed",
        ]  # fmt: skip
        widgets = {
            "from_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "until_time": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "channels": forms.CheckboxSelectMultiple,
            "escalation_channels": forms.CheckboxSelectMultiple,
        }
        help_texts = {
            "facilities": "With neither facilities nor units chosen: all of them.",
            "channels": "Who is told at once.",
        }

    def __init__(self, *args: Any, customer: Customer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.customer = customer
        choices = {
            "facilities": Facility.objects.filter(customer=customer).exclude(units__is_synthetic=True),
            "units": StorageUnit.objects.filter(facility__customer=customer, is_synthetic=False),
            "channels": Channel.objects.filter(customer=customer),
            "escalation_channels": Channel.objects.filter(customer=customer),
        }
        for name, queryset in choices.items():
            field: Any = self.fields[name]
            field.queryset = queryset
        if choices["units"].count() > MOST_UNITS_LISTED:
            # A field that was not shown must not be taken for one that was emptied.
            del self.fields["units"]

    def clean(self) -> dict[str, Any]:
        """A rule tells someone, and what belongs together is given together."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("channels") and not cleaned.get("escalation_channels"):
            self.add_error("channels", "Choose a channel; a rule without one tells nobody.")
        if bool(cleaned.get("escalate_minutes")) != bool(cleaned.get("escalation_channels")):
            self.add_error("escalate_minutes", "An escalation has a time and channels, or neither.")
        return cleaned

    def validate_unique(self) -> None:
        """The customer is not on the form, and a name is unique among its rules all the same."""
        _validate_name(self, Rule)


class DrillScheduleForm(forms.Form):
    """How often drills are held."""

    every_days = forms.IntegerField(
        label="Every so many days", required=False, min_value=1, max_value=366, help_text="Empty: only by hand."
    )


def _validate_name(form: forms.ModelForm, model: type[Channel] | type[Rule]) -> None:
    name = form.cleaned_data.get("name")
    alike = model.objects.filter(customer=form.instance.customer, name=name).exclude(pk=form.instance.pk)
    if name and alike.exists():
        form.add_error("name", "This customer already has one with this name.")
