"""The page on which changed limits are tried on the readings there were. Nothing is stored by it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alarms.excursions.what_if import LimitsOutOfOrder, Replay, ReplayedAlarm, replay
from alarms.limits.versions import newest_versions, renew
from alarms.models.limits import MAX_DELAY_SECONDS
from alarms.thresholds import Limits
from customers.access.settings_caller import settings_context, unit_of_settings
from customers.models import StorageUnit
from readings.units.formatting import duration_text, temperature_text


class LimitReplayForm(forms.Form):
    """The limits to try, which start as those in force. An empty temperature is no limit."""

    low_critical_c = forms.FloatField(label="Low critical, °C", required=False)
    low_warning_c = forms.FloatField(label="Low warning, °C", required=False)
    high_warning_c = forms.FloatField(label="High warning, °C", required=False)
    high_critical_c = forms.FloatField(label="High critical, °C", required=False)
    delay_minutes = forms.FloatField(label="Delay, minutes", min_value=0, max_value=MAX_DELAY_SECONDS / 60)

    @classmethod
    def of(cls, limits: Limits, data: Any) -> LimitReplayForm:
        """The form with what was asked for, or with the limits in force where nothing was."""
        initial = {name: getattr(limits, name) for name in cls.base_fields if name != "delay_minutes"}
        initial["delay_minutes"] = limits.high_delay_seconds / 60
        return cls(data or None, initial=initial)

    @property
    def changes(self) -> dict[str, Any]:
        """The fields of Limits; a delay that was left as it is changes neither of the two."""
        changes = {name: value for name, value in self.cleaned_data.items() if name != "delay_minutes"}
        if "delay_minutes" in self.changed_data:
            seconds = round(self.cleaned_data["delay_minutes"] * 60)
            changes |= {"high_delay_seconds": seconds, "low_delay_seconds": seconds}
        return changes


@require_safe
@never_cache
@login_required
def limit_replay_page(request: HttpRequest, public_id: UUID, unit_id: UUID) -> HttpResponse:
    """Which alarms of the last 90 days limits like those asked for would have added or removed."""
    caller, customer, unit = unit_of_settings(request, public_id, unit_id)
    # One that was registered without a reading has no version yet.
    renew([unit.pk])
    in_force = newest_versions([unit.pk])[unit.pk].limits
    form = LimitReplayForm.of(in_force, request.GET)
    context = settings_context(caller, customer, "units") | {"unit": unit, "form": form}
    if form.is_bound and form.is_valid():
        try:
            context |= _found(replay(unit, form.changes, timezone.now()), unit)
        except LimitsOutOfOrder as error:
            form.add_error(None, str(error))
    return render(request, "settings/limit_replay.html", context)


def _found(found: Replay, unit: StorageUnit) -> dict[str, Any]:
    parts = [
        ("Would have been added", [_row(alarm, unit) for alarm in found.added]),
        ("Would have been spared", [_row(alarm, unit) for alarm in found.removed]),
        ("There either way", [_row(before, unit, after) for before, after in found.kept]),
    ]
    return {"replay": found, "parts": parts}


def _row(alarm: ReplayedAlarm, unit: StorageUnit, after: ReplayedAlarm | None = None) -> dict[str, Any]:
    lasted: timedelta | None = None if alarm.ended_at is None else alarm.ended_at - alarm.started_at
    return {
        "alarm": alarm,
        "after": after,
        "peak": temperature_text(alarm.peak_c, unit.temperature_unit),
        "lasted": "lasts" if lasted is None else duration_text(lasted),
    }
