"""Settings pages of limits and maintenance windows. Managers edit their customer's, staff the profiles."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from alarms.excursions.what_if import LimitOrderError, Replay, ReplayedAlarm, preview_backdated, replay_limits
from alarms.limits.profiles import limits_choice, lock_unit, own_values
from alarms.limits.versions import default_profile, latest_versions, limits_of, update_versions
from alarms.models import CustomerLimits, LimitProfile, LimitVersion, MaintenanceWindow, Reevaluation, UnitLimits
from alarms.models.limit_locks import lock_limits_of_customer
from alarms.presenters import limit_details
from alarms.selectors import maintenance_windows
from alarms.thresholds import SensorPolicy
from alarms.web.forms import MaintenanceForm
from alarms.web.limit_forms import (
    CustomerLimitsForm,
    LimitProfileForm,
    LimitReplayForm,
    UnitLimitsForm,
    grouped_fields,
)
from core.web.pages import list_page
from core.web.versioned_forms import atomic_post, locked_for
from customers.access import actions
from customers.access.page_principal import (
    needs,
    page_principal,
    settings_context,
    settings_customer,
    settings_unit,
)
from customers.access.principal import Principal
from customers.access.submissions import claim_form
from customers.models import Customer, StorageUnit
from readings.units.formatting import duration_text, temperature_text

GET_OR_POST = ["GET", "HEAD", "POST"]
VERSIONS_PER_PAGE = 10
WINDOWS_PER_PAGE = 25
PROFILES_PER_PAGE = 50


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS, POST=actions.CHANGE_LIMITS)
@atomic_post
def unit_limits_page(request: HttpRequest, public_id: UUID, unit_id: UUID) -> HttpResponse:
    """Show the limits of a unit with their history, and change them for managers."""
    principal, customer, unit = settings_unit(request, public_id, unit_id)
    if request.method == "POST":
        unit = lock_unit(unit.pk)
    form = UnitLimitsForm(request.POST or None, instance=limits_choice(unit))
    preview: dict[str, object] = {}
    if request.method == "POST" and form.is_valid():
        if form.instance.applies_from is None or request.POST.get("previewed") == form.digest:
            form.save()
            messages.success(request, f"Limits of {unit} saved and in effect.")
            return redirect("settings-unit-limits", public_id, unit_id)
        preview = _preview_context(form, unit)
    newest_first = LimitVersion.history.filter(storage_unit=unit).order_by("-valid_from", "-pk")
    versions = list_page(request, newest_first, VERSIONS_PER_PAGE)
    context = settings_context(principal, customer, "units", actions.CHANGE_LIMITS) | {
        "unit": unit,
        "form": form,
        "groups": grouped_fields(form),
        "list": versions,
        "versions": [(version, limit_details(version, unit.temperature_unit)) for version in versions.rows],
        "sensors": unit.sensors.order_by("sensor_code"),
        "named_policy": SensorPolicy.NAMED.value,
        "profile_values": {each.pk: _shown_values(each, form) for each in LimitProfile.objects.all()},
        "is_chosen": UnitLimits.objects.filter(pk=unit.pk).exists(),
        "is_evaluated_again": Reevaluation.objects.filter(pk=unit.pk).exists(),
        **preview,
    }
    return render(request, "settings/unit_limits.html", context)


def _shown_values(profile: LimitProfile, form: UnitLimitsForm) -> dict[str, object]:
    """Return the limits of a profile as the fields of the form show them."""
    return {name: form.fields[name].prepare_value(value) for name, value in own_values(profile).items()}


def _preview_context(form: UnitLimitsForm, unit: StorageUnit) -> dict[str, object]:
    """Return what the entered limits would change if they were backdated."""
    applies_from = form.instance.applies_from or timezone.now()
    replay = preview_backdated(unit, limits_of(form.instance), applies_from, timezone.now())
    return {
        "previewed": form.digest,
        "parts": _parts(replay, unit, "Additional excursions", "Removed excursions", "Excursions in both"),
        "preview_since": replay.since,
        "applies_from": applies_from,
        # Of a local time that occurs twice; Django's date formats leave it out there.
        "zone_name": applies_from.astimezone(unit.facility.zone).tzname(),
    }


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS, POST=actions.CHANGE_DEFAULT_LIMITS)
@atomic_post
def customer_limits_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show the default limits of the customer, and choose their profile for managers."""
    principal, customer = settings_customer(request, public_id)
    if request.method == "POST":
        lock_limits_of_customer(customer.pk)
    chosen = CustomerLimits.objects.filter(customer=customer).select_related("profile").first()
    form = CustomerLimitsForm(request.POST or None, instance=chosen or CustomerLimits(customer=customer))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, f"{form.instance.profile} is in effect for units without limits of their own.")
        return redirect("settings-customer-limits", public_id)
    units = StorageUnit.objects.filter(facility__customer=customer, is_synthetic=False)
    context = settings_context(principal, customer, "units", actions.CHANGE_DEFAULT_LIMITS) | {
        "form": form,
        "chosen": chosen,
        "unit_count": units.filter(chosen_limits=None).count(),
        "default_profile": default_profile(),
    }
    return render(request, "settings/customer_limits.html", context)


