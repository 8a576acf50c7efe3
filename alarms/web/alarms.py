"""Pages of alarms: the list, one alarm with its chart and timeline, and the actions on it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from alarms.excursions.until_now import count_until
from alarms.lifecycle import actions
from alarms.limits.versions import version_at
from alarms.models import Alarm, AlarmSignature, LimitVersion
from alarms.presenters import AlarmPresenter, excursion_details, limit_details, present_alarms, with_units
from alarms.selectors import (
    AlarmFilter,
    open_count,
    order_by_urgency,
    visible_alarms,
)
from alarms.silences import silence_text
from alarms.thresholds import Severity
from alarms.web.forms import AcknowledgeForm, CloseForm, CommentForm, SignedForm
from alarms.web.signing import passkey_options, present_signatures, signed
from core.scope import Scope
from core.web.pages import list_page, requested_template
from customers.access import actions as access
from customers.access.page_principal import needs, page_principal, refuse_unless
from customers.access.passkey_confirmation import has_passkey
from customers.access.principal import Principal
from customers.access.reauthentication import NotConfirmed
from customers.access.submissions import claim_form
from customers.models import Customer
from customers.trail.selectors import history_of
from customers.web.facility_options import FacilityName, facility_options, selected_facility, visible_facilities
from customers.web.trail import history_page

REFRESH_SECONDS = 15
ALARMS_PER_PAGE = 50
MAX_RECENTLY_CLOSED = 20
MAX_PENDING = 50
MAX_INHIBITED = 100
LIST_PARTS = {"alarm-list": "alarms/_list.html", "alarms": "alarms/_alarms.html"}
ALARM_PARTS = {"alarm": "alarms/_alarm.html"}
# Filters by state; "" lists active alarms, followed by recently closed ones.
STATES = {
    "": ("open", "acknowledged"),
    "open": ("open",),
    "acknowledged": ("acknowledged",),
    "pending": ("pending",),
    "closed": ("closed",),
    "all": (),
}

# Filters by drill: included, hidden or nothing else.
DRILLS = {"": None, "hidden": False, "only": True}


@require_safe
@never_cache
@login_required
@needs(GET=access.VIEW_ALARMS)
def alarms_page(request: HttpRequest) -> HttpResponse:
    """List active alarms, most urgent first, and recently closed ones, filtered by the query."""
    scope, now = page_principal(request).scope, timezone.now()
    customers = list(Customer.objects.visible_to(scope).values_list("customer_code", "name"))
    filters = _filters(request)
    if filters["customer"]:
        get_object_or_404(Customer.objects.visible_to(scope), customer_code=filters["customer"])
    facilities = facility_options(visible_facilities(scope), filters["customer"])
    facility = selected_facility(facilities, request.GET.get("facility", ""))
    alarm_filter = _alarm_filter(filters, facility)
    listed = list_page(request, _alarm_rows(scope, alarm_filter, filters["state"]), ALARMS_PER_PAGE)
    is_first_active_page = not filters["state"] and listed.page.number == 1
    recently_closed = _newest(scope, alarm_filter, "closed", MAX_RECENTLY_CLOSED) if is_first_active_page else ()
    pending = _newest(scope, alarm_filter, "pending", MAX_PENDING) if is_first_active_page else ()
    context = {
        "list": listed,
        "rows": present_alarms(listed.rows, now),
        "pending": present_alarms(pending, now),
        "recently_closed": present_alarms(recently_closed, now),
        "customers": customers,
        "facilities": facilities,
        "filters": filters,
        "is_filtered": bool(facility or any(filters.values())),
        "selected_facility": facility,
        "states": [("", "Active"), *((name, name.capitalize()) for name in STATES if name)],
        "drills": [("", "Included"), *((name, name.capitalize()) for name in DRILLS if name)],
        "kinds": Alarm.Kind.choices,
        "severities": [*Severity],
        "refresh_seconds": REFRESH_SECONDS,
        "now": now,
    }
    return render(request, requested_template(request, LIST_PARTS, "alarms/alarms.html"), context)


@require_safe
@never_cache
@login_required
@needs(GET=access.VIEW_ALARMS)
def alarm_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show one alarm with its timeline, temperature chart and the limits that applied."""
    principal, alarm = _alarm_of(request, public_id)
    return _render_alarm(request, principal, alarm)


