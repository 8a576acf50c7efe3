"""The ingestion log over the REST API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.api_clients import client_of
from tests.factories import CustomerFactory, DeliveryFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/ingestion/logs"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def admin() -> APIClient:
    return client_of(permissions=["admin"])


def test_a_delivery_has_the_counts_of_its_rows(admin: APIClient) -> None:
    delivery = DeliveryFactory(
        started_at=NOON,
        records_stored=5,
        records_duplicate=3,
        records_conflicting=1,
        records_rejected=2,
        status="partial",
        source_url="https://example.com/a",
        error_message="Rows rejected.",
        notes=["No scale is given: °C was assumed. Set the scale."],
    )

    (data,) = admin.get(URL).json()["items"]

    assert data == {
        "id": str(delivery.public_id),
        "customer_id": str(delivery.customer.public_id),
        "customer_code": delivery.customer.customer_code,
        "ingestion_type": "api",
        "status": "partial",
        "records_processed": 11,
        "records_succeeded": 5,
        "records_duplicate": 3,
        "records_failed": 3,
        "start_time": "2026-11-23T12:00:00Z",
        "end_time": "2026-11-23T12:00:00.500000Z",
        "source_url": "https://example.com/a",
        "error_message": "Rows rejected.",
        "notes": ["No scale is given: °C was assumed. Set the scale."],
        "response_excerpt": "",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, {"old", "new", "failed"}),
        ({"status": "failure"}, {"failed"}),
        ({"start_date": "2026-11-23T12:00:00Z"}, {"new", "failed"}),
        ({"end_date": "2026-11-22"}, {"old"}),
        ({"start_date": "2026-11-23T12:00:00Z", "end_date": "2026-11-23T12:00:00Z"}, {"new"}),
    ],
)
def test_filters_narrow_the_log(admin: APIClient, query: dict[str, str], expected: set[str]) -> None:
    DeliveryFactory(started_at=NOON - timedelta(days=1), error_message="old")
    DeliveryFactory(started_at=NOON, error_message="new")
    DeliveryFactory(started_at=NOON + timedelta(hours=1), error_message="failed", status="failure")

    listed = admin.get(URL, query).json()

    assert {each["error_message"] for each in listed["items"]} == expected
    assert listed["total"] == len(expected)


def test_a_customers_deliveries_are_listed_newest_first(admin: APIClient) -> None:
    customer = CustomerFactory()
    for hour in range(3):
        DeliveryFactory(source__customer=customer, started_at=NOON + timedelta(hours=hour))
    DeliveryFactory()

    listed = admin.get(URL, {"customer_id": str(customer.public_id), "limit": "2"}).json()

    assert listed["total"] == 3
    assert [each["start_time"] for each in listed["items"]] == ["2026-11-23T14:00:00Z", "2026-11-23T13:00:00Z"]


@pytest.mark.parametrize("query", ["status=lost", "customer_id=A", "start_date=yesterday"])
def test_an_invalid_filter_is_422(admin: APIClient, query: str) -> None:
    assert admin.get(f"{URL}?{query}").status_code == 422


def test_only_admins_read_the_log() -> None:
    assert client_of().get(URL).status_code == 403


def test_the_log_takes_a_constant_number_of_queries(
    admin: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin.get(URL)
    for _ in range(2):
        DeliveryFactory.create_batch(5)
        with django_assert_num_queries(2):
            admin.get(URL)
