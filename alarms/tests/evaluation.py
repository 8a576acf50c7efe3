"""Short notations for readings, and stored excursions compared with the definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from alarms.evaluation.evaluate import evaluate
from alarms.excursions.budget import BUDGET_OF, find_budget_excursions, used_by
from alarms.excursions.detected import DetectedExcursion, EffectiveLimits, SensorReading
from alarms.excursions.detector import detect_excursions
from alarms.excursions.reconcile import COMPARED_FIELDS
from alarms.excursions.units import evaluated_units
from alarms.models import Excursion, LimitVersion
from alarms.thresholds import Limits, Side
from customers.models import StorageUnit
from readings.models import Reading
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import store

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    """Return the instant this number of minutes after START."""
    return START + minutes * MINUTE


def series(
    *temperatures_c: float | None, every: float = 5, sensor_id: int = 1, begin: float = 0
) -> list[SensorReading]:
    """Return one sensor's readings, `every` number of minutes from minute `begin` on."""
    return [SensorReading(at(begin + n * every), sensor_id, each) for n, each in enumerate(temperatures_c)]


def found_in(readings: Iterable[SensorReading], **limits: Any) -> list[DetectedExcursion]:
    """Return the excursions of readings with constant limits, by default 2 to 8 °C."""
    return detect_excursions(readings, [_constant(limits)])


def budgets_in(
    excursions: Sequence[DetectedExcursion], readings: Sequence[SensorReading], side: Side | None, **limits: Any
) -> list[DetectedExcursion]:
    """Return the violated budgets of this side in these excursions of readings with constant limits."""
    used = [each for excursion in excursions for each in used_by(excursion, side)]
    first, last = readings[0].recorded_at, readings[-1].recorded_at
    return find_budget_excursions(used, [_constant(limits)], first, last, side)


def _constant(limits: dict[str, Any]) -> EffectiveLimits:
    values = {"low_warning_c": 2.0, "high_warning_c": 8.0, "gap_limit_seconds": 900} | limits
    return EffectiveLimits(START - timedelta(days=1), Limits(**values))


def set_staleness_limits(seconds: int) -> None:
    """Give all units this staleness limit, as if they had never had another."""
    StorageUnit.objects.update(gap_limit_seconds=seconds)
    LimitVersion.objects.update(gap_limit_seconds=seconds)


@contextmanager
def undone() -> Iterator[None]:
    """Undo what happens inside, so that the examples of a test start from the same rows without creating them again."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def load(rows: Sequence[ReadingRow], now: datetime) -> None:
    """Store and evaluate these rows in one transaction, as loading does."""
    with transaction.atomic():
        columns = ReadingBatch.of_rows(rows)
        evaluate(store(columns).new_spans, columns, now=now)


def by_definition(unit: StorageUnit) -> list[tuple[object, ...]]:
    """Return the excursions of all the unit's readings by definition, as COMPARED_FIELDS."""
    evaluated = evaluated_units([unit.pk])[0]
    found = detect_excursions(measured(unit), evaluated.versions, evaluated.retired)
    return [tuple(getattr(each, name) for name in COMPARED_FIELDS) for each in found]


def budgets_by_definition(unit: StorageUnit, side: Side | None = None) -> list[tuple[object, ...]]:
    """Return the violated budgets of this side of all the unit's readings by definition, as COMPARED_FIELDS."""
    evaluated = evaluated_units([unit.pk])[0]
    readings, versions = measured(unit), evaluated.versions
    if not readings:
        return []
    used = [
        each
        for excursion in detect_excursions(readings, versions, evaluated.retired)
        for each in used_by(excursion, side)
    ]
    newest = max([readings[-1].recorded_at, *evaluated.retired.values()])
    found = find_budget_excursions(used, versions, readings[0].recorded_at, newest, side)
    return [tuple(getattr(each, name) for name in COMPARED_FIELDS) for each in found]


def stored_budgets(unit: StorageUnit) -> list[list[tuple[object, ...]]]:
    """Return the unit's stored excursions of all budgets, by side, as COMPARED_FIELDS."""
    return [stored(unit, budget.kind) for budget in BUDGET_OF.values()]


def all_budgets_by_definition(unit: StorageUnit) -> list[list[tuple[object, ...]]]:
    """Return what `stored_budgets` returns, by definition."""
    return [budgets_by_definition(unit, side) for side in BUDGET_OF]


def measured(unit: StorageUnit) -> list[SensorReading]:
    """Return all readings of the unit in order of time."""
    readings = Reading.objects.filter(storage_unit=unit).order_by("recorded_at", "sensor_id")
    return [SensorReading(*row) for row in readings.values_list("recorded_at", "sensor_id", "temperature_c")]


def stored(unit: StorageUnit, kind: Excursion.Kind = Excursion.Kind.TEMPERATURE) -> list[tuple[object, ...]]:
    """Return the unit's stored excursions as COMPARED_FIELDS."""
    excursions = Excursion.objects.filter(storage_unit=unit, kind=kind).order_by("started_at")
    return list(excursions.values_list(*COMPARED_FIELDS))
