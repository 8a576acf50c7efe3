"""Pushes to a source: any shape that a poll can read, stored once, with a token that can do nothing else."""

from __future__ import annotations

import gzip
import json

import pytest
from rest_framework.test import APIClient

from customers.models import ApiToken, Customer
from ingestion.models import Delivery, RejectedRow, Source
from readings.models import Reading
from tests.api_clients import client_of, client_with
from tests.factories import CustomerFactory, PushSourceFactory, SourceFactory
from tests.responses import ApiResponse, Json

pytestmark = pytest.mark.django_db

CSV = "unit_id,time,temperature\nF1,2026-11-23 10:00:00,-18.5\nF1,2026-11-23 10:15:00,-18.6\n"
ROW = {"unit_id": "F1", "time": "2026-11-23T10:00:00Z", "temperature": 4.5, "scale": "C"}


@pytest.fixture
def source() -> Source:
    return PushSourceFactory()


@pytest.fixture
def client(source: Source) -> APIClient:
    return token_client(source)


def token_client(source: Source) -> APIClient:
    return client_of(source.customer, permissions=["write"], source_public_id=source.public_id)


def send(
    client: APIClient, source: Source, body: bytes | str, content_type: str = "application/json", **headers: str
) -> ApiResponse:
    return client.post(f"/api/v1/ingest/{source.public_id}", body, content_type=content_type, headers=headers)


def counts(response: ApiResponse) -> tuple[int, int, int, int]:
    assert response.status_code == 200, response.content
    outcome = response.json()
    return outcome["stored"], outcome["duplicates"], outcome["conflicts"], outcome["rejected"]


def test_json_csv_and_compressed_bodies_are_read_like_those_of_polls(client: APIClient, source: Source) -> None:
    assert counts(send(client, source, json.dumps({"readings": [ROW]}))) == (1, 0, 0, 0)
    assert counts(send(client, source, CSV, "text/csv")) == (1, 0, 1, 0)
    assert counts(send(client, source, gzip.compress(CSV.encode()), "text/csv", **{"Content-Encoding": "gzip"})) == (
        0, 1, 1, 0,
    )  # fmt: skip
    delivery = Delivery.objects.filter(source=source).latest("id")
    assert (delivery.ingestion_type, delivery.customer) == ("push", source.customer)


def test_the_source_s_mapping_applies(client: APIClient, source: Source) -> None:
    Source.objects.update(readings_path="result.rows", unit_field="device.id", temperature_field="t", time_field="at")
    rows = [{"device": {"id": "F1"}, "at": "2026-11-23T10:00:00Z", "t": -18.5}]

    assert counts(send(client, source, json.dumps({"result": {"rows": rows}}))) == (1, 0, 0, 0)
    assert Reading.objects.get().temperature_c == -18.5


def test_a_unit_that_is_too_long_for_a_code_is_rejected(client: APIClient, source: Source) -> None:
    path = f"/api/v1/ingest/{source.public_id}?unit={'F' * 101}"
    response = client.post(path, "time,temperature\n2026-11-23 10:00:00,4\n", content_type="text/csv")

    assert counts(response) == (0, 0, 0, 1)
    assert RejectedRow.objects.get().reason == "code_too_long"


def test_the_same_body_again_is_the_same_outcome_and_no_delivery(client: APIClient, source: Source) -> None:
    first = send(client, source, CSV, "text/csv").json()
    again = send(client, source, CSV, "text/csv").json()

    assert (first["is_repeated"], first["stored"], first["status"]) == (False, 2, "success")
    assert again == first | {"is_repeated": True}
    assert Delivery.objects.count() == 1


def test_equal_readings_without_a_time_are_two_measurements(client: APIClient, source: Source) -> None:
    body = json.dumps({"storage_room": "F1", "temp": 4, "degrees": "C"})

    assert [counts(send(client, source, body))[0] for _ in range(2)] == [1, 1]
    assert Reading.objects.count() == 2


