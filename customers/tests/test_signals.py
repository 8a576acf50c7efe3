"""`units_changed` tells other apps which units changed, and what about them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from customers.models import StorageUnit
from customers.signals import send_units_changed, unit_attributes, units_changed
from tests.factories import FacilityFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

Changes = dict[int, frozenset[str]]


@pytest.fixture
def received() -> Iterator[list[Changes]]:
    """Collect the changes that the signal announces."""
    collected: list[Changes] = []

    def collect(changes: Changes, **_: object) -> None:
        collected.append(changes)

    units_changed.connect(collect)
    yield collected
    units_changed.disconnect(collect)


def test_a_new_unit_is_announced_without_changes(received: list[Changes]) -> None:
    unit = StorageUnitFactory()

    assert received == [{unit.pk: frozenset()}]


def test_a_saved_unit_is_announced_with_what_changed(received: list[Changes]) -> None:
    unit = StorageUnitFactory(interval_seconds=600)
    received.clear()
    unit.name, unit.interval_seconds = "Freezer 1", 60

    unit.save()

    assert received == [{unit.pk: frozenset({"effective_staleness_limit_seconds"})}]


def test_an_interval_that_does_not_change_the_staleness_limit_is_no_change(received: list[Changes]) -> None:
    unit = StorageUnitFactory(interval_seconds=600, gap_limit_seconds=900)
    received.clear()
    unit.interval_seconds = 60

    unit.save()

    assert received == [{unit.pk: frozenset()}]


def test_a_facility_announces_its_units_only_if_the_time_zone_changed(received: list[Changes]) -> None:
    facility = FacilityFactory(time_zone="UTC")
    units = StorageUnitFactory.create_batch(2, facility=facility)
    received.clear()
    facility.city = "Leeds"
    facility.save()
    assert received == []

    facility.time_zone = "Europe/London"
    facility.save()

    assert received == [{unit.pk: frozenset({"time_zone"}) for unit in units}]


def test_a_bulk_operation_announces_all_units_at_once(received: list[Changes]) -> None:
    units = StorageUnitFactory.create_batch(2, interval_seconds=600)
    received.clear()
    before = {unit.pk: unit_attributes(unit) for unit in units}
    units[0].interval_seconds = 60
    units[1].name = "Freezer 2"
    StorageUnit.objects.bulk_update(units, ["name", "interval_seconds"])

    send_units_changed(units, before)

    assert received == [{units[0].pk: frozenset({"effective_staleness_limit_seconds"}), units[1].pk: frozenset()}]
