"""Critical delays: those of the shipped profiles, and those that existing limits get in the migration."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from alarms.limits.profiles import SHIPPED
from alarms.limits.versions import update_versions
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from alarms.models.limits import ChosenLimits
from tests.factories import StorageUnitFactory

pytestmark = pytest.mark.django_db

DELAYS = (
    "high_delay_seconds",
    "high_critical_delay_seconds",
    "low_delay_seconds",
    "low_critical_delay_seconds",
)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_profile_sets_both_delays(name: str) -> None:
    values = SHIPPED[name]
    assert values.keys() >= set(DELAYS)
    profile = LimitProfile(name=name, **values)
    assert profile.high_critical_delay_seconds <= profile.high_delay_seconds
    assert profile.low_critical_delay_seconds <= profile.low_delay_seconds


def migrate() -> None:
    """Run the migration's data step on limits with the default of the new columns."""
    for model in (LimitProfile, UnitLimits, LimitVersion):
        model.objects.update(high_critical_delay_seconds=300, low_critical_delay_seconds=300)
    migration = import_module("alarms.migrations.0006_critical_delays")
    migration.set_critical_delays(apps, connection.schema_editor())


def delays_of(limits: ChosenLimits | LimitVersion) -> tuple[int, int]:
    limits.refresh_from_db()
    return limits.high_critical_delay_seconds, limits.low_critical_delay_seconds


def test_existing_limits_get_five_minutes_or_their_shorter_warning_delay() -> None:
    limits = UnitLimits.objects.create(
        storage_unit=StorageUnitFactory(),
        low_critical_c=0.0,
        low_warning_c=2.0,
        high_warning_c=8.0,
        high_critical_c=10.0,
        low_delay_seconds=120,
    )
    migrate()
    assert delays_of(limits) == (300, 120)
    assert delays_of(LimitVersion.objects.latest("valid_from")) == (300, 120)


def test_a_critical_limit_without_a_warning_before_it_keeps_its_delay() -> None:
    profile = LimitProfile.objects.create(
        name="freezer", high_warning_c=-60.0, high_critical_c=-60.0, low_critical_c=-90.0, low_delay_seconds=3_600
    )
    around = LimitProfile.objects.create(
        name="narrow", is_around_set_temperature=True, warning_deviation_k=3.0, critical_deviation_k=3.0
    )
    migrate()
    assert delays_of(profile) == (1_800, 3_600)
    assert delays_of(around) == (1_800, 1_800)


def test_the_migration_creates_no_version_and_keeps_how_past_ones_were_evaluated() -> None:
    unit = StorageUnitFactory()
    UnitLimits.objects.create(storage_unit=unit, high_warning_c=8.0, high_critical_c=10.0, high_delay_seconds=600)
    migrate()
    assert update_versions([unit.pk], at=timezone.now()) == 0
    past, newest = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    assert delays_of(past) == (1_800, 1_800)
    assert delays_of(newest) == (300, 300)
