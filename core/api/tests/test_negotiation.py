"""Content negotiation, and responses to OPTIONS requests."""

from __future__ import annotations

import pytest

from tests.api_clients import client_of
from tests.factories import FacilityFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("permissions", [["read"], ["manage"], ["admin"]])
def test_options_for_a_single_object(permissions: list[str]) -> None:
    facility = FacilityFactory()
    response = client_of(facility.customer, permissions=permissions).options(f"/api/v1/facilities/{facility.public_id}")
    assert response.status_code == 200
    assert response["Allow"] == "GET, PUT, PATCH, HEAD, OPTIONS"
    assert "actions" not in response.json()


@pytest.mark.parametrize(
    ("format_name", "accept", "media_type"),
    [
        ("csv", "application/json", "text/csv; charset=utf-8"),
        ("ndjson", "text/html", "application/x-ndjson; charset=utf-8"),
        ("json", "text/csv", "application/json"),
        ("json", "image/png", "application/json"),
    ],
)
def test_the_format_parameter_overrides_the_accept_header(format_name: str, accept: str, media_type: str) -> None:
    response = client_of().get(f"/api/v1/temperature?format={format_name}", headers={"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"]) == (200, media_type)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv, application/json;q=0.5", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, text/csv;q=0.8", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, */*", "application/json"),
        ("application/json;q=0, */*", "text/csv; charset=utf-8"),
        ("text/csv, */*", "text/csv; charset=utf-8"),
        ("application/json, text/csv", "application/json"),
        ("text/csv;q=high", "text/csv; charset=utf-8"),
        ("", "application/json"),
    ],
)
def test_the_format_with_the_highest_quality_is_sent(accept: str, media_type: str) -> None:
    response = client_of().get("/api/v1/temperature", headers={"Accept": accept})
    assert (response.status_code, response.headers["Content-Type"]) == (200, media_type)


def test_formats_that_are_not_accepted_at_all_are_not_sent() -> None:
    response = client_of().get("/api/v1/temperature", headers={"Accept": "application/json;q=0, image/png"})
    assert response.status_code == 406
