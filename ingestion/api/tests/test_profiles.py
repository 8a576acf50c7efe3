"""Customers over the REST API: the own profile, and all customers for the operator."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Customer
from tests.api_clients import client_of
from tests.factories import CustomerFactory, FacilityFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

URL = "/api/v1/customers/profile"
ADMIN_URL = "/api/v1/admin/customers"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def admin() -> APIClient:
    return client_of(CustomerFactory(customer_code="OPERATOR"), permissions=["admin"])


def test_the_profile_counts_what_the_customer_has(customer: Customer) -> None:
    units = StorageUnitFactory.create_batch(2, facility__customer=customer)
    start = timezone.now().replace(microsecond=0) - timedelta(hours=1)
    for unit in units:
        store_readings(unit, [5.0, 6.0, None], start=start)
    store_readings(StorageUnitFactory(), [5.0], start=start)

    profile = client_of(customer).get(URL).json()

    assert profile == {
        "id": str(customer.public_id),
        "customer_code": customer.customer_code,
        "name": customer.name,
        "data_sharing_method": "api",
        "data_frequency_seconds": 300,
        "api_url": "",
        "max_clock_drift_seconds": None,
        "is_active": True,
        "created_at": profile["created_at"],
        "updated_at": profile["updated_at"],
        "facility_count": 2,
        "unit_count": 2,
        "active_readings_count": 6,
        "last_reading_time": (start + timedelta(minutes=30)).isoformat().replace("+00:00", "Z"),
    }


def test_a_token_limited_to_units_counts_only_those(customer: Customer) -> None:
    facility, _ = FacilityFactory.create_batch(2, customer=customer)
    seen = StorageUnitFactory.create_batch(2, facility=facility)
    unseen = StorageUnitFactory(facility=facility)
    for unit in (*seen, unseen):
        store_readings(unit, [5.0], start=timezone.now())

    profile = client_of(customer, units=seen).get(URL).json()

    assert (profile["facility_count"], profile["unit_count"], profile["active_readings_count"]) == (1, 2, 2)


def test_a_customer_updates_their_profile_but_not_code_and_activation(customer: Customer) -> None:
    wanted = {"name": "New name", "api_url": "https://example.com/api", "customer_code": "MINE", "is_active": False}

    changed = client_of(customer).put(URL, wanted)

    assert changed.status_code == 200
    customer.refresh_from_db()
    assert (customer.name, customer.api_url) == ("New name", "https://example.com/api")
    assert (changed.json()["customer_code"], changed.json()["is_active"]) == (customer.customer_code, True)
    assert customer.customer_code != "MINE"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("data_sharing_method", "fax"),
        ("data_frequency_seconds", 0),
        ("data_frequency_seconds", 2**40),
        ("api_url", "javascript:alert(1)"),
    ],
)
def test_an_invalid_profile_is_reported_by_field(customer: Customer, field: str, value: str | int) -> None:
    rejected = client_of(customer).put(URL, {field: value})
    assert rejected.status_code == 400
    assert list(rejected.json()) == [field]


def test_an_admin_creates_and_updates_customers(admin: APIClient) -> None:
    made = admin.post(ADMIN_URL, {"customer_code": "NEW", "name": "New Ltd", "data_sharing_method": "push"})
    url = f"{ADMIN_URL}/{made.json()['id']}"

    assert made.status_code == 201
    assert admin.post(ADMIN_URL, {"customer_code": "NEW", "name": "Again Ltd"}).status_code == 400
    assert admin.put(url, {"is_active": False}).json()["is_active"] is False
    assert admin.get(url).json()["data_sharing_method"] == "push"
    assert Customer.objects.get(customer_code="NEW").is_active is False


def test_an_admin_lists_every_customer(admin: APIClient, customer: Customer) -> None:
    StorageUnitFactory(facility__customer=customer)
    listed = admin.get(ADMIN_URL).json()
    assert [(each["customer_code"], each["unit_count"]) for each in listed["items"]] == [
        (customer.customer_code, 1),
        ("OPERATOR", 0),
    ]


def test_the_list_of_customers_takes_a_constant_number_of_queries(
    admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin.get(ADMIN_URL)
    for _ in range(2):
        for unit in StorageUnitFactory.create_batch(3):
            store_readings(unit, [5.0], start=timezone.now())
        with django_assert_num_queries(2):
            admin.get(ADMIN_URL)


def test_an_admin_limited_to_units_creates_no_customers(customer: Customer) -> None:
    unit = StorageUnitFactory(facility__customer=customer)
    limited = client_of(customer, permissions=["admin"], units=[unit])
    assert limited.post(ADMIN_URL, {"customer_code": "NEW", "name": "New Ltd"}).status_code == 403
    assert not Customer.objects.filter(customer_code="NEW").exists()