@require_safe
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS)
def profiles_page(request: HttpRequest) -> HttpResponse:
    """List the limit profiles, which only staff can change."""
    may_change = not page_principal(request).scope_of(actions.CHANGE_LIMIT_PROFILES).is_empty
    listed = list_page(request, LimitProfile.objects.order_by("name"), PROFILES_PER_PAGE)
    return render(request, "settings/limit_profiles.html", {"list": listed, "may_change": may_change})


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.CHANGE_LIMIT_PROFILES, POST=actions.CHANGE_LIMIT_PROFILES)
@atomic_post
def profile_page(request: HttpRequest, profile_id: UUID | None = None) -> HttpResponse:
    """Edit a limit profile as staff, or add one if there is no id."""
    profile = LimitProfile() if profile_id is None else get_object_or_404(LimitProfile, public_id=profile_id)
    form = LimitProfileForm(request.POST or None, instance=locked_for(request, profile))
    if request.method == "POST" and form.is_valid():
        claim_form(request)
        form.save()
        messages.success(request, f"{profile} saved. Its limits are in effect for all units that use it.")
        return redirect("settings-limit-profiles")
    unit_count = profile.units.count() if profile.pk else 0
    context = {"form": form, "groups": grouped_fields(form), "profile": profile, "unit_count": unit_count}
    return render(request, "settings/limit_profile.html", context)


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS, POST=actions.SCHEDULE_MAINTENANCE)
@atomic_post
def maintenance_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """List the customer's maintenance windows, and schedule one for managers."""
    principal, customer = settings_customer(request, public_id)
    form = MaintenanceForm(request.POST or None, customer=customer, scope=principal.scope)
    if request.method == "POST" and form.is_valid():
        claim_form(request)
        form.instance.created_by = principal.user
        form.save()
        messages.success(request, "Maintenance scheduled.")
        return redirect("settings-maintenance", public_id)
    return render(request, "settings/maintenance.html", _maintenance_context(request, principal, customer, form))


@require_POST
@login_required
@needs(POST=actions.END_MAINTENANCE)
def end_maintenance(request: HttpRequest, public_id: UUID, window_id: UUID) -> HttpResponse:
    """End a maintenance window now, or cancel it if it has not started."""
    _, customer = settings_customer(request, public_id)
    window = get_object_or_404(MaintenanceWindow, customer=customer, public_id=window_id)
    has_ended = window.end_now(timezone.now())
    messages.success(request, "Maintenance window ended." if has_ended else "The maintenance window had already ended.")
    return redirect("settings-maintenance", public_id)


def _maintenance_context(
    request: HttpRequest, principal: Principal, customer: Customer, form: MaintenanceForm
) -> dict[str, object]:
    listed = list_page(request, maintenance_windows(customer), WINDOWS_PER_PAGE)
    context = settings_context(principal, customer, "maintenance", actions.SCHEDULE_MAINTENANCE)
    return context | {"form": form, "list": listed, "now": timezone.now()}


@require_safe
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS)
def limit_replay_page(request: HttpRequest, public_id: UUID, unit_id: UUID) -> HttpResponse:
    """Show which alarms of the last 90 days the requested limits would have added or prevented."""
    principal, customer, unit = settings_unit(request, public_id, unit_id)
    # A unit without readings may have no version yet.
    update_versions([unit.pk])
    in_force = latest_versions([unit.pk])[unit.pk].limits
    form = LimitReplayForm.for_limits(in_force, request.GET, unit.temperature_unit)
    context = settings_context(principal, customer, "units", actions.CHANGE_LIMITS) | {"unit": unit, "form": form}
    if form.is_bound and form.is_valid():
        try:
            replay = replay_limits(unit, form.changes, timezone.now())
            parts = _parts(replay, unit, "Additional alarms", "Prevented alarms", "Unchanged alarms")
            context |= {"replay": replay, "parts": parts}
        except LimitOrderError:
            # Its message lists them in °C.
            form.add_error(None, "Limits must increase from low critical to high critical.")
    return render(request, "settings/limit_replay.html", context)


def _parts(replay: Replay, unit: StorageUnit, *titles: str) -> list[tuple[str, list[dict[str, object]]]]:
    """Return what the limits add, remove and leave, each with its title."""
    added = [_row(each, unit) for each in replay.added]
    removed = [_row(each, unit) for each in replay.removed]
    unchanged = [_row(before, unit, after) for before, after in replay.unchanged]
    return list(zip(titles, (added, removed, unchanged), strict=True))


def _row(alarm: ReplayedAlarm, unit: StorageUnit, after: ReplayedAlarm | None = None) -> dict[str, object]:
    return {
        "alarm": alarm,
        "after": after,
        "peak": temperature_text(alarm.peak_c, unit.temperature_unit),
        "duration": "Ongoing" if alarm.ended_at is None else duration_text(alarm.ended_at - alarm.started_at),
    }
