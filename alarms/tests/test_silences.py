"""Silenced units are marked on every page, for as long as a maintenance window covers them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.models import MaintenanceWindow
from alarms.silences import Silence, silenced_units
from core.scope import Scope
from customers.models import StorageUnit
from tests.alarm_factories import AlarmFactory, MaintenanceWindowFactory
from tests.factories import MembershipFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(facility__time_zone="Asia/Kolkata")


def window_of(unit: StorageUnit, covered: str) -> MaintenanceWindow:
    locations: dict[str, dict[str, Model]] = {
        "unit": {"storage_unit": unit},
        "facility": {"facility": unit.facility},
        "customer": {},
    }
    return MaintenanceWindowFactory(customer=unit.facility.customer, **locations[covered])


@pytest.mark.parametrize("covered", ["unit", "facility", "customer"])
def test_a_window_silences_the_units_it_covers(unit: StorageUnit, covered: str) -> None:
    StorageUnitFactory()
    window = window_of(unit, covered)
    badges = silenced_units(Scope.everything())
    local_end = window.ends_at.astimezone(ZoneInfo("Asia/Kolkata"))
    assert list(badges) == [unit.pk]
    assert badges[unit.pk].startswith(f"Silenced until {local_end:%H:%M}")


def test_windows_before_and_after_now_silence_nothing(unit: StorageUnit) -> None:
    now = timezone.now()
    customer = unit.facility.customer
    MaintenanceWindowFactory(customer=customer, starts_at=now - 2 * HOUR, ends_at=now - HOUR)
    MaintenanceWindowFactory(customer=customer, starts_at=now + HOUR, ends_at=now + 2 * HOUR)
    assert silenced_units(Scope.everything()) == {}


def test_a_longer_silence_names_its_day() -> None:
    now = timezone.now().replace(year=2026, month=11, day=28, hour=12, minute=0)
    assert Silence(now + 3 * HOUR, "anna").text(now, ZoneInfo("UTC")) == "Silenced until 15:00 by anna"
    assert Silence(now + 48 * HOUR, "").text(now, ZoneInfo("UTC")) == "Silenced until 30 Nov 2026, 12:00"


@pytest.mark.parametrize("page", [lambda alarm: "/", lambda alarm: reverse("alarm", args=[alarm.public_id])])
def test_pages_say_that_a_unit_is_silenced(client: Client, unit: StorageUnit, page: Callable[..., str]) -> None:
    alarm = AlarmFactory(storage_unit=unit)
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)
    assert "Silenced until" not in client.get(page(alarm)).content.decode()
    window_of(unit, "facility")
    assert "Silenced until" in client.get(page(alarm)).content.decode()


def test_the_page_of_a_unit_says_that_it_is_silenced(client: Client, unit: StorageUnit) -> None:
    window_of(unit, "unit")
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)
    assert "Silenced until" in client.get(reverse("unit", args=[unit.public_id])).content.decode()
