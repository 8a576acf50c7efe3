"""The first choice of a unit's limits applies from its first reading; until then its limits alert nobody."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from alarms.evaluation.reevaluation import run_reevaluations
from alarms.limits.versions import FIRST_VALID_FROM, update_versions
from alarms.models import Alarm, CustomerLimits, Excursion, LimitProfile, LimitVersion, Reevaluation, UnitLimits
from alarms.tests.evaluation import at, by_definition, load, stored
from customers.models import StorageUnit
from readings.storage.reading_batch import ReadingRow
from tests.factories import SensorFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

OWN = {"high_warning_c": 8.0, "high_delay_seconds": 600}


@pytest.fixture
def unit() -> StorageUnit:
    """Return a unit at 5 °C of a customer that has chosen no limits."""
    sensor = SensorFactory(storage_unit__facility__customer__has_limits=False, storage_unit__interval_seconds=300)
    return sensor.storage_unit


def read(unit: StorageUnit, *readings: tuple[float, float]) -> None:
    """Store and evaluate each reading when it is measured."""
    sensor = unit.sensors.get()
    for minute, temperature_c in readings:
        load([ReadingRow(unit.pk, sensor.pk, at(minute), temperature_c)], at(minute))


def versions_of(unit: StorageUnit) -> list[tuple[datetime, str, bool]]:
    versions = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    return list(versions.values_list("valid_from", "profile_name", "is_provisional"))


def test_the_default_profile_is_provisional_and_alerts_nobody(unit: StorageUnit) -> None:
    read(unit, (0, 5), (5, 12), (50, 12), (100, 12))
    assert versions_of(unit) == [(FIRST_VALID_FROM, "around the set temperature", True)]
    assert Excursion.objects.get().alarm_at == at(50)
    assert not Alarm.objects.exists()


def test_a_default_profile_that_is_one_no_longer_is_not_in_force_any_more(unit: StorageUnit) -> None:
    default = LimitProfile.objects.get(is_default=True)
    default.is_around_set_temperature, default.high_warning_c = False, 9.0
    default.save()
    default.is_default = False
    default.save()
    unit.refresh_from_db()
    assert unit.high_warning_c == 7.0  # the configured deviation of 2 K
    assert update_versions([unit.pk]) == 0


def test_the_first_choice_is_in_force_from_the_beginning(unit: StorageUnit) -> None:
    read(unit, (0, 7.5), (5, 7.5), (10, 5))
    UnitLimits.objects.create(storage_unit=unit, **OWN)
    assert versions_of(unit) == [(FIRST_VALID_FROM, "own limits", False)]
    (provisional,) = LimitVersion.history.filter(storage_unit=unit, is_provisional=True)
    assert provisional.superseded_at is not None


def test_readings_from_before_the_first_choice_are_evaluated_by_it(unit: StorageUnit) -> None:
    read(unit, (0, 7.5), (5, 7.5), (10, 5), (15, 9), (20, 9), (30, 9), (35, 5))
    UnitLimits.objects.create(storage_unit=unit, **OWN)
    assert run_reevaluations(at(40)) == 1
    assert stored(unit) == by_definition(unit)
    excursion = Excursion.objects.get()
    assert (excursion.started_at, excursion.alarm_at, excursion.limit_version.profile_name) == (
        at(15),
        at(30),
        "own limits",
    )
    # It was over before anybody had chosen limits.
    assert not Alarm.objects.exists()
    assert not Reevaluation.objects.exists()


def test_what_is_outside_the_first_choice_now_raises_an_alarm(unit: StorageUnit) -> None:
    read(unit, (0, 5), (5, 9), (15, 9))
    UnitLimits.objects.create(storage_unit=unit, **OWN)
    run_reevaluations(at(16))
    assert Alarm.objects.get().state == "open"
    read(unit, (20, 5))
    assert Alarm.objects.get().ended_at == at(20)


def test_the_second_choice_applies_from_now_on(unit: StorageUnit) -> None:
    choice = UnitLimits.objects.create(storage_unit=unit, **OWN)
    choice.high_warning_c = 10.0
    choice.save()
    assert [name for _, name, _ in versions_of(unit)] == ["own limits", "own limits"]
    assert not Reevaluation.objects.filter(since__gt=FIRST_VALID_FROM).exists()


def test_a_profile_for_all_units_of_the_customer_is_a_choice(unit: StorageUnit) -> None:
    other = StorageUnitFactory(facility=unit.facility)
    UnitLimits.objects.create(storage_unit=other, **OWN)
    medicine = LimitProfile.objects.get(name="refrigerated medicine")
    CustomerLimits.objects.create(customer=unit.facility.customer, profile=medicine)
    later = StorageUnitFactory(facility=unit.facility)
    assert versions_of(unit) == versions_of(later) == [(FIRST_VALID_FROM, "refrigerated medicine", False)]
    assert versions_of(other) == [(FIRST_VALID_FROM, "own limits", False)]


def test_units_of_the_customer_follow_its_profile(unit: StorageUnit) -> None:
    profile = LimitProfile.objects.get(name="frozen food")
    CustomerLimits.objects.create(customer=unit.facility.customer, profile=profile)
    profile.high_critical_c = -12.0
    profile.save()
    unit.refresh_from_db()
    assert unit.high_critical_c == -12.0
    assert len(versions_of(unit)) == 2


def test_existing_units_without_a_choice_keep_the_default_profile_when_the_system_is_updated(
    unit: StorageUnit,
) -> None:
    LimitVersion.objects.update(is_provisional=False)
    migration = import_module("alarms.migrations.0010_first_choice_of_limits")
    migration.keep_default_profile(apps, connection.schema_editor())
    assert UnitLimits.objects.get(storage_unit=unit).profile == LimitProfile.objects.get(is_default=True)
    assert update_versions([unit.pk]) == 0


def test_limits_are_provisional_again_if_the_choice_is_removed_and_the_next_choice_applies_from_then(
    unit: StorageUnit,
) -> None:
    choice = UnitLimits.objects.create(storage_unit=unit, **OWN)
    choice.delete()
    removed_at = versions_of(unit)[-1][0]
    UnitLimits.objects.create(storage_unit=unit, high_warning_c=6.0)
    assert versions_of(unit) == [(FIRST_VALID_FROM, "own limits", False), (removed_at, "own limits", False)]
    assert removed_at - FIRST_VALID_FROM > timedelta(days=365)
