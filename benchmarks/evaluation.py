"""Measure what evaluation adds to storing: of readings that are all within their limits, and of others."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from django.db import connection, transaction

from alarms.evaluation.evaluate import evaluate
from alarms.limits.versions import update_versions
from alarms.models import LimitVersion, UnitLimits
from benchmarks import excursions, storing
from benchmarks.measuring.cpu_time import elapsed_seconds
from benchmarks.measuring.fleet import make_units
from benchmarks.measuring.results import Results
from customers.models import StorageUnit
from readings.storage.reading_batch import ReadingBatch
from readings.storage.store import store

ROWS = 10_000
ROUNDS = 25
MAX_ADDED = 0.06
SET_TEMPERATURE_C = -70.0
# Wide enough that no reading of the benchmark is outside.
WIDE = {"is_around_set_temperature": True, "warning_deviation_k": 50.0, "critical_deviation_k": 60.0}


def run(results: Results) -> None:
    """Measure readings within limits, the detection of excursions, and the evaluation of readings often outside."""
    _run_within(results)
    excursions.run_detection(results)
    often_outside = make_units(excursions.UNITS, "OFTEN")
    limits = excursions.LIMITS
    names = ("low_warning_c", "high_warning_c", "high_critical_c")
    _set_limits(often_outside, {name: getattr(limits, name) for name in names})
    excursions.run_evaluation(results, often_outside)


def _set_limits(units: list[tuple[int, int]], limits: Mapping[str, float | bool]) -> None:
    """Give the units these limits, as if they had never had others."""
    unit_ids = [unit_id for unit_id, _ in units]
    for unit_id in unit_ids:
        UnitLimits.objects.update_or_create(storage_unit_id=unit_id, defaults=limits)
    LimitVersion.objects.filter(storage_unit__in=unit_ids).delete()
    update_versions(unit_ids)


def _run_within(results: Results) -> None:
    """Print the medians of storing without and with evaluation."""
    units = make_units(storing.UNITS, "EVALUATED")
    StorageUnit.objects.filter(pk__in=[unit_id for unit_id, _ in units]).update(set_temperature=SET_TEMPERATURE_C)
    _set_limits(units, WIDE)
    columns = storing.columns_of(ROWS, units)
    seconds: dict[str, list[float]] = {"stored": [], "stored and evaluated": []}
    for _ in range(ROUNDS + 1):
        for name, work in (("stored", _store), ("stored and evaluated", _store_and_evaluate)):
            with connection.cursor() as cursor:
                cursor.execute(storing.EMPTY)
            _store_and_evaluate(storing.of_the_day_before(columns))
            seconds[name].append(elapsed_seconds(lambda work=work: work(columns)))  # type: ignore[misc]  # a lambda with a default
    stored, evaluated = (statistics.median(each[1:]) for each in seconds.values())
    ratios = [after / before - 1 for before, after in zip(*seconds.values(), strict=True)][1:]
    results.title(f"{storing.UNITS} units, {ROWS:,} readings within limits per batch, medians of {ROUNDS} rounds")
    took = f"{stored * 1e3:.1f} ms stored, {evaluated * 1e3:.1f} ms with evaluation"
    results.add(
        "within limits: added to storing", statistics.median(ratios), "of storing", at_most=MAX_ADDED, note=took
    )


@transaction.atomic
def _store(columns: ReadingBatch) -> None:
    store(columns)


@transaction.atomic
def _store_and_evaluate(columns: ReadingBatch) -> None:
    evaluate(store(columns).new_spans, columns)
