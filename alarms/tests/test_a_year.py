"""A year of readings arriving in shuffled daily files ends in the same excursions as in order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import transaction

from alarms.evaluation.evaluate import evaluate
from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.models import Excursion
from alarms.tests.evaluation import by_definition, stored
from customers.models import StorageUnit
from readings.storage.reading_batch import ReadingBatch, microseconds_of
from readings.storage.store import store

pytestmark = pytest.mark.django_db

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
# One every three minutes.
DAYS, A_DAY = 365, 480


def year_of_temperatures() -> np.ndarray:
    """5 °C with noise, and forty warm or cold periods of minutes to days, some across midnight."""
    chance = np.random.default_rng(7)
    temperatures_c = np.round(chance.normal(5, 0.3, DAYS * A_DAY), 2)
    for begin, count in zip(chance.integers(0, DAYS * A_DAY, 40), chance.choice([1, 15, 200, 1_300], 40), strict=True):
        temperatures_c[begin : begin + count] += chance.choice([-6, 4, 8])
    temperatures_c[chance.random(DAYS * A_DAY) < 0.0005] = np.nan
    return temperatures_c


def load_day(unit: StorageUnit, sensor_id: int, day: int, temperatures_c: np.ndarray) -> None:
    instants = microseconds_of(NEW_YEAR) + (day * A_DAY + np.arange(A_DAY, dtype=np.int64)) * 180_000_000
    columns = ReadingBatch(
        storage_unit_id=np.full(A_DAY, unit.pk, np.int32),
        sensor_id=np.full(A_DAY, sensor_id, np.int32),
        recorded_at_us=instants,
        temperature_c=temperatures_c[day * A_DAY : (day + 1) * A_DAY],
        scale=np.full(A_DAY, b"C", "S1"),
        quality_score=np.ones(A_DAY),
        equipment_status_id=np.ones(A_DAY, np.int16),
    )
    with transaction.atomic():
        evaluate(store(columns).new_spans, columns, now=LATER)


def test_a_year_in_shuffled_daily_files_ends_in_the_excursions_of_a_year_in_order() -> None:
    temperatures_c = year_of_temperatures()
    limits = {"clearing_delay_seconds": 900, "allowed_seconds": 4 * 3600}
    in_order, shuffled = make_unit(**limits), make_unit(**limits)
    StorageUnit.objects.update(gap_limit_seconds=900)
    days = list(range(DAYS))
    for unit in (in_order, shuffled):
        sensor_id = unit.sensors.order_by("pk").values_list("pk", flat=True)[0]
        for day in days:
            load_day(unit, sensor_id, day, temperatures_c)
        random.Random(3).shuffle(days)
    assert len(stored(in_order)) > 20
    assert stored(shuffled) == stored(in_order) == by_definition(in_order)
    assert stored(shuffled, Excursion.Kind.BUDGET) == stored(in_order, Excursion.Kind.BUDGET) != []
    assert timedelta(seconds=Excursion.objects.latest("outside_seconds").outside_seconds) > timedelta(days=2)