def test_an_idempotency_key_prevents_that_and_a_failed_attempt_does_not_use_it_up(
    client: APIClient, source: Source
) -> None:
    body, key = json.dumps({"storage_room": "F1", "temp": 4, "degrees": "C"}), {"Idempotency-Key": "1"}

    statuses = [send(client, source, each, **key).status_code for each in ("{", body, body)]

    assert statuses == [400, 200, 409]
    assert (Reading.objects.count(), Delivery.objects.count()) == (1, 2)


def test_rejected_rows_are_reported_and_kept_for_review(client: APIClient, source: Source) -> None:
    response = send(client, source, json.dumps([ROW, ROW | {"temperature": "warm", "unit_id": "F2"}]))

    assert counts(response) == (1, 0, 0, 1)
    assert response.json()["status"] == "partial"
    assert [(error["row"], error["code"]) for error in response.json()["errors"]] == [(2, "not_a_number")]
    assert RejectedRow.objects.get().source == source


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "empty"), ("<html><body>Sign in</body></html>", "web page"), ("{", "incomplete"),
        ('[{"a": 1}', "incomplete"), ("{]", "JSON"),
        ('{"unit_id":"F1","time":"2026-11-23T10:00:00Z","temperature":1,"temperature":2}', "twice"),
    ],
)  # fmt: skip
def test_an_unreadable_body_is_refused_and_logged(client: APIClient, source: Source, body: str, text: str) -> None:
    response = send(client, source, body)

    assert response.status_code == 400
    assert text in response.json()["detail"]
    failed = Delivery.objects.get(source=source)
    assert (failed.status, failed.error_message) == ("failure", response.json()["detail"])
    assert Reading.objects.count() == 0


def test_a_paused_or_polled_source_accepts_nothing(client: APIClient, source: Source) -> None:
    polled = SourceFactory(customer=source.customer)
    Source.objects.filter(pk=source.pk).update(is_paused=True)

    assert send(client, source, CSV, "text/csv").status_code == 409
    assert send(token_client(polled), polled, CSV, "text/csv").status_code == 409
    assert Delivery.objects.count() == 0


class TestAccess:
    """A token of a source pushes to it; the source of another customer does not exist."""

    @pytest.fixture
    def customer(self, source: Source) -> Customer:
        return source.customer

    @pytest.mark.parametrize("path", ["sources", "facilities", "temperature", "customers/profile", "customers/tokens"])
    def test_it_can_do_nothing_else(self, client: APIClient, path: str) -> None:
        assert client.get(f"/api/v1/{path}").status_code == 403

    def test_it_pushes_to_no_other_source_and_in_no_other_way(self, client: APIClient, source: Source) -> None:
        other = PushSourceFactory(customer=source.customer)

        assert send(client, other, CSV, "text/csv").status_code == 404
        assert client.post("/api/v1/temperature/bulk", CSV, content_type="text/csv").status_code == 403
        assert client.post("/api/v1/customers/tokens", {"token_name": "t", "permissions": ["write"]}).status_code == 403

    def test_other_customers_and_read_tokens_are_refused(self, source: Source, customer: Customer) -> None:
        assert send(client_of(CustomerFactory()), source, CSV, "text/csv").status_code == 404
        assert send(client_of(customer, permissions=["read"]), source, CSV, "text/csv").status_code == 403
        assert counts(send(client_of(customer, permissions=["write"]), source, CSV, "text/csv"))[0] == 2

    def test_a_manager_creates_it_at_the_source(self, source: Source, customer: Customer) -> None:
        response = client_of(customer).post(f"/api/v1/sources/{source.public_id}/tokens", {"token_name": "gateway"})

        assert response.status_code == 201, response.content
        created: Json = response.json()
        assert (created["source_id"], created["permissions"]) == (str(source.public_id), ["write"])
        assert counts(send(client_with(created["token"]), source, CSV, "text/csv"))[0] == 2
        assert ApiToken.objects.get(token_name="gateway").created_by_token is not None

    def test_nobody_creates_one_for_the_source_of_another_customer(self, source: Source) -> None:
        client = client_of(CustomerFactory())

        assert client.post(f"/api/v1/sources/{source.public_id}/tokens", {"token_name": "t"}).status_code == 404