@require_safe
@never_cache
@login_required
@needs(GET=access.VIEW_ALARMS)
def alarm_history(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Show who changed what about the alarm, and who signed it."""
    _, alarm = _alarm_of(request, public_id)
    unit = alarm.storage_unit
    return history_page(
        request,
        history_of(alarm, *AlarmSignature.objects.filter(alarm=alarm)),
        name=f"{alarm.get_kind_display().capitalize()}: {unit or alarm.source_name}",
        title="Alarm",
        page=reverse("alarm", args=[alarm.public_id]),
        parents=[("Alarms", reverse("alarms")), (alarm.customer.name, "")],
        time_zone=unit.facility.time_zone if unit else "UTC",
    )


@require_POST
@never_cache
@login_required
@needs(POST=access.HANDLE_ALARMS)
def acknowledge_alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Acknowledge the alarm with a comment."""
    return _handle_action(request, public_id, "acknowledge", actions.acknowledge, "Alarm acknowledged.")


@require_POST
@never_cache
@login_required
@needs(POST=access.HANDLE_ALARMS)
def comment_on_alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Add a comment to the alarm."""
    return _handle_action(request, public_id, "comment", actions.comment, "Comment added.")


@require_POST
@never_cache
@login_required
@needs(POST=access.HANDLE_ALARMS)
def close_alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Record cause and corrective action, and close the alarm."""
    return _handle_action(request, public_id, "close", actions.close, "Cause and corrective action saved.")


@require_POST
@never_cache
@login_required
@needs(POST=access.HANDLE_ALARMS)
def signing_options(request: HttpRequest, public_id: UUID, action: str) -> HttpResponse:
    """Return as JSON what a passkey is asked for, to sign the action's form as it is filled in."""
    principal, alarm = _alarm_of(request, public_id)
    refuse_unless(principal.may(access.HANDLE_ALARMS, alarm.customer_id))
    if action not in _SIGNED_FORMS:
        raise Http404("Only acknowledging and closing are signed.")
    form = _SIGNED_FORMS[action](request.POST, prefix=action, **_signing_options(alarm, principal))
    return passkey_options(principal, alarm, action, form)


@require_safe
@never_cache
@login_required
@needs(GET=access.VIEW_ALARMS, is_open=True)
def alarm_count(request: HttpRequest) -> HttpResponse:
    """Render the number of unacknowledged alarms beside the link in the navigation."""
    return render(request, "alarms/_count.html", {"open_alarms": open_count(page_principal(request).scope)})


def _alarm_rows(scope: Scope, alarm_filter: AlarmFilter, state: str) -> QuerySet[Alarm]:
    alarms: QuerySet[Alarm] = with_units(visible_alarms(scope, alarm_filter))
    return order_by_urgency(alarms.filter(suppressed_by=None)) if not state else alarms


def _newest(scope: Scope, alarm_filter: AlarmFilter, state: str, most: int) -> QuerySet[Alarm]:
    alarms: QuerySet[Alarm] = with_units(visible_alarms(scope, alarm_filter._replace(states=STATES[state])))
    return alarms[:most]


def _alarm_filter(filters: dict[str, str], facility: FacilityName | None) -> AlarmFilter:
    return AlarmFilter(
        states=STATES[filters["state"]],
        kind=filters["kind"],
        severity=filters["severity"],
        customer_code=filters["customer"],
        facility_id=UUID(facility.public_id) if facility else None,
        text=filters["text"],
        is_drill=DRILLS[filters["drills"]],
    )


def _filters(request: HttpRequest) -> dict[str, str]:
    """Return the filters of the list; unknown choices are ignored."""
    names = ("customer", "state", "kind", "severity", "drills", "text")
    query = {name: request.GET.get(name, "").strip() for name in names}
    allowed = {"state": STATES, "kind": Alarm.Kind.values, "severity": [*Severity], "drills": DRILLS}
    return query | {name: query[name] if query[name] in values else "" for name, values in allowed.items()}


def _alarm_of(request: HttpRequest, public_id: UUID) -> tuple[Principal, Alarm]:
    """Return the principal and the alarm. Raise Http404 if it is not visible to the principal."""
    principal = page_principal(request)
    alarms = with_units(Alarm.objects.visible_to(principal.scope_of(access.VIEW_ALARMS))).select_related(
        "excursion__limit_version", "suppressed_by"
    )
    return principal, get_object_or_404(alarms, public_id=public_id)


def _forms(alarm: Alarm, principal: Principal, may_operate: bool) -> dict[str, forms.Form]:
    """Return the forms of the possible actions by their names."""
    if not may_operate:
        return {}
    possible: dict[str, forms.Form] = {}
    signing = _signing_options(alarm, principal)
    if alarm.state == Alarm.State.OPEN:
        possible["acknowledge"] = AcknowledgeForm(prefix="acknowledge", **signing)
    if alarm.state == Alarm.State.CLOSED or (alarm.is_live and alarm.ended_at is not None):
        known = {"cause": alarm.cause, "corrective_action": alarm.corrective_action}
        possible["close"] = CloseForm(prefix="close", initial=known, **signing)
    return possible | {"comment": CommentForm(prefix="comment")}


def _signing_options(alarm: Alarm, principal: Principal) -> dict[str, bool]:
    """Return how forms are signed: only people can sign, some have a passkey, and some customers require it."""
    return {
        "is_required": alarm.customer.requires_signatures,
        "may_sign": principal.user is not None,
        "has_passkey": principal.user is not None and has_passkey(principal.user),
    }


_SIGNED_FORMS: dict[str, type[SignedForm]] = {"acknowledge": AcknowledgeForm, "close": CloseForm}
_FORMS: dict[str, type[forms.Form]] = {**_SIGNED_FORMS, "comment": CommentForm}


def _handle_action(
    request: HttpRequest, public_id: UUID, action: str, perform: Callable[..., Alarm], success_message: str
) -> HttpResponse:
    """Perform the action with the form's data, or show the page again with the errors."""
    principal, alarm = _alarm_of(request, public_id)
    refuse_unless(principal.may(access.HANDLE_ALARMS, alarm.customer_id))
    form_class = _FORMS[action]
    form = (
        form_class(request.POST, prefix=action, **_signing_options(alarm, principal))
        if issubclass(form_class, SignedForm)
        else form_class(request.POST, prefix=action)
    )
    if form.is_valid():
        try:
            details = signed(request, principal, alarm, action, form.cleaned_data)
            with transaction.atomic():
                claim_form(request)
                perform(alarm, by=principal.name, **details)
        except (actions.ActionNotAllowed, NotConfirmed) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, success_message)
            return redirect(f"{reverse('alarm', args=[public_id])}#messages")
    # Somebody else may have changed the alarm: show its current state with the submitted data.
    principal, alarm = _alarm_of(request, public_id)
    return _render_alarm(request, principal, alarm, {action: form})


