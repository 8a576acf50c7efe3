"""UUIDs in capitals are found in paths, as they are accepted in bodies and queries."""

from __future__ import annotations

import pytest
from django.test import Client

from customers.models import Membership
from temperature_site.middleware.uuid_paths import with_small_uuids
from tests.api_clients import client_of
from tests.factories import MembershipFactory, SourceFactory

pytestmark = pytest.mark.django_db
CAPITALS, SMALL = "F47AC10B-58CC-4372-A567-0E02B2C3D479", "f47ac10b-58cc-4372-a567-0e02b2c3d479"


def test_the_api_finds_an_object_by_its_id_in_capitals() -> None:
    source = SourceFactory()
    api = client_of(source.customer)
    path = f"/api/v1/sources/{str(source.public_id).upper()}"

    assert api.get(path).json()["id"] == str(source.public_id)
    assert api.post(f"{path}/pause").json()["is_paused"] is True


def test_a_page_finds_an_object_by_its_id_in_capitals(client: Client) -> None:
    source = SourceFactory()
    client.force_login(MembershipFactory(customer=source.customer, role=Membership.Role.VIEWER).user)

    assert client.get(f"/sources/{str(source.public_id).upper()}").status_code == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/units/{CAPITALS}", f"/units/{SMALL}"),
        (f"/a/{CAPITALS}/B/{CAPITALS}/", f"/a/{SMALL}/B/{SMALL}/"),
        (f"/files/x{CAPITALS}", f"/files/x{CAPITALS}"),
        (f"/files/{CAPITALS}.CSV", f"/files/{CAPITALS}.CSV"),
        ("/Units", "/Units"),
    ],
)
def test_only_segments_that_are_uuids_are_changed(path: str, expected: str) -> None:
    assert with_small_uuids(path) == expected
