"""Evaluate units' readings again after other limits began to apply to them, an update or the end of a sensor.

Excursions follow the limits. Alarms that were reported stay as they were, and the past gets no new ones: only what is
active now opens, continues or ends an alarm.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from alarms.evaluation import mkt_checks
from alarms.evaluation.evaluate import replace_temperatures
from alarms.evaluation.isolation import Part, Spans, evaluate_part
from alarms.excursions.budget import BUDGET_OF, budget_replacements
from alarms.excursions.reconcile import reconcile
from alarms.excursions.units import evaluated_units
from alarms.lifecycle.excursion_alarms import update_active_alarms
from alarms.models import Reevaluation
from core.db.attempts import begin_attempt, is_due
from readings.models import HourlyRollup, LatestReading
from readings.storage.store import NewSpan, lock_units

logger = structlog.get_logger(__name__)


def run_reevaluations(now: datetime | None = None, *, deadline: datetime | None = None) -> int:
    """Evaluate the requested units again, one transaction per unit; return their number.

    Stop at `deadline`; the next run continues with those that are left. What was interrupted, perhaps because it ended
    the process, is attempted again with increasing delays.
    """
    done = 0
    due = Reevaluation.objects.filter(is_due(now or timezone.now()))
    for unit_id in due.order_by("requested_at").values_list("pk", flat=True):
        if deadline is not None and timezone.now() > deadline:
            break
        at = now or timezone.now()
        done += begin_attempt(Reevaluation, unit_id, at) and _reevaluate(unit_id, at)
    return done


@transaction.atomic
def _reevaluate(unit_id: int, now: datetime) -> bool:
    # Transactions that store for the unit wait.
    lock_units([unit_id])
    request = Reevaluation.objects.filter(pk=unit_id).first()
    if request is None:
        return False
    span = _span(unit_id, request.since)
    if span is not None:
        changed = evaluate_part(Part.TEMPERATURE, _evaluate_temperatures, {unit_id: span}, now)
        evaluate_part(Part.BUDGET, _evaluate_budgets, {unit_id: span} | changed, now)
        mkt_checks.request({unit_id: span.first})
    request.delete()
    logger.info("unit evaluated again", storage_unit_id=unit_id, since=request.since.isoformat(), reason=request.reason)
    return True


def _evaluate_temperatures(spans: Spans, now: datetime) -> Spans:
    return {unit.unit_id: span for unit, span in replace_temperatures(spans, now, update_active_alarms)}


def _evaluate_budgets(spans: Spans, now: datetime) -> Spans:
    """Replace the budget excursions of these units, also those of limits that have been superseded."""
    replacements = [
        replacement
        for unit in evaluated_units(list(spans))
        for replacement in budget_replacements(unit, spans[unit.unit_id].first, list(BUDGET_OF))
    ]
    update_active_alarms(reconcile(replacements, now), now)
    return {}


def _span(unit_id: int, since: datetime) -> NewSpan | None:
    """Return the period to evaluate, from the newest reading on if that is before `since`; None without readings.

    What was outside at the newest reading may have lasted until a sensor was retired, and the limits until then count.
    """
    newest = LatestReading.objects.filter(pk=unit_id).values_list("recorded_at", flat=True).first()
    hours = HourlyRollup.objects.filter(storage_unit=unit_id).order_by("hour").values_list("hour", flat=True)
    first_hour = hours.first()
    if newest is None or first_hour is None:
        return None
    return NewSpan(max(min(since, newest), first_hour), newest)
