"""The alarms on the pages of units and facilities, and the count of open alarms on every page."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from alarms.presenters import ShownAlarm, shown_alarms, with_places
from alarms.selectors import WantedAlarms, live_alarms, open_count, urgent_first, visible_alarms
from customers.access.page_principal import page_principal
from customers.models import Facility, StorageUnit

register = template.Library()
RECENT = 10
MOST_OF_FACILITY = 100


@register.simple_tag(takes_context=True)
def open_alarms(context: Context) -> int:
    """Return the number of open alarms of the signed-in person. One query."""
    return open_count(page_principal(context["request"]).scope)


@register.simple_tag(takes_context=True)
def recent_alarms(context: Context, unit: StorageUnit) -> list[ShownAlarm]:
    """Return the latest alarms of a unit, active ones first. One query."""
    alarms = with_places(visible_alarms(_scope(context), WantedAlarms(unit_id=unit.public_id)))
    newest = shown_alarms(alarms[:RECENT])
    return sorted(newest, key=lambda shown: not shown.alarm.is_live)


@register.simple_tag(takes_context=True)
def live_alarms_of(context: Context, facility: Facility) -> list[ShownAlarm]:
    """Return the live alarms of a facility's units, most urgent first. One query."""
    alarms = live_alarms(_scope(context)).filter(storage_unit__facility=facility)
    return shown_alarms(with_places(urgent_first(alarms))[:MOST_OF_FACILITY])


def _scope(context: Context) -> Any:
    return page_principal(context["request"]).scope
