"""Retire a unit's sensors, or return them to service, on its limits page. Managers only."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from alarms.limits.retirement import RetirementError, retire, return_to_service
from alarms.models.limit_locks import lock_limits_of_units
from alarms.web.forms import LocalTimeField
from core.web.versioned_forms import atomic_post, locked_for, was_opened_with
from customers.access import actions
from customers.access.audit_actor import audit_actor
from customers.access.page_principal import needs, settings_unit


class RetirementForm(forms.Form):
    """From when on a sensor is retired, as a local time of its facility."""

    retired_at = LocalTimeField(required=False)


@require_POST
@login_required
@needs(POST=actions.CHANGE_LIMITS)
@atomic_post
def change_retirement(request: HttpRequest, public_id: UUID, unit_id: UUID, sensor_id: int) -> HttpResponse:
    """Retire a sensor from the given time on, now by default, or return a retired one to service."""
    _, _, unit = settings_unit(request, public_id, unit_id)
    lock_limits_of_units([unit.pk])  # before the sensor: see `alarms.models.limit_locks`
    sensor = locked_for(request, get_object_or_404(unit.sensors, pk=sensor_id))
    form = RetirementForm(request.POST)
    if not was_opened_with(request, sensor.retired_at.isoformat() if sensor.retired_at else ""):
        messages.error(request, f"Sensor {sensor} was changed meanwhile by somebody else. The table shows it as it is.")
    elif "return" in request.POST:
        return_to_service(sensor, by=audit_actor())
        messages.success(request, f"Sensor {sensor} counts again. The unit is evaluated again within a minute.")
    elif form.is_valid():
        local = form.cleaned_data["retired_at"]
        try:
            retire(sensor, local.replace(tzinfo=unit.facility.zone) if local else timezone.now(), by=audit_actor())
            messages.success(request, f"Sensor {sensor} is retired. The unit is evaluated again within a minute.")
        except RetirementError as error:
            messages.error(request, f"Sensor {sensor} is not retired. {error}")
    else:
        messages.error(request, f"Sensor {sensor} is not retired. Enter a date and a time.")
    return redirect("settings-unit-limits", public_id, unit_id)
