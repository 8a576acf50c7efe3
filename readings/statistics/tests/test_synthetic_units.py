"""A unit made for alarm drills holds no goods: it is left out where cold stores are listed and added up."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.scope import Scope
from customers.models import Facility, StorageUnit
from readings.models import LatestReading
from readings.units.unit_refs import visible_unit_refs
from readings.web.overview import overview
from tests.api_clients import client_of
from tests.factories import FacilityFactory, MembershipFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db


@pytest.fixture
def facility() -> Facility:
    """One with a real and a synthetic unit, both measured."""
    facility = FacilityFactory()
    for is_synthetic in (False, True):
        store_reading(StorageUnitFactory(facility=facility, is_synthetic=is_synthetic))
    return facility


@pytest.fixture
def drilled(facility: Facility) -> StorageUnit:
    return StorageUnit.objects.get(is_synthetic=True)


def test_the_overview_and_facility_pages_exclude_it(client: Client, facility: Facility) -> None:
    client.force_login(MembershipFactory(customer=facility.customer).user)
    assert len(overview(Scope.everything(), timezone.now()).units) == 1
    [row] = client.get(reverse("facilities")).context["facilities"]
    assert row.unit_count == 1
    assert len(client.get(reverse("facility", args=[facility.public_id])).context["units"].units) == 1


def test_api_lists_and_statistics_exclude_it(facility: Facility) -> None:
    api = client_of(facility.customer)
    base = f"/api/v1/facilities/{facility.public_id}"
    assert api.get(f"{base}/units").json()["total"] == 1
    assert api.get(f"{base}/detailed").json()["unit_count"] == 1
    assert api.get("/api/v1/temperature").json()["total"] == 1
    assert api.get("/api/v1/analytics/temperature/summary").json()["unit_count"] == 1


def test_the_customers_counts_exclude_it(facility: Facility) -> None:
    profile = client_of(facility.customer).get("/api/v1/customers/profile").json()
    assert [profile[f"{name}_count"] for name in ("unit", "active_readings")] == [1, 1]
    newest = LatestReading.objects.get(storage_unit__is_synthetic=False).recorded_at
    assert datetime.fromisoformat(profile["last_reading_time"]) == newest
    operator = client_of(permissions=["admin"])
    [listed] = operator.get("/api/v1/admin/facilities", {"customer_id": str(facility.customer.public_id)}).json()[
        "items"
    ]
    assert listed["unit_count"] == 1


def test_it_is_found_by_its_id(client: Client, facility: Facility, drilled: StorageUnit) -> None:
    client.force_login(MembershipFactory(customer=facility.customer).user)
    assert client.get(reverse("unit", args=[drilled.public_id])).context["table"].rows
    assert client_of(facility.customer).get(f"/api/v1/temperature/unit/{drilled.public_id}").json()["total"] == 1
    assert len(visible_unit_refs(Scope.everything())) == 1
