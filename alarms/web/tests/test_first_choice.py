"""Pages mark provisional limits, and let managers choose limits for one unit or for all of a customer."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alarms.models import CustomerLimits, LimitProfile, LimitVersion
from customers.models import StorageUnit
from tests.factories import MembershipFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

PROVISIONAL = "Nobody has chosen limits for"


@pytest.fixture
def unit() -> StorageUnit:
    """Return a unit of a customer that has chosen no limits."""
    return StorageUnitFactory(facility__customer__has_limits=False)


@pytest.fixture
def manager(client: Client, unit: StorageUnit) -> Client:
    client.force_login(MembershipFactory(customer=unit.facility.customer, role="manager").user)
    return client


def url_of(name: str, unit: StorageUnit) -> str:
    arguments = [unit.facility.customer.public_id]
    return reverse(name, args=[*arguments, unit.public_id] if name == "settings-unit-limits" else arguments)


def test_provisional_limits_are_marked_until_limits_are_chosen(manager: Client, unit: StorageUnit) -> None:
    store_readings(unit, [5.0], start=timezone.now())
    pages = [reverse("unit", args=[unit.public_id]), url_of("settings-unit-limits", unit)]
    customer_page = url_of("settings-customer-limits", unit)
    assert all(PROVISIONAL in manager.get(page).content.decode() for page in [*pages, customer_page])
    assert "provisional limits" in manager.get("/").content.decode()

    medicine = LimitProfile.objects.get(name="refrigerated medicine")
    assert manager.post(customer_page, {"profile": medicine.pk}).status_code == 302

    assert not any(PROVISIONAL in manager.get(page).content.decode() for page in [*pages, customer_page])
    assert "provisional limits" not in manager.get("/").content.decode()
    unit.refresh_from_db()
    assert unit.high_critical_c == 15.0


def test_the_history_shows_the_provisional_limits_as_superseded(manager: Client, unit: StorageUnit) -> None:
    medicine = LimitProfile.objects.get(name="refrigerated medicine")
    CustomerLimits.objects.create(customer=unit.facility.customer, profile=medicine)
    text = manager.get(url_of("settings-unit-limits", unit)).content.decode()
    assert LimitVersion.history.filter(storage_unit=unit).count() == 2
    assert ", superseded on " in text
    assert "provisional: alerts nobody" in text
    assert "The readings so far are being evaluated" in text


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_managers_choose_the_profile_of_a_customer(client: Client, unit: StorageUnit, role: str) -> None:
    client.force_login(MembershipFactory(customer=unit.facility.customer, role=role).user)
    page = url_of("settings-customer-limits", unit)
    assert client.get(page).status_code == 200
    medicine = LimitProfile.objects.get(name="refrigerated medicine")
    assert client.post(page, {"profile": medicine.pk}).status_code == 403
    assert not CustomerLimits.objects.exists()


def test_another_customers_profile_is_not_found(client: Client, unit: StorageUnit) -> None:
    client.force_login(MembershipFactory(role="manager").user)
    assert client.get(url_of("settings-customer-limits", unit)).status_code == 404
