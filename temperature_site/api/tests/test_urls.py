"""Paths of the API that several apps share."""

from __future__ import annotations

import pytest

from tests.api_clients import client_of
from tests.factories import StorageUnitFactory

pytestmark = pytest.mark.django_db

READINGS = "/api/v1/temperature"


def test_methods_of_different_apps_share_a_path() -> None:
    unit = StorageUnitFactory()
    client = client_of(unit.facility.customer)
    reading = {"storage_unit_id": unit.public_id, "temperature": 4.5, "recorded_at": "2026-11-21T10:00:00Z"}
    assert client.post(READINGS, reading).status_code == 201
    response = client.get(READINGS)
    assert [item["temperature"] for item in response.json()["items"]] == [4.5]
    assert response["Allow"] == client.options(READINGS)["Allow"] == "GET, POST, HEAD, OPTIONS"
    assert client.put(READINGS, reading).status_code == 405


def test_only_lists_of_readings_have_other_formats() -> None:
    unit = StorageUnitFactory()
    client = client_of(unit.facility.customer)
    reading = {"storage_unit_id": unit.public_id, "temperature": 4.5, "recorded_at": "2026-11-21T10:00:00Z"}
    assert client.post(f"{READINGS}?format=csv", reading).status_code == 422
    assert client.get(f"{READINGS}?format=csv")["Content-Type"].startswith("text/csv")
