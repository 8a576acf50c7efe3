"""The configuration over the REST API: validation by key, and its effects."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from readings.configuration import deviation_limits
from readings.units.condition import DEFAULT_LIMITS, DeviationLimits
from tests.api_clients import client_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/admin/config"


@pytest.fixture
def admin() -> APIClient:
    return client_of(permissions=["admin"])


def test_keys_have_defaults(admin: APIClient) -> None:
    data = admin.get(URL).json()

    assert {key: entry["value"] for key, entry in data.items()} == {
        "data_retention_days": 730,
        "max_temperature_deviation": {"warning": 2.0, "critical": 5.0},
    }
    assert all(entry["updated_at"] is None and entry["description"] for entry in data.values())
    assert deviation_limits() == DEFAULT_LIMITS


@pytest.mark.parametrize("way", ["query", "body"])
def test_a_value_is_set_by_query_or_body(admin: APIClient, way: str) -> None:
    if way == "query":
        response = admin.put(f"{URL}/data_retention_days?value=365&description=a%20year")
    else:
        response = admin.put(f"{URL}/data_retention_days", {"value": 365, "description": "a year"})

    assert response.status_code == 200
    assert (response.json()["value"], response.json()["description"]) == (365, "a year")
    data = admin.get(URL).json()["data_retention_days"]
    assert data == response.json()
    assert data["updated_at"] is not None


def test_setting_a_value_keeps_the_description(admin: APIClient) -> None:
    admin.put(f"{URL}/data_retention_days", {"value": 365, "description": "a year"})
    response = admin.put(f"{URL}/data_retention_days", {"value": 366})
    assert response.json()["description"] == "a year"


def test_deviations_take_effect(admin: APIClient) -> None:
    admin.put(f"{URL}/max_temperature_deviation", {"value": {"warning": 1, "critical": 3.5}})
    assert deviation_limits() == DeviationLimits(warning_k=1, critical_k=3.5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data_retention_days", 0),
        ("data_retention_days", 1.5),
        ("data_retention_days", "730"),
        ("data_retention_days", True),
        ("data_retention_days", None),
        ("data_retention_days", 10**30),
        ("max_temperature_deviation", 2),
        ("max_temperature_deviation", {"warning": 2}),
        ("max_temperature_deviation", {"warning": 5, "critical": 2}),
        ("max_temperature_deviation", {"warning": -1, "critical": 2}),
        ("max_temperature_deviation", {"warning": "2", "critical": "5"}),
        ("max_temperature_deviation", {"warning": 2, "critical": 5, "panic": 9}),
        ("max_temperature_deviation", {"warning": 2, "critical": 10**400}),
    ],
)
def test_an_invalid_value_is_rejected(admin: APIClient, key: str, value: object) -> None:
    before = admin.get(URL).json()

    rejected = admin.put(f"{URL}/{key}", {"value": value})

    assert rejected.status_code == 400
    assert list(rejected.json()) == ["value"]
    assert admin.get(URL).json() == before


@pytest.mark.parametrize("query", ["", "?value=", "?value={", "?value=NaN"])
def test_a_value_is_required_and_must_be_json(admin: APIClient, query: str) -> None:
    assert admin.put(f"{URL}/data_retention_days{query}").status_code == 400


@pytest.mark.parametrize("body", [[], "text", 5, {"value": 365, "description": 5}, {"value": 5, "description": "\x00"}])
def test_an_invalid_body_is_rejected(admin: APIClient, body: str | int | dict[str, object]) -> None:
    assert admin.put(f"{URL}/data_retention_days", body, format="json").status_code == 400


def test_an_unknown_key_is_not_found(admin: APIClient) -> None:
    assert admin.put(f"{URL}/nothing", {"value": 1}).status_code == 404


def test_only_admins_read_and_change_the_configuration() -> None:
    customer = client_of()
    assert customer.get(URL).status_code == 403
    assert customer.put(f"{URL}/data_retention_days", {"value": 1}).status_code == 403
    assert deviation_limits() == DEFAULT_LIMITS
