"""Evaluate new readings in the transaction that stored them: the only origin of excursions and their alarms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from alarms.evaluation import mkt_checks
from alarms.evaluation.isolation import Part, Spans, Work, evaluate_part
from alarms.excursions.budget import budget_replacements
from alarms.excursions.prefilter import PrefilterResult, UnitSnapshot, candidates, prefilter, unit_snapshots
from alarms.excursions.reconcile import Reconciled, reconcile
from alarms.excursions.replay_window import replay
from alarms.excursions.sensor_faults import update_faults
from alarms.excursions.units import EvaluatedUnit, evaluated_units
from alarms.lifecycle.excursion_alarms import update_alarms
from alarms.limits.versions import update_versions
from alarms.models import Excursion
from core.db.savepoints import is_transaction_lost
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import NewSpan

logger = structlog.get_logger(__name__)

# Their readings are fetched together, which takes memory.
UNITS_AT_ONCE = 500


@dataclass(slots=True)
class Evaluation:
    """The evaluation of the batches of a delivery, at the end of the transaction that stores them.

    Each unit is replayed once, not once for each batch. Once a batch has made a unit a candidate, the following ones
    extend what is evaluated of it, because the prefilter does not see what has not been evaluated.
    """

    _temperatures: dict[int, NewSpan] = field(default_factory=dict)
    _faults: dict[int, NewSpan] = field(default_factory=dict)
    _mkt: dict[int, NewSpan] = field(default_factory=dict)
    _failed: set[tuple[int, str]] = field(default_factory=set)

    def add(self, new_spans: Mapping[int, NewSpan], columns: ReadingBatch | None = None) -> None:
        """Add the readings in `new_spans`, which the transaction has stored or changed, and holds the units' locks.

        columns: the batch they arrived in; without it every unit is a candidate.
        """
        if not new_spans:
            return
        snapshots, prefiltered = _prefilter(columns, new_spans)
        candidate_ids = candidates(snapshots, prefiltered)
        faulty_ids = prefiltered.without_measurement | {each.unit_id for each in snapshots if each.has_fault}
        with_mkt = [each.unit_id for each in snapshots if each.has_mkt_limit or each.valid_from is None]
        for spans, unit_ids in ((self._temperatures, candidate_ids), (self._faults, faulty_ids), (self._mkt, with_mkt)):
            for unit_id in (spans.keys() & new_spans.keys()).union(unit_ids):
                spans[unit_id] = new_spans[unit_id].extended(spans.get(unit_id))
        self._failed |= {(each.unit_id, part) for each in snapshots for part in each.failed_parts}

    def run(self, now: datetime | None = None) -> None:
        """Update excursions and alarms after what was added.

        A unit that cannot be evaluated raises nothing: it is recorded as an EvaluationFailure and retried, and
        everything else continues.
        """
        now = now or timezone.now()
        unit_ids = sorted(self._temperatures)
        for begin in range(0, len(unit_ids), UNITS_AT_ONCE):
            some = unit_ids[begin : begin + UNITS_AT_ONCE]
            evaluate_units({each: self._temperatures[each] for each in some}, now, self._failed)
        if self._faults:
            evaluate_part(Part.SENSOR_FAULT, evaluate_faults, self._faults, now, self._failed)
        if self._mkt:
            evaluate_part(Part.MKT, request_mkt_checks, self._mkt, now, self._failed)


def evaluate(
    new_spans: Mapping[int, NewSpan], columns: ReadingBatch | None = None, *, now: datetime | None = None
) -> None:
    """Update excursions and alarms after the readings in `new_spans`: see `Evaluation`."""
    evaluation = Evaluation()
    evaluation.add(new_spans, columns)
    evaluation.run(now)


def evaluate_units(spans: Spans, now: datetime, failed: Collection[tuple[int, str]] = ()) -> None:
    """Evaluate temperatures and then budgets of these units, except what waits for a retry."""
    depending = evaluate_part(Part.TEMPERATURE, evaluate_temperatures, spans, now, failed)
    evaluate_part(Part.BUDGET, evaluate_budgets, depending, now, failed)


def evaluate_temperatures(spans: Spans, now: datetime) -> Spans:
    """Update the temperature excursions and alarms of these units; return the spans that budgets depend on, if any."""
    return {unit.unit_id: span for unit, span in replace_temperatures(spans, now, update_alarms) if unit.budget_sides}


def replace_temperatures(
    spans: Spans, now: datetime, update: Callable[[Reconciled, datetime], None]
) -> list[tuple[EvaluatedUnit, NewSpan]]:
    """Replay the readings that the spans affect and update excursions; return each unit with what may have changed.

    Units that have no limits yet are given theirs. `update` brings the alarms up to date.
    """
    units = {unit.unit_id: unit for unit in evaluated_units(list(spans))}
    if unversioned := [unit_id for unit_id, unit in units.items() if not unit.versions]:
        update_versions(unversioned)
        units |= {unit.unit_id: unit for unit in evaluated_units(unversioned)}
    windows = replay(spans, units)
    replacements = [
        units[each.unit_id].replacement(Excursion.Kind.TEMPERATURE, each.found, each.superseded, each.progress)
        for each in windows
    ]
    update(reconcile(replacements, now), now)
    return [(units[each.unit_id], NewSpan(each.since, max(each.since, spans[each.unit_id].last))) for each in windows]


def evaluate_budgets(spans: Spans, now: datetime) -> Spans:
    """Update the budget excursions and alarms of these units from their stored temperature excursions."""
    budgets = [
        replacement
        for unit in evaluated_units(list(spans))
        if (sides := unit.budget_sides)
        for replacement in budget_replacements(unit, spans[unit.unit_id].first, sides)
    ]
    update_alarms(reconcile(budgets, now), now)
    return {}


def evaluate_faults(spans: Spans, now: datetime) -> Spans:
    """Update the faults of these units' sensors."""
    update_faults(spans)
    return {}


def request_mkt_checks(spans: Spans, now: datetime) -> Spans:
    """Request that the mean kinetic temperatures of these units are checked."""
    mkt_checks.request({unit_id: span.first for unit_id, span in spans.items()})
    return {}


# What a retry runs. MKT limits are retried by `alarms.evaluation.mkt_checks`, which waits for refreshed roll-ups.
WORK_OF: Mapping[Part, Work] = {
    Part.TEMPERATURE: evaluate_temperatures,
    Part.BUDGET: evaluate_budgets,
    Part.SENSOR_FAULT: evaluate_faults,
}


def _prefilter(
    columns: ReadingBatch | None, new_spans: Mapping[int, NewSpan]
) -> tuple[list[UnitSnapshot], PrefilterResult]:
    """Return the units' snapshots and the prefilter's result; every unit without a batch, or if something fails."""
    snapshots: list[UnitSnapshot] = []
    try:
        with transaction.atomic():
            snapshots = unit_snapshots(new_spans)
        if columns is not None:
            return snapshots, prefilter(columns, snapshots, new_spans)
    except Exception:
        if is_transaction_lost():
            raise
        logger.exception("prefilter failed, every unit is evaluated", unit_ids=sorted(new_spans))
        snapshots = snapshots or [UnitSnapshot.unknown(unit_id) for unit_id in sorted(new_spans)]
    return snapshots, PrefilterResult(frozenset(new_spans), frozenset(new_spans))
