"""Limits are entered and shown on the unit's scale, and kept in °C."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.limits.profiles import VALUE_NAMES
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from alarms.web.limit_forms import LIMIT_GROUPS, LimitProfileForm, UnitLimitsForm, grouped_fields
from customers.models import StorageUnit
from readings.models import ConfigurationEntry
from tests.factories import MembershipFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

# What a browser sends besides the temperatures.
PLAIN = {
    "sensor_policy": "any", "high_delay_seconds": "30 min", "low_delay_seconds": "30 min",
    "high_critical_delay_seconds": "5 min", "low_critical_delay_seconds": "5 min", "clearing_margin_k": "0",
    "clearing_delay_seconds": "0", "allowed_window_seconds": "1 day", "mkt_window_seconds": "1 day",
}  # fmt: skip


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(temperature_unit="F", set_temperature=41.0)


@pytest.fixture
def manager(client: Client, unit: StorageUnit) -> Client:
    client.force_login(MembershipFactory(customer=unit.facility.customer, role="manager").user)
    return client


def limits_url(unit: StorageUnit, name: str = "settings-unit-limits") -> str:
    return reverse(name, args=[unit.facility.customer.public_id, unit.public_id])


def test_limits_of_a_unit_in_fahrenheit_are_entered_in_fahrenheit(manager: Client, unit: StorageUnit) -> None:
    entered = {"low_warning_c": "35.6", "high_warning_c": "46.4", "clearing_margin_k": "0.9", "mkt_limit_c": "46.4"}

    manager.post(limits_url(unit), PLAIN | entered)

    choice = UnitLimits.objects.get()
    assert (choice.low_warning_c, choice.high_warning_c, choice.mkt_limit_c) == (2.0, 8.0, 8.0)
    assert choice.clearing_margin_k == 0.5
    form = manager.get(limits_url(unit)).context["form"]
    assert {name: str(form[name].value()) for name in entered} == entered
    assert form["high_warning_c"].label == "High warning, °F"
    assert form["clearing_margin_k"].label == "Clearing margin, °F"


def test_saving_what_is_shown_changes_no_limits(manager: Client, unit: StorageUnit) -> None:
    """−1.4 °F are −18.555555… °C."""
    manager.post(limits_url(unit), PLAIN | {"low_warning_c": "-1.4", "high_warning_c": "46.45"})
    versions = LimitVersion.objects.count()

    form = manager.get(limits_url(unit)).context["form"]
    manager.post(limits_url(unit), PLAIN | {name: form[name].value() for name in ("low_warning_c", "high_warning_c")})

    assert LimitVersion.objects.count() == versions


def test_a_profile_in_celsius_applies_to_a_unit_in_fahrenheit(manager: Client, unit: StorageUnit) -> None:
    medicine = LimitProfile.objects.get(name="refrigerated medicine")
    shown = manager.get(limits_url(unit)).context["profile_values"][medicine.pk]
    assert (shown["high_warning_c"], shown["high_critical_c"]) == (46.4, 59.0)

    # A browser without scripts sends what it shows, too.
    manager.post(limits_url(unit), PLAIN | {"profile": medicine.pk})
    entered = {name: "" if value is None else value for name, value in shown.items() if not isinstance(value, bool)}
    response = manager.post(limits_url(unit), entered | {"sensor_policy": "any", "profile": medicine.pk})

    assert response.status_code == 302
    unit.refresh_from_db()
    assert (unit.high_warning_c, unit.high_critical_c) == (8.0, 15.0)


def test_deviations_are_in_degrees_of_the_scale_and_the_configured_ones_are_named(
    manager: Client, unit: StorageUnit
) -> None:
    ConfigurationEntry.objects.create(key="max_temperature_deviation", value={"warning": 1.5, "critical": 4})

    form = manager.get(limits_url(unit)).context["form"]
    assert form["warning_deviation_k"].help_text.endswith("±2.7\N{NO-BREAK SPACE}°F.")
    assert form["critical_deviation_k"].help_text.endswith("±7.2\N{NO-BREAK SPACE}°F.")

    entered = {"is_around_set_temperature": "on", "warning_deviation_k": "3.6", "critical_deviation_k": "9"}
    manager.post(limits_url(unit), PLAIN | entered)
    unit.refresh_from_db()
    assert (unit.low_critical_c, unit.low_warning_c, unit.high_warning_c, unit.high_critical_c) == (0.0, 3.0, 7.0, 10.0)


def test_a_profile_is_edited_in_celsius() -> None:
    labels = [field.label for field in LimitProfileForm()]
    assert {"High warning, °C", "Clearing margin, K", "Warning deviation, K"} <= set(labels)


@pytest.mark.parametrize(("high_warning_f", "prevented", "unchanged"), [("46.4", 0, 1), ("48", 1, 0)])
def test_other_limits_are_tried_in_fahrenheit(
    manager: Client, unit: StorageUnit, high_warning_f: str, prevented: int, unchanged: int
) -> None:
    """The readings are 47.3 °F, and the limit around the set temperature is 44.6."""
    store_readings(unit, [8.5] * 6, start=timezone.now() - timedelta(hours=1), every=timedelta(minutes=10), scale="F")

    limits = {"high_warning_c": high_warning_f, "delay": "30 min"}
    page = manager.get(limits_url(unit, "settings-limit-replay"), limits)

    assert page.context["form"]["high_warning_c"].value() == high_warning_f
    assert page.context["form"]["high_critical_c"].initial == 10.0
    assert [len(alarms) for _, alarms in page.context["parts"]] == [0, prevented, unchanged]


def test_limits_out_of_order_are_rejected_without_another_scale(manager: Client, unit: StorageUnit) -> None:
    page = manager.get(
        limits_url(unit, "settings-limit-replay"), {"low_warning_c": "50", "high_warning_c": "46.4"}
    ).content.decode()
    assert "Limits must increase from low critical to high critical." in page
    assert "°C" not in page.partition("<main")[2]


def test_limits_that_were_entered_before_the_scale_changed_are_not_saved(manager: Client, unit: StorageUnit) -> None:
    opened = manager.get(limits_url(unit)).context["form"]["version"].value()
    unit.temperature_unit = "C"
    unit.save()

    response = manager.post(limits_url(unit), PLAIN | {"high_warning_c": "46.4", "version": opened})

    assert "now stored: High warning, °C: –" in response.content.decode()
    assert not UnitLimits.objects.exists()


def test_every_value_is_in_one_group(unit: StorageUnit) -> None:
    names = [name for group in LIMIT_GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert set(VALUE_NAMES) <= set(names)
    for form in (LimitProfileForm(), UnitLimitsForm(instance=UnitLimits(storage_unit=unit))):
        shown = [field.name for _, fields in grouped_fields(form) for field in fields]
        assert sorted(shown) == sorted(field.name for field in form.visible_fields())
