"""Readings dated ahead in the store, and those that were stored before they were kept apart."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from customers.models import StorageUnit
from readings.models import FutureReading, HourlyRollup, LatestReading, Reading
from readings.storage.future_readings import store_due, units_with_due
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.store import CLOCK_TOLERANCE, NewSpan
from tests.factories import StorageUnitFactory, store_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

NOW = timezone.now()
HOUR = timedelta(hours=1)


@pytest.fixture
def unit() -> StorageUnit:
    unit: StorageUnit = StorageUnitFactory()
    return unit


def temperatures_of(model: type[Reading] | type[FutureReading]) -> list[float | None]:
    return list(model.objects.order_by("temperature_c").values_list("temperature_c", flat=True))


def test_rows_dated_ahead_are_stored_but_not_among_the_new_readings(unit: StorageUnit) -> None:
    result = store_readings(unit, [4.0, 5.0, 6.0], start=NOW, every=HOUR, received_at=NOW)
    assert (result.stored, result.duplicates) == (3, 0)
    assert result.new_spans == {unit.pk: NewSpan(NOW, NOW)}
    assert result.units_ahead == {unit.pk}
    assert temperatures_of(Reading) == [4.0]
    assert temperatures_of(FutureReading) == [5.0, 6.0]


def test_without_an_arrival_nothing_is_ahead(unit: StorageUnit) -> None:
    result = store_readings(unit, [4.0, 5.0], start=NOW, every=HOUR)
    assert (Reading.objects.count(), result.units_ahead) == (2, frozenset())


def test_they_become_readings_once_they_are_no_further_ahead_than_clocks_differ(unit: StorageUnit) -> None:
    store_readings(unit, [4.0, None, 6.0], start=NOW, every=HOUR, received_at=NOW)
    due_at = NOW + HOUR - CLOCK_TOLERANCE
    assert units_with_due(due_at - timedelta(microseconds=1)) == []
    assert units_with_due(due_at) == [unit.pk]
    assert store_due(unit.pk, due_at) == {unit.pk: NewSpan(NOW + HOUR, NOW + HOUR)}
    assert store_due(unit.pk, due_at) == {}
    assert LatestReading.objects.get().temperature_c is None
    counts = HourlyRollup.objects.filter(reading_count__gt=0).values_list("reading_count", "fault_count")
    assert sorted(counts) == [(1, 0), (1, 1)]
    assert FutureReading.objects.get().temperature_c == 6.0


def test_the_update_keeps_apart_what_was_stored_as_of_a_later_time(unit: StorageUnit) -> None:
    store_readings(unit, [4.0, 5.0, 6.0], start=NOW - HOUR, every=2 * HOUR)
    unaffected: StorageUnit = StorageUnitFactory()
    store_readings(unaffected, [7.0], start=NOW)
    migration = import_module("readings.migrations.0007_future_readings")
    with connection.cursor() as cursor:
        cursor.execute(migration.MOVE_FUTURE_READINGS)
        cursor.execute(migration.REQUEST_REBUILDS)
    assert run_requested_rebuilds() == 1
    assert temperatures_of(Reading) == [4.0, 7.0]
    assert temperatures_of(FutureReading) == [5.0, 6.0]
    assert LatestReading.objects.get(storage_unit=unit).temperature_c == 4.0
