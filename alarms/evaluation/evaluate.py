"""Judging new readings, in the transaction that stored them: the one way in which excursions and their alarms arise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from alarms.evaluation import mkt_checks
from alarms.excursions import sensor_faults
from alarms.excursions.budget import budget_replacement
from alarms.excursions.prefilter import Glance, facts_of, glance_at, suspects
from alarms.excursions.reconcile import replace
from alarms.excursions.replay_window import go_through
from alarms.excursions.units import judged_units
from alarms.lifecycle.transitions import follow
from alarms.limits.versions import renew
from alarms.models import Excursion
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import Span


def evaluate(
    new_spans: Mapping[int, Span], columns: ReadingBatch | None = None, *, now: datetime | None = None
) -> None:
    """Bring excursions and alarms in line with the units' readings, of which those in `new_spans` are new or changed.

    Call it in the transaction that wrote them, which holds the units' locks. `columns`: the batch they came in, if
    there is one; without it each unit is looked at as if something were amiss.
    """
    if not new_spans:
        return
    now = now or timezone.now()
    facts = facts_of(new_spans)
    unversioned = [each.unit_id for each in facts if each.valid_from is None]
    if unversioned:
        renew(unversioned)
    if columns is None:
        glance = Glance(frozenset(new_spans), frozenset(new_spans))
    else:
        glance = glance_at(columns, facts, new_spans)
    suspected = suspects(facts, new_spans, glance)
    if suspected:
        judge({unit_id: new_spans[unit_id] for unit_id in suspected}, now)
    sensor_faults.note(glance.without_measurement | {each.unit_id for each in facts if each.has_fault})
    mkt_checks.request({each.unit_id: new_spans[each.unit_id].first for each in facts if each.has_mkt_limit})


def judge(spans: Mapping[int, Span], now: datetime) -> None:
    """Go through what the readings of these units in their spans make necessary."""
    units = {unit.unit_id: unit for unit in judged_units(list(spans))}
    stretches = go_through(spans, {unit.unit_id: unit.versions for unit in units.values()})
    temperature = [
        units[each.unit_id].replacement(Excursion.Kind.TEMPERATURE, each.found, each.replaced, each.progress)
        for each in stretches
    ]
    follow(replace(temperature, now), now)
    # Budgets are made of the excursions that have just been stored.
    budgets = [
        budget_replacement(units[each.unit_id], each.since) for each in stretches if units[each.unit_id].has_budget
    ]
    if budgets:
        follow(replace(budgets, now), now)
