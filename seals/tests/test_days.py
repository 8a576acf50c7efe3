"""Closed days are sealed once, with all they hold; what arrives or changes later is in later seals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.crypto.merkle import CHAIN_START
from customers.models import StorageUnit
from readings.models import FutureReading, Reading, ReadingRevision
from readings.storage.closing import closes_at, start_of
from readings.storage.revisions import NewMeasurement, replace_measurement
from readings.storage.rollups import rebuild
from seals.days import due_day
from seals.models import ReadingBlock
from seals.tests.sealed_data import (
    BEGAN_AT,
    DAY,
    NEXT_DAY,
    arrive_late,
    findings_of,
    seal_until,
    settled_at,
    store_in_time,
)
from tests.factories import CustomerFactory, StorageUnitFactory, sensor_of, withdraw_readings

pytestmark = pytest.mark.django_db

CLOSE = closes_at(DAY)
NEXT_CLOSE = closes_at(NEXT_DAY)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory()


def test_a_day_is_sealed_once_it_is_closed(unit: StorageUnit) -> None:
    customer = unit.facility.customer
    store_in_time(unit, [5.0, 5.5, None])

    assert seal_until(CLOSE - timedelta(microseconds=1), customer) == []
    (seal,) = seal_until(CLOSE, customer)

    assert (seal.day, seal.sequence, seal.closed_at) == (DAY, 1, CLOSE)
    assert (seal.block_count, seal.reading_count) == (1, 3)
    assert bytes(seal.previous_root) == CHAIN_START
    assert len(seal.root) == 32
    assert seal_until(CLOSE, customer) == []


def test_seals_follow_one_another_also_for_days_without_readings(unit: StorageUnit) -> None:
    store_in_time(unit, [5.0])

    first, second = seal_until(NEXT_CLOSE, unit.facility.customer)

    assert (second.day, second.sequence, second.reading_count) == (NEXT_DAY, 2, 0)
    assert bytes(second.previous_root) == bytes(first.root)


def test_the_days_before_sealing_began_are_closed_together(unit: StorageUnit) -> None:
    store_in_time(unit, [5.0], start=datetime(2026, 5, 3, 12, tzinfo=UTC))
    store_in_time(unit, [6.0], start=start_of(DAY))

    seals = seal_until(NEXT_CLOSE, unit.facility.customer)

    days = [(f"{seal.day:%d.%m.}", seal.reading_count, seal.closed_at) for seal in seals]
    assert days == [("03.05.", 1, CLOSE), ("01.06.", 1, CLOSE), ("02.06.", 0, NEXT_CLOSE)]
    assert findings_of(unit.facility.customer) == []


def test_late_readings_are_in_the_seal_of_the_day_on_which_they_arrived(unit: StorageUnit) -> None:
    customer = unit.facility.customer
    store_in_time(unit, [5.0, 5.5])
    (first,) = seal_until(CLOSE, customer)
    arrived_at = CLOSE + timedelta(hours=2)
    arrive_late(unit, [9.0, 9.5], start=start_of(DAY) + timedelta(minutes=5), arrived_at=arrived_at)

    assert findings_of(customer) == []
    (second,) = seal_until(NEXT_CLOSE, customer)

    assert (second.day, second.reading_count) == (NEXT_DAY, 2)
    late = ReadingBlock.objects.get(seal=second)
    assert (late.day, late.arrived_at, late.reading_count) == (DAY, arrived_at, 2)
    first.refresh_from_db()
    assert first.reading_count == 2
    assert findings_of(customer) == []


def test_a_reading_that_is_replaced_or_withdrawn_later_does_not_invalidate_its_seal(unit: StorageUnit) -> None:
    customer = unit.facility.customer
    store_in_time(unit, [5.0, 5.5, 6.0])
    seal_until(CLOSE, customer)

    new = NewMeasurement(7.0, "C", 1.0, 1)
    replace_measurement(unit, sensor_of(unit).pk, start_of(DAY), new, by="anna", reason="The probe was swapped.")
    replace_measurement(unit, sensor_of(unit).pk, start_of(DAY), new, by="anna", reason="Again.")
    withdraw_readings(unit, start_of(DAY) + timedelta(minutes=15))

    assert findings_of(customer) == []
    ReadingRevision.objects.update(revised_at=CLOSE + timedelta(hours=1))
    (second,) = seal_until(NEXT_CLOSE, customer)
    assert second.revision_count == 3
    assert findings_of(customer) == []


def test_a_day_whose_readings_were_all_withdrawn_before_the_task_ran_is_sealed_as_it_was(unit: StorageUnit) -> None:
    customer = unit.facility.customer
    store_in_time(unit, [5.0])
    other = StorageUnitFactory(facility=unit.facility)
    store_in_time(other, [4.0])
    withdraw_readings(unit, start_of(DAY))
    rebuild([unit.pk])

    (seal,) = seal_until(CLOSE, customer)

    assert (seal.block_count, seal.reading_count) == (2, 2)
    assert not Reading.objects.filter(storage_unit=unit).exists()
    assert findings_of(customer) == []


def test_a_day_waits_for_readings_dated_ahead(unit: StorageUnit) -> None:
    customer = unit.facility.customer
    FutureReading.objects.create(
        storage_unit=unit,
        sensor=sensor_of(unit),
        equipment_status_id=1,
        recorded_at=start_of(NEXT_DAY) - timedelta(minutes=1),
        scale="C",
    )

    assert seal_until(CLOSE, customer) == []

    FutureReading.objects.all().delete()
    assert len(seal_until(CLOSE, customer)) == 1


def test_a_customer_of_later_begins_with_its_own_first_day() -> None:
    customer = CustomerFactory()
    assert customer.created_at > BEGAN_AT

    assert due_day(customer, settled_at(NEXT_CLOSE)) is None


def test_the_trail_of_the_system_and_of_a_customer_are_in_their_own_seals(unit: StorageUnit) -> None:
    customer = unit.facility.customer
    customer.name = "Another name"
    customer.save()

    (of_system,), (of_customer,) = seal_until(CLOSE, None), seal_until(CLOSE, customer)

    assert of_customer.entry_count > 0
    assert of_system.entry_count > 0
    assert of_system.customer is None
    assert findings_of(customer) == []
