"""Customers over the REST API: their profiles configure the source that is polled for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from ingestion.models import Source
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.claims import claim_due
from ingestion.polling.poll import poll
from ingestion.polling.tests.polling import asked_of, json_answer
from ingestion.polling.tests.scripted_server import ScriptedServer
from readings.models import Reading
from tests.api_clients import client_of
from tests.factories import CustomerFactory, SourceFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/customers"
NEW = {"customer_code": "TEST", "name": "Test Ltd", "data_sharing_method": "api"}


@pytest.fixture
def admin() -> APIClient:
    return client_of(CustomerFactory(customer_code="OPERATOR"), permissions=["admin"])


def create(admin: APIClient, **fields: Any) -> Customer:
    response = admin.post(URL, NEW | fields)
    assert response.status_code == 201, response.content
    return Customer.objects.get(customer_code="TEST")


def change(admin: APIClient, customer: Customer, **fields: Any) -> None:
    response = admin.put(f"{URL}/{customer.public_id}", fields)
    assert response.status_code == 200, response.content


def shown(source: Source) -> tuple[str, str, str, int, bool]:
    source.refresh_from_db()
    return (
        source.url, source.structure_url, source.ingestion_type, source.interval_seconds, source.is_paused,
    )  # fmt: skip


@pytest.mark.usefixtures("noon", "loopback_allowed")
def test_a_new_customer_with_an_address_is_polled(admin: APIClient, serve: Callable[..., ScriptedServer]) -> None:
    server = serve(json_answer(json_body(json_row())))

    create(admin, api_url=server.url, data_frequency_seconds=60)
    (claim,) = claim_due()
    (delivery,) = poll(claim)

    assert (delivery.status, Reading.objects.count()) == ("success", 1)
    (requested,) = asked_of(server)
    assert requested.startswith("/temperature/current?hours=")


@pytest.mark.parametrize(
    ("method", "address", "url"),
    [
        ("api", "https://a.example.com", "https://a.example.com/temperature/current?hours={hours}"),
        ("csv", "https://a.example.com/", "https://a.example.com/data/download.csv?hours={hours}"),
        ("api", "https://a.example.com/v2/now?h={hours:int}", "https://a.example.com/v2/now?h={hours:int}"),
    ],
)
def test_the_method_completes_an_address_without_a_path(admin: APIClient, method: str, address: str, url: str) -> None:
    customer = create(admin, api_url=address, data_sharing_method=method, data_frequency_seconds=120)

    assert shown(customer.sources.get()) == (url, "", method, 120, False)


@pytest.mark.parametrize("fields", [{}, {"api_url": "https://a.example.com", "data_sharing_method": "push"}])
def test_without_an_address_to_poll_there_is_no_source(admin: APIClient, fields: dict[str, str]) -> None:
    assert not create(admin, **fields).sources.exists()


def test_a_customer_created_earlier_gets_its_source_with_the_address(admin: APIClient) -> None:
    customer = create(admin)

    change(admin, customer, api_url="https://a.example.com", data_frequency_seconds=900)

    assert shown(customer.sources.get())[0::3] == ("https://a.example.com/temperature/current?hours={hours}", 900)


def test_a_changed_address_and_interval_move_the_source_and_keep_its_paths(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com", data_frequency_seconds=300)
    Source.objects.update(
        url="https://a.example.com/own/path?since={since}", structure_url="https://a.example.com/facilities"
    )

    change(admin, customer, api_url="https://b.example.com", data_frequency_seconds=60)

    assert shown(customer.sources.get()) == (
        "https://b.example.com/own/path?since={since}", "https://b.example.com/facilities", "api", 60, False,
    )  # fmt: skip


def test_another_method_changes_what_is_requested(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com")

    change(admin, customer, data_sharing_method="csv")

    source = customer.sources.get()
    assert (source.url, source.ingestion_type) == ("https://a.example.com/data/download.csv?hours={hours}", "csv")


def test_what_the_profile_does_not_change_stays_as_set_at_the_source(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com", data_frequency_seconds=300)
    Source.objects.update(url="https://a.example.com/own", interval_seconds=77, is_paused=True)

    change(admin, customer, name="Renamed", api_url="https://a.example.com", data_frequency_seconds=300)

    assert shown(customer.sources.get()) == (
        "https://a.example.com/own", "", "api", 77, True,
    )  # fmt: skip


def test_a_removed_address_pauses_the_source(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com")

    change(admin, customer, api_url="")

    assert customer.sources.get().is_paused


def test_a_source_that_is_not_at_the_address_is_left_alone(admin: APIClient) -> None:
    """A folder is read beside the system at the address; without an address, nothing at a source has become wrong."""
    customer = create(admin)
    folder = SourceFactory(customer=customer, name="folder", ingestion_type="folder", url="file:///srv/exports/*.csv")
    before = shown(folder)

    change(admin, customer, data_sharing_method="csv", data_frequency_seconds=60)
    change(admin, customer, api_url="https://a.example.com")
    change(admin, customer, api_url="")

    assert shown(folder) == before
    assert shown(customer.sources.exclude(pk=folder.pk).get())[2:] == ("csv", 60, True)


def test_without_an_address_before_and_after_a_source_is_not_paused(admin: APIClient) -> None:
    customer = create(admin)
    source = SourceFactory(customer=customer, url="https://a.example.com/own")

    change(admin, customer, data_sharing_method="csv")

    assert shown(source)[::4] == ("https://a.example.com/own", False)


def test_among_several_sources_the_one_at_the_address_is_meant(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com")
    other = SourceFactory(customer=customer, url="https://other.example.com/x", interval_seconds=300)

    change(admin, customer, data_frequency_seconds=60)

    assert shown(customer.sources.exclude(pk=other.pk).get())[3] == 60
    assert shown(other)[3] == 300


def test_unclear_changes_of_several_sources_are_refused_and_change_nothing(admin: APIClient) -> None:
    customer = CustomerFactory(customer_code="TEST", data_frequency_seconds=300)
    SourceFactory.create_batch(2, customer=customer)

    response = admin.put(f"{URL}/{customer.public_id}", {"data_frequency_seconds": 60})

    assert response.status_code == 400
    assert "several sources" in response.content.decode()
    assert Customer.objects.get(pk=customer.pk).data_frequency_seconds == 300
    assert admin.put(f"{URL}/{customer.public_id}", {"name": "Renamed"}).status_code == 200


@pytest.mark.parametrize(
    "address", ["https://a.example.com/x?h={day}", "https://[::1", "https://[x]", "https://a]b", "https://a:x/"]
)
def test_an_address_that_cannot_be_a_source_is_refused(admin: APIClient, address: str) -> None:
    response = admin.post(URL, NEW | {"api_url": address})

    assert response.status_code == 400
    assert not Customer.objects.filter(customer_code="TEST").exists()


def test_a_changed_profile_of_its_own_configures_the_source(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com", data_frequency_seconds=300)

    changed = client_of(customer).put(
        "/api/v1/customers/profile", {"api_url": "https://b.example.com", "data_frequency_seconds": 60}
    )

    assert changed.status_code == 200, changed.content
    assert shown(customer.sources.get()) == (
        "https://b.example.com/temperature/current?hours={hours}", "", "api", 60, False,
    )  # fmt: skip


def test_a_profile_of_its_own_with_an_address_that_cannot_be_a_source_is_refused(admin: APIClient) -> None:
    customer = create(admin, api_url="https://a.example.com")

    refused = client_of(customer).put("/api/v1/customers/profile", {"api_url": "https://a.example.com/x?h={day}"})

    assert (refused.status_code, list(refused.json())) == (400, ["api_url"])
    customer.refresh_from_db()
    assert customer.api_url == "https://a.example.com"
