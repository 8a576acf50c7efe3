"""Evaluate new readings in the transaction that stored them: the only origin of excursions and their alarms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.utils import timezone

from alarms.evaluation import mkt_checks
from alarms.excursions.budget import budget_replacement
from alarms.excursions.prefilter import PrefilterResult, candidates, prefilter, unit_snapshots
from alarms.excursions.reconcile import reconcile
from alarms.excursions.replay_window import replay
from alarms.excursions.sensor_faults import update_faults
from alarms.excursions.units import evaluated_units
from alarms.lifecycle.excursion_alarms import update_alarms
from alarms.limits.versions import update_versions
from alarms.models import Excursion
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import NewSpan


def evaluate(
    new_spans: Mapping[int, NewSpan], columns: ReadingBatch | None = None, *, now: datetime | None = None
) -> None:
    """Update excursions and alarms after the readings in `new_spans` were stored or changed.

    Call it in the transaction that wrote them, which holds the units' locks. `columns`: the batch they arrived in;
    without it every unit is a candidate.
    """
    if not new_spans:
        return
    now = now or timezone.now()
    snapshots = unit_snapshots(new_spans)
    unversioned = [each.unit_id for each in snapshots if each.valid_from is None]
    if unversioned:
        update_versions(unversioned)
    if columns is None:
        prefiltered = PrefilterResult(frozenset(new_spans), frozenset(new_spans))
    else:
        prefiltered = prefilter(columns, snapshots, new_spans)
    candidate_ids = candidates(snapshots, new_spans, prefiltered)
    if candidate_ids:
        evaluate_units({unit_id: new_spans[unit_id] for unit_id in candidate_ids}, now)
    update_faults(prefiltered.without_measurement | {each.unit_id for each in snapshots if each.has_fault})
    mkt_checks.request({each.unit_id: new_spans[each.unit_id].first for each in snapshots if each.has_mkt_limit})


def evaluate_units(spans: Mapping[int, NewSpan], now: datetime) -> None:
    """Replay the readings of these units that their spans affect, and update excursions, alarms and budgets."""
    units = {unit.unit_id: unit for unit in evaluated_units(list(spans))}
    windows = replay(spans, {unit.unit_id: unit.versions for unit in units.values()})
    temperature = [
        units[each.unit_id].replacement(Excursion.Kind.TEMPERATURE, each.found, each.superseded, each.progress)
        for each in windows
    ]
    update_alarms(reconcile(temperature, now), now)
    # Budgets are computed from the excursions that have just been stored.
    budgets = [
        budget_replacement(units[each.unit_id], each.since) for each in windows if units[each.unit_id].has_budget
    ]
    if budgets:
        update_alarms(reconcile(budgets, now), now)
