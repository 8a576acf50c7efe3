"""The pages of alarms: what lasts and what was, one alarm with its course, and what people do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from alarms.lifecycle import actions
from alarms.limits.versions import version_at
from alarms.models import Alarm, Excursion, LimitVersion
from alarms.presenters import ShownAlarm, excursion_facts, limit_facts, shown_alarms, with_places
from alarms.selectors import (
    SEVERITIES,
    WantedAlarms,
    WantedExcursions,
    open_count,
    urgent_first,
    visible_alarms,
    visible_excursions,
)
from alarms.web.forms import AcknowledgeForm, CloseForm, CommentForm
from core.api.renderers import to_json
from core.scope import Scope
from core.web.htmx import part_asked
from core.web.pagination import list_page
from customers.access.page_principal import page_principal, refuse_unless
from customers.access.principal import Principal
from customers.models import Customer, StorageUnit
from customers.web.facility_options import FacilityName, chosen_of, facilities_to_choose, visible_facilities
from readings.series.chart import milliseconds
from readings.web.ranges import InvalidRange, range_asked

REFRESH_SECONDS = 15
COUNT_REFRESH_SECONDS = 30
ALARMS_A_PAGE = 50
LATELY_CLOSED = 20
MOST_SUPPRESSED = 100
LIST_PARTS = {"alarm-list": "alarms/_list.html", "alarms": "alarms/_alarms.html"}
ALARM_PARTS = {"alarm": "alarms/_alarm.html"}
# What the list may be narrowed to; "" is what lasts, followed by what was closed lately.
STATES = {
    "": ("open", "acknowledged"),
    "open": ("open",),
    "acknowledged": ("acknowledged",),
    "pending": ("pending",),
    "closed": ("closed",),
    "all": (),
}


@require_safe
@never_cache
@login_required
def alarms_page(request: HttpRequest) -> HttpResponse:
    """What is open or acknowledged, the most urgent first, and what was closed lately; narrowed by the query."""
    scope, now = page_principal(request).scope, timezone.now()
    customers = list(Customer.objects.visible_to(scope).values_list("customer_code", "name"))
    chosen = _chosen(request)
    if chosen["customer"]:
        get_object_or_404(Customer.objects.visible_to(scope), customer_code=chosen["customer"])
    facilities = facilities_to_choose(visible_facilities(scope), chosen["customer"])
    facility = chosen_of(facilities, request.GET.get("facility", ""))
    wanted = _wanted(chosen, facility)
    listed = list_page(request, _listed(scope, wanted, chosen["state"]), ALARMS_A_PAGE)
    is_first_of_live = not chosen["state"] and listed.page.number == 1
    lately = _lately_closed(scope, wanted) if is_first_of_live else ()
    context = {
        "list": listed,
        "shown": shown_alarms(listed.rows, now),
        "lately_closed": shown_alarms(lately, now),
        "customers": customers,
        "facilities": facilities,
        "chosen": chosen | {"facility": facility},
        "states": [("", "live"), *((name, name) for name in STATES if name)],
        "kinds": Alarm.Kind.choices,
        "severities": SEVERITIES,
        "refresh_seconds": REFRESH_SECONDS,
        "now": now,
    }
    return render(request, part_asked(request, LIST_PARTS, "alarms/alarms.html"), context)


@require_safe
@never_cache
@login_required
def alarm_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One alarm: what, where and since when, by which limits it was judged, its course, and what was done about it."""
    principal, alarm = _alarm_of(request, public_id)
    return _render_alarm(request, principal, alarm)


@require_POST
@never_cache
@login_required
def acknowledge_alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take the alarm over, with a comment."""
    return _handle(request, public_id, "acknowledge", actions.acknowledge, "The alarm is yours.")


@require_POST
@never_cache
@login_required
def comment_on_alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Add a comment to the alarm."""
    return _handle(request, public_id, "comment", actions.comment, "Your comment is kept.")


@require_POST
@never_cache
@login_required
def close_alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Write down cause and corrective action, and close the alarm."""
    return _handle(request, public_id, "close", actions.close, "Cause and corrective action are written down.")


@require_safe
@never_cache
@login_required
def alarm_count(request: HttpRequest) -> HttpResponse:
    """How many alarms wait for somebody, as the link to them shows it on every page."""
    return render(request, "alarms/_count.html", {"open_alarms": open_count(page_principal(request).scope)})


@require_safe
@never_cache
@login_required
def unit_excursions(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The excursions of a unit in the asked range as JSON, times in ms since 1970, for its chart; 400 for no range."""
    scope = page_principal(request).scope
    unit = get_object_or_404(StorageUnit.objects.visible_to(scope).select_related("facility"), public_id=public_id)
    try:
        span = range_asked(request.GET, unit.pk, unit.facility.zone, timezone.now()).span
    except InvalidRange as error:
        return HttpResponse(to_json({"error": str(error)}), content_type="application/json", status=400)
    wanted = WantedExcursions(kind=Excursion.Kind.TEMPERATURE, unit_id=public_id, start=span.start, end=span.end)
    rows = visible_excursions(scope, wanted).values_list("started_at", "ended_at", "severity")
    shown = [
        {
            "start": milliseconds(started_at),
            "end": None if ended_at is None else milliseconds(ended_at),
            "severity": severity,
        }
        for started_at, ended_at, severity in rows
    ]
    return HttpResponse(to_json(shown), content_type="application/json")


