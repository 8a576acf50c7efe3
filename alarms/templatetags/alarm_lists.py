"""The alarms on the pages of units and facilities, and the count of open alarms on every page."""

from __future__ import annotations

from django import template
from django.template import Context
from django.utils import timezone

from alarms import silences
from alarms.models import EvaluationFailure
from alarms.presenters import AlarmPresenter, present_alarms, with_units
from alarms.selectors import (
    AlarmFilter,
    evaluation_failures,
    live_alarms,
    open_count,
    order_by_urgency,
    visible_alarms,
)
from alarms.setup_notices import SetupNotice, setup_notices
from core.scope import Scope
from customers.access import actions
from customers.access.page_principal import page_principal
from customers.models import Facility, StorageUnit

register = template.Library()
MAX_RECENT = 10
MAX_PER_FACILITY = 100


@register.simple_tag(takes_context=True)
def open_alarms(context: Context) -> int:
    """Return the number of open alarms of the signed-in person. One query."""
    return open_count(_scope(context))


@register.simple_tag(takes_context=True)
def missing_setup(context: Context) -> list[SetupNotice]:
    """Return what keeps alarms from reaching anybody, for those who can change it. Four or five queries."""
    return setup_notices(page_principal(context["request"]))


@register.simple_tag(takes_context=True)
def recent_alarms(context: Context, unit: StorageUnit) -> list[AlarmPresenter]:
    """Return the latest alarms of a unit, active ones first. One query."""
    alarms = with_units(visible_alarms(_scope(context), AlarmFilter(unit_id=unit.public_id)))
    latest = present_alarms(alarms[:MAX_RECENT])
    return sorted(latest, key=lambda presenter: not presenter.alarm.is_live)


@register.simple_tag(takes_context=True)
def failed_evaluations(context: Context, unit: StorageUnit) -> list[EvaluationFailure]:
    """Return what could not be evaluated of a unit, oldest first. One query."""
    return list(evaluation_failures(_scope(context)).filter(storage_unit=unit))


@register.simple_tag(takes_context=True)
def silence_text(context: Context, unit: StorageUnit) -> str:
    """Return until when and by whom the unit is silenced, "" if it is not. One query."""
    return silences.silence_text(_scope(context), unit, timezone.now())


@register.simple_tag(takes_context=True)
def facility_alarms(context: Context, facility: Facility) -> list[AlarmPresenter]:
    """Return the live alarms of a facility's units, most urgent first. One query."""
    alarms = live_alarms(_scope(context)).filter(storage_unit__facility=facility)
    return present_alarms(with_units(order_by_urgency(alarms))[:MAX_PER_FACILITY])


def _scope(context: Context) -> Scope:
    return page_principal(context["request"]).scope_of(actions.VIEW_ALARMS)
