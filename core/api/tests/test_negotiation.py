"""Responses to OPTIONS requests."""

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