def _listed(scope: Scope, wanted: WantedAlarms, state: str) -> Any:
    alarms = with_places(visible_alarms(scope, wanted))
    return urgent_first(alarms.filter(suppressed_by=None)) if not state else alarms


def _lately_closed(scope: Scope, wanted: WantedAlarms) -> Any:
    return with_places(visible_alarms(scope, wanted._replace(states=STATES["closed"])))[:LATELY_CLOSED]


def _wanted(chosen: dict[str, Any], facility: FacilityName | None) -> WantedAlarms:
    return WantedAlarms(
        states=STATES[chosen["state"]],
        kind=chosen["kind"],
        severity=chosen["severity"],
        customer_code=chosen["customer"],
        facility_id=UUID(facility.public_id) if facility else None,
        text=chosen["text"],
    )


def _chosen(request: HttpRequest) -> dict[str, Any]:
    """What the list is narrowed to; what is no choice narrows nothing."""
    asked = {name: request.GET.get(name, "").strip() for name in ("customer", "state", "kind", "severity", "text")}
    allowed = {"state": STATES, "kind": Alarm.Kind.values, "severity": SEVERITIES}
    return asked | {name: asked[name] if asked[name] in values else "" for name, values in allowed.items()}


def _alarm_of(request: HttpRequest, public_id: UUID) -> tuple[Principal, Alarm]:
    """The caller, and the alarm if the caller may see it; a foreign one is not found."""
    principal = page_principal(request)
    alarms = with_places(Alarm.objects.visible_to(principal.scope)).select_related(
        "excursion__limit_version", "suppressed_by"
    )
    return principal, get_object_or_404(alarms, public_id=public_id)


def _forms(alarm: Alarm, may_operate: bool) -> dict[str, forms.Form]:
    """The forms of what can be done to the alarm, by what they do."""
    if not may_operate:
        return {}
    possible: dict[str, forms.Form] = {}
    if alarm.state == Alarm.State.OPEN:
        possible["acknowledge"] = AcknowledgeForm(prefix="acknowledge")
    if alarm.state == Alarm.State.CLOSED or (alarm.is_live and alarm.ended_at is not None):
        known = {"cause": alarm.cause, "corrective_action": alarm.corrective_action}
        possible["close"] = CloseForm(prefix="close", initial=known)
    return possible | {"comment": CommentForm(prefix="comment")}


_FORMS: dict[str, type[forms.Form]] = {"acknowledge": AcknowledgeForm, "comment": CommentForm, "close": CloseForm}


def _handle(
    request: HttpRequest, public_id: UUID, action: str, handle: Callable[..., Alarm], said: str
) -> HttpResponse:
    """Do it with what the form holds; show the page again with what was wrong."""
    principal, alarm = _alarm_of(request, public_id)
    refuse_unless(principal.may_operate(alarm.customer_id))
    form = _FORMS[action](request.POST, prefix=action)
    if form.is_valid():
        try:
            handle(alarm, by=principal.name, **form.cleaned_data)
        except actions.NotPossible as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, said)
            return redirect("alarm", public_id)
    # Somebody may have been faster: as it is now, and with what was written.
    principal, alarm = _alarm_of(request, public_id)
    return _render_alarm(request, principal, alarm, {action: form})


def _render_alarm(
    request: HttpRequest, principal: Principal, alarm: Alarm, filled_in: dict[str, forms.Form] | None = None
) -> HttpResponse:
    shown, unit = ShownAlarm(alarm, timezone.now()), alarm.storage_unit
    suppressed = with_places(alarm.suppressed.visible_to(principal.scope)).order_by("-started_at", "-pk")
    version = _judged_by(alarm)
    scale = unit.temperature_unit if unit else "C"
    may_operate = principal.may_operate(alarm.customer_id)
    context = {
        "shown": shown,
        "alarm": alarm,
        "unit": unit,
        "limits": limit_facts(version, scale) if version else [],
        "excursion": excursion_facts(alarm.excursion, scale) if alarm.excursion else [],
        "events": alarm.events.order_by("happened_at", "pk"),
        "suppressed": shown_alarms(suppressed[:MOST_SUPPRESSED], shown.now),
        "forms": _forms(alarm, may_operate) | (filled_in or {}),
        "may_operate": may_operate,
        "refresh_seconds": REFRESH_SECONDS,
    }
    return render(request, part_asked(request, ALARM_PARTS, "alarms/alarm.html"), context)


def _judged_by(alarm: Alarm) -> LimitVersion | None:
    """The limits that the alarm's excursion was judged by, else those in force when its cause began."""
    if alarm.excursion is not None:
        return alarm.excursion.limit_version
    return None if alarm.storage_unit_id is None else version_at(alarm.storage_unit_id, alarm.started_at)
