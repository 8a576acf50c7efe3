"""A push that is too large, or takes too long to store, is refused as a whole, and says what to send instead."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.db import connection
from rest_framework.test import APIClient

from customers.models import StorageUnit
from ingestion.loading import load, push, source_push
from ingestion.models import Conflict, Delivery
from readings.models import Reading
from tests.api_clients import client_of
from tests.factories import FacilityFactory, PushSourceFactory, StorageUnitFactory, make_token

pytestmark = pytest.mark.django_db
BULK = "/api/v1/temperature/bulk"


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(facility=FacilityFactory())


@pytest.fixture
def client(unit: StorageUnit) -> APIClient:
    client = APIClient()
    _, token = make_token(customer=unit.facility.customer, permissions=["write"])
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def rows(unit: StorageUnit, temperature: float) -> list[dict[str, object]]:
    return [
        {
            "storage_unit_id": str(unit.public_id),
            "temperature": temperature,
            "recorded_at": f"2026-11-20T10:0{minute}:00Z",
        }
        for minute in range(3)
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"[" + b"1," * 100_001 + b"1]", "application/json", "it has more than 100,000 rows"),
        (b"storage_unit_id,temperature,recorded_at\n" + b"\n" * 200_001, "text/csv", "it has more than 200,000 lines"),
        (b" " * 17_000_000, "application/json", "it is longer than 16,777,216 bytes"),
    ],
)
def test_a_push_that_is_too_large_says_how_large_pushes_may_be(
    client: APIClient, body: bytes, content_type: str, why: str
) -> None:
    response = client.post(BULK, data=body, content_type=content_type)
    assert response.status_code == 413
    advice = "Send it in smaller pushes, of at most 100,000 rows and 16,777,216 bytes each."
    assert response.json() == {"detail": f"The body is too large: {why}. {advice}"}


def test_a_push_of_which_too_much_contradicts_stored_readings_stores_nothing(
    client: APIClient, unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post(BULK, rows(unit, 4.0), format="json")
    monkeypatch.setattr(load, "MAX_CONFLICTS", 2)
    response = client.post(BULK, rows(unit, 5.0), format="json")
    assert (response.status_code, Conflict.objects.count()) == (413, 0)
    assert "more than 2 of its rows contradict stored readings. Send it in smaller pushes" in response.json()["detail"]
    assert Delivery.objects.filter(status="failure", error_reason="too_large").exists()


@pytest.fixture
def passed_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Iterator[float] = iter([0.0, 61.0])
    monkeypatch.setattr(push, "time", SimpleNamespace(monotonic=lambda: next(clock)))


@pytest.mark.usefixtures("passed_deadline")
def test_a_push_that_takes_too_long_is_503_and_stores_nothing(client: APIClient, unit: StorageUnit) -> None:
    response = client.post(BULK, rows(unit, 4.0), format="json")
    assert (response.status_code, Reading.objects.count()) == (503, 0)
    message = "The push took longer than 60 s. Nothing was stored; repeat it in smaller pushes."
    assert response.json() == {"detail": message}


def test_a_statement_of_a_push_that_takes_too_long_is_503(
    client: APIClient, unit: StorageUnit, monkeypatch: pytest.MonkeyPatch, settings: SimpleNamespace
) -> None:
    settings.PUSH_SECONDS = 1

    def wait(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [20])

    monkeypatch.setattr(push, "load", wait)
    began = time.monotonic()
    assert client.post(BULK, rows(unit, 4.0), format="json").status_code == 503
    assert time.monotonic() - began < 20


def test_a_push_to_a_source_that_takes_too_long_is_503_and_stores_nothing(
    unit: StorageUnit, monkeypatch: pytest.MonkeyPatch, settings: SimpleNamespace
) -> None:
    """PUSH_SECONDS holds for every push: a sender that waits learns that nothing was stored."""
    settings.PUSH_SECONDS = 1
    source = PushSourceFactory(customer=unit.facility.customer)
    sender, text = client_of(source.customer), "unit_id,time,temp (°C)\nF1,2026-11-20T10:00:00Z,4.5\n"

    def push_to_source() -> tuple[int, object]:
        response = sender.post(f"/api/v1/ingest/{source.public_id}", data=text, content_type="text/csv")
        return response.status_code, response.json().get("detail")

    message = "The push took longer than 1 s. Nothing was stored; repeat it in smaller pushes."
    with monkeypatch.context() as patch:
        patch.setattr(push, "time", SimpleNamespace(monotonic=iter([0.0, 2.0]).__next__))
        assert push_to_source() == (503, message)

    def wait(*_: object, **__: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [20])

    with monkeypatch.context() as patch:
        patch.setattr(source_push, "load", wait)
        assert push_to_source() == (503, message)

    assert (Reading.objects.count(), Delivery.objects.count()) == (0, 0)
    assert push_to_source()[0] == 200
