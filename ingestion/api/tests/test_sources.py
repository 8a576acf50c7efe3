"""Sources over the REST API: with the permissions of their pages, and without showing a secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from audit.models import AuditEntry
from customers.models import Customer
from ingestion.models import Delivery, Source
from ingestion.parsing.tests.parsing import json_body, json_row
from ingestion.polling.tests.polling import json_answer
from ingestion.polling.tests.scripted_server import ScriptedServer, answer
from readings.models import Reading
from tests.api_clients import client_of
from tests.factories import CustomerFactory, MembershipFactory, SourceFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/sources"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


@pytest.fixture
def admin() -> APIClient:
    return client_of(CustomerFactory(customer_code="OPERATOR"), permissions=["admin"])


def create(admin: APIClient, customer: Customer, **fields: Any) -> Source:
    response = admin.post(f"{URL}?customer_id={customer.public_id}", {"name": "their system"} | fields)
    assert response.status_code == 201, response.content
    return Source.objects.get(public_id=response.json()["id"])


def test_a_source_is_created_with_mapping_and_credentials(admin: APIClient, customer: Customer) -> None:
    source = create(
        admin,
        customer,
        url="https://a.example.com/readings?h={hours:int}",
        interval_seconds=60,
        mapping={"time_field": "measured_at", "time_zone": "Europe/London", "null_values": ["-999"]},
        credentials={"kind": "header", "name": "X-Api-Key", "secret": "s3cret"},
    )

    assert (source.customer, source.interval_seconds, source.mapping.time_field) == (customer, 60, "measured_at")
    assert source.mapping.null_values == ("-999",)
    assert source.credentials.secret == "s3cret"
    assert source.next_due_at <= timezone.now()


@pytest.mark.parametrize("field", ["factor", "offset"])
@pytest.mark.parametrize("number", ["nan", "inf", "1_0", True])
def test_a_mapping_calculates_with_finite_numbers(
    admin: APIClient, customer: Customer, field: str, number: object
) -> None:
    sent = {"name": "their system", "mapping": {field: number}}

    response = admin.post(f"{URL}?customer_id={customer.public_id}", sent)

    assert (response.status_code, response.json()) == (400, {"mapping": {field: ["A valid number is required."]}})


@pytest.mark.parametrize("action", ["pause", "resume", "poll"])
def test_the_reason_of_an_action_is_recorded(customer: Customer, action: str) -> None:
    source = SourceFactory(customer=customer, is_paused=action == "resume")
    Source.objects.update(next_due_at=timezone.now() + timedelta(days=1))

    response = client_of(customer).post(f"{URL}/{source.public_id}/{action}", {"reason": "New firmware."})

    assert response.status_code == 200, response.content
    entries = AuditEntry.objects.filter(model="ingestion.source", action="changed")
    assert [entry.reason for entry in entries] == ([] if action == "poll" else ["New firmware."])


def test_an_action_on_a_source_refuses_a_body_that_is_not_understood(customer: Customer) -> None:
    source = SourceFactory(customer=customer)
    client = client_of(customer)

    assert client.post(f"{URL}/{source.public_id}/pause", {"until": "2026-12-01"}).status_code == 400
    assert client.post(f"{URL}/{source.public_id}/pause").status_code == 200


def test_secrets_are_never_shown(admin: APIClient, customer: Customer) -> None:
    source = create(
        admin,
        customer,
        url="https://a.example.com/readings?api_key=hidden1",
        credentials={"kind": "bearer", "secret": "hidden2"},
    )

    for path in (URL + f"?customer_id={customer.public_id}", f"{URL}/{source.public_id}"):
        response = client_of(customer).get(path)
        assert "hidden" not in response.content.decode()
    shown = response.json()
    assert shown["credentials"] | {"kind": "bearer", "name": "", "is_secret_stored": True} == shown["credentials"]
    assert "secret" not in shown["credentials"]
    assert shown["url"] == "https://a.example.com/readings?api_key=***"


def test_a_change_keeps_the_rest_and_is_applied_at_once(admin: APIClient, customer: Customer) -> None:
    source = create(admin, customer, url="https://a.example.com/?k=1", credentials={"kind": "bearer", "secret": "s"})
    Source.objects.update(next_due_at=timezone.now() + timedelta(days=1))

    response = admin.patch(f"{URL}/{source.public_id}", {"interval_seconds": 30, "mapping": {"scale": "F"}})

    assert response.status_code == 200, response.content
    source.refresh_from_db()
    assert (source.interval_seconds, source.mapping.scale, source.url) == (30, "F", "https://a.example.com/?k=1")
    assert source.credentials.secret == "s"
    assert source.next_due_at <= timezone.now()


def test_an_empty_secret_keeps_the_stored_one_and_the_kind_none_deletes_it(
    admin: APIClient, customer: Customer
) -> None:
    source = create(admin, customer, url="https://a.example.com", credentials={"kind": "bearer", "secret": "s"})

    admin.put(f"{URL}/{source.public_id}", {"credentials": {"kind": "bearer", "secret": ""}})
    source.refresh_from_db()
    assert source.credentials.secret == "s"

    admin.put(f"{URL}/{source.public_id}", {"credentials": {"kind": "none"}})
    source.refresh_from_db()
    assert not source.credentials_secret


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "https://a.example.com/{day}"}, "url"),
        ({"url": "https://a.example.com/?api_key=***"}, "url"),
        ({"url": "https://[::1"}, "url"),
        ({"url": "https://a:x/"}, "url"),
        ({"url": "https:///readings"}, "url"),
        ({"url": r"https://b.example.com\@a.example.com/"}, "url"),
        ({"structure_url": "https://a:x/"}, "structure_url"),
        ({"credentials": {"token_url": "https://[::1"}}, "token_url"),
        ({"ingestion_type": "s3", "url": "s3://bucket/*.csv", "endpoint_url": "https://a:x/"}, "endpoint_url"),
        ({"interval_seconds": 0}, "interval_seconds"),
        ({"mapping": {"time_zone": "Mars"}}, "time_zone"),
        ({"mapping": {"time_zone": "Factory"}}, "time_zone"),
        ({"facility_time_zone": "localtime"}, "facility_time_zone"),
        ({"mapping": {"temperature_field": "=5"}}, "temperature_field"),
        ({"credentials": {"kind": "header", "secret": "s"}}, "credentials"),
        ({"credentials": {"kind": "telepathy"}}, "credentials"),
        ({"unit_codes": "A"}, "unit_codes"),
    ],
)
def test_invalid_settings_are_refused(admin: APIClient, customer: Customer, fields: dict[str, Any], field: str) -> None:
    response = admin.post(f"{URL}?customer_id={customer.public_id}", {"name": "new"} | fields)

    assert response.status_code == 400
    assert field in response.content.decode()
    assert not Source.objects.exists()


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        (
            {"request": {"headers": ["X-Key"]}},
            {"request": {"headers": ["request_headers: Line 1 is not like “Name: value”."]}},
        ),
        (
            {"credentials": {"kind": "oauth2", "name": "c", "secret": "s"}},
            {"credentials": {"token_url": ["token_url must be the URL that issues access tokens."]}},
        ),
        (
            {"request": {"body": "{}"}},
            {"request": {"body": ["request_body is only sent with the method POST."]}},
        ),
        ({"mapping": {"delimiter": ",", "decimal_mark": ","}}, {"mapping": {"decimal_mark"}}),
        ({"name": "taken"}, {"detail": "This customer already has a source with this name."}),
    ],
)
def test_errors_are_given_by_the_fields_of_the_body(
    admin: APIClient, customer: Customer, fields: dict[str, Any], errors: dict[str, Any]
) -> None:
    create(admin, customer, name="taken")

    response = admin.post(f"{URL}?customer_id={customer.public_id}", {"name": "new"} | fields)

    assert response.status_code == 400
    found = response.json()
    if "mapping" in errors:
        found = {"mapping": set(found["mapping"])}
    assert found == errors


def test_a_name_is_used_once_per_customer(admin: APIClient, customer: Customer) -> None:
    create(admin, customer)
    response = admin.post(f"{URL}?customer_id={customer.public_id}", {"name": "their system"})
    assert response.status_code == 400
    assert "already has a source with this name" in response.content.decode()


@pytest.mark.usefixtures("noon", "loopback_allowed")
def test_a_trial_says_what_would_be_stored_and_stores_nothing(
    admin: APIClient, customer: Customer, serve: Callable[..., ScriptedServer]
) -> None:
    server = serve(json_answer(json_body(json_row(), json_row(unit_id=None, temperature="warm"))))
    source = create(admin, customer, url=f"{server.url}/current?hours={{hours}}")

    result = admin.post(f"{URL}/{source.public_id}/test").json()

    assert (result["is_success"], result["reading_count"], result["rejected_count"]) == (False, 1, 1)
    assert [row["code"] for row in result["rejected_rows"]] == ["no_unit"]
    assert "warm" in result["rejected_rows"][0]["raw"]
    assert result["unit_codes"] == ["unit_A_1_1"]
    assert result["url"] == f"{server.url}/current?hours=24.0"
    assert (Reading.objects.count(), Delivery.objects.count()) == (0, 0)


@pytest.mark.usefixtures("loopback_allowed")
def test_a_failed_trial_says_why(admin: APIClient, customer: Customer, serve: Callable[..., ScriptedServer]) -> None:
    server = serve(answer(b"Wrong key s3cret", status="403 Forbidden"))
    source = create(admin, customer, url=server.url, credentials={"kind": "bearer", "secret": "s3cret"})

    result = admin.post(f"{URL}/{source.public_id}/test").json()

    assert (result["is_success"], result["error_reason"]) == (False, "http_status")
    assert "403" in result["error_message"]
    assert result["response_excerpt"] == "Wrong key ***"


def test_any_change_of_a_failing_source_is_applied_at_once(customer: Customer) -> None:
    """It may be what fixes the source, which must not wait for the end of its back-off."""
    failing = SourceFactory(customer=customer, failures_in_a_row=9)
    healthy = SourceFactory(customer=customer)
    Source.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    manager = client_of(customer, permissions=["manage"])

    for source in (failing, healthy):
        changes = {"mapping": {"unit_field": "room"}, "request": {"headers": ["X-Key: 1"]}}
        assert manager.patch(f"{URL}/{source.public_id}", changes).status_code == 200
        source.refresh_from_db()

    assert failing.next_due_at <= timezone.now() < healthy.next_due_at


def test_a_source_is_paused_resumed_and_polled_now(customer: Customer) -> None:
    source = SourceFactory(customer=customer)
    Source.objects.update(next_due_at=timezone.now() + timedelta(days=1))
    manager = client_of(customer, permissions=["manage"])

    assert manager.post(f"{URL}/{source.public_id}/pause").json()["state"] == "paused"
    assert manager.post(f"{URL}/{source.public_id}/poll").status_code == 409
    assert manager.post(f"{URL}/{source.public_id}/resume").json()["is_paused"] is False
    Source.objects.update(next_due_at=timezone.now() + timedelta(days=1))
    assert manager.post(f"{URL}/{source.public_id}/poll").status_code == 200
    source.refresh_from_db()
    assert source.next_due_at <= timezone.now()


@pytest.mark.parametrize(
    ("role", "statuses"),
    [("viewer", (200, 403, 403, 403)), ("operator", (200, 200, 403, 403)), ("manager", (200, 200, 200, 200))],
)
def test_people_have_the_rights_they_have_on_the_pages(
    customer: Customer, role: str, statuses: tuple[int, ...]
) -> None:
    source = SourceFactory(customer=customer)
    client = APIClient()
    client.force_login(MembershipFactory(customer=customer, role=role).user)
    path = f"{URL}/{source.public_id}"

    found = (
        client.get(path).status_code,
        client.post(f"{path}/poll").status_code,
        client.post(f"{path}/pause").status_code,
        client.patch(path, {"url": "https://elsewhere.example.com"}).status_code,
    )

    assert found == statuses


def test_a_list_holds_the_own_sources_only(customer: Customer) -> None:
    SourceFactory(customer=customer, name="ours")
    SourceFactory(name="theirs")

    assert [each["name"] for each in client_of(customer).get(URL).json()["items"]] == ["ours"]


class TestFolders:
    """Below `SOURCE_FOLDERS` are the files of all customers, so the operator decides which of them a source reads."""

    FOLDER = {"ingestion_type": "folder", "url": "file:///srv/exports/customer-b/*.csv"}

    def test_a_customer_adds_no_source_that_reads_one(self, customer: Customer) -> None:
        response = client_of(customer).post(URL, {"name": "files"} | self.FOLDER)

        assert response.status_code == 400
        assert "operator" in response.json()["url"][0]
        assert not Source.objects.exists()

    @pytest.mark.parametrize("change", [FOLDER, FOLDER | {"url": "file:///srv/exports/*.csv"}])
    @pytest.mark.parametrize("is_folder", [True, False])
    def test_a_customer_does_not_choose_another(
        self, customer: Customer, is_folder: bool, change: dict[str, Any]
    ) -> None:
        before = {"ingestion_type": "folder", "url": "file:///srv/exports/customer-a/*.csv"} if is_folder else {}
        source = SourceFactory(customer=customer, **before)
        stored = (source.ingestion_type, source.url)
        manager = APIClient()
        manager.force_login(MembershipFactory(customer=customer, role="manager").user)

        for client in (manager, client_of(customer)):
            assert client.patch(f"{URL}/{source.public_id}", change).status_code == 400

        source.refresh_from_db()
        assert (source.ingestion_type, source.url) == stored

    def test_a_customer_changes_the_rest_of_such_a_source(self, admin: APIClient, customer: Customer) -> None:
        source = create(admin, customer, **self.FOLDER)

        response = client_of(customer).put(f"{URL}/{source.public_id}", self.FOLDER | {"interval_seconds": 30})

        assert response.status_code == 200, response.content
        source.refresh_from_db()
        assert (source.interval_seconds, source.url) == (30, self.FOLDER["url"])

    def test_the_operator_chooses_another(self, admin: APIClient, customer: Customer) -> None:
        source = create(admin, customer, **self.FOLDER)

        response = admin.patch(f"{URL}/{source.public_id}", {"url": "file:///srv/exports/customer-a/*.csv"})

        assert response.status_code == 200, response.content