def _render_alarm(
    request: HttpRequest, principal: Principal, alarm: Alarm, submitted: dict[str, forms.Form] | None = None
) -> HttpResponse:
    presenter, unit = AlarmPresenter(alarm, timezone.now()), alarm.storage_unit
    scope = principal.scope_of(access.VIEW_ALARMS)
    inhibited = with_units(alarm.suppressed.visible_to(scope)).order_by("-started_at", "-pk")
    version = _limit_version(alarm)
    scale = unit.temperature_unit if unit else "C"
    may_operate = principal.may(access.HANDLE_ALARMS, alarm.customer_id)
    if alarm.excursion:
        count_until(presenter.now, [alarm.excursion])
    context = {
        "presenter": presenter,
        "alarm": alarm,
        "unit": unit,
        "limits": limit_details(version, scale) if version else [],
        "excursion": excursion_details(alarm.excursion, scale) if alarm.excursion else [],
        "events": alarm.events.order_by("happened_at", "pk"),
        "signatures": present_signatures(alarm),
        "silence": silence_text(scope, unit, presenter.now) if unit and alarm.is_live else "",
        "inhibited": present_alarms(inhibited[:MAX_INHIBITED], presenter.now),
        "forms": _forms(alarm, principal, may_operate) | (submitted or {}),
        "may_operate": may_operate,
        "refresh_seconds": REFRESH_SECONDS,
    }
    return render(request, requested_template(request, ALARM_PARTS, "alarms/alarm.html"), context)


def _limit_version(alarm: Alarm) -> LimitVersion | None:
    """Return the limits that the excursion was evaluated with, or those in force when the condition began."""
    if alarm.excursion is not None:
        return alarm.excursion.limit_version
    return None if alarm.storage_unit_id is None else version_at(alarm.storage_unit_id, alarm.started_at)
