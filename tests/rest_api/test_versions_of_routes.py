"""Every operation that changes something: `If-Match` is honoured, and what can be changed sends its `ETag`."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from alarms.models import Alarm
from tests.access_world import World, make_world
from tests.api_clients import client_with
from tests.factories import make_token
from tests.responses import ApiResponse
from tests.rest_api.test_unknown_input import operations, url_of

pytestmark = pytest.mark.django_db
STALE = '"00000000000000000000"'

# They answer a question, store readings, or create something, for which there is `Idempotency-Key`.
CHANGES_NOTHING = {
    "/api/v1/temperature/aggregate",
    "/api/v1/sources/{public_id}/test",
    "/api/v1/units/{unit_id}/limits/preview",
}
STORES = {"/api/v1/temperature", "/api/v1/temperature/bulk", "/api/v1/ingest/{public_id}"}
# Where the version is read, for routes that only change: the sensors of a unit, else the object of an action.
READ_AT = {"/api/v1/units/{unit_id}/sensors/retirement": "/api/v1/units/{unit_id}/sensors"}
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/admin/config/{key}": {"value": 800},
    "/api/v1/alarms/{alarm_id}/acknowledge": {"comment": "Called the technician."},
    "/api/v1/alarms/{alarm_id}/comment": {"comment": "The door was open."},
    "/api/v1/alarms/{alarm_id}/close": {"cause": "The door.", "corrective_action": "Closed it."},
    "/api/v1/units/{unit_id}/sensors/retirement": {"sensor_id": "", "retired_at": "2026-11-01T00:00:00Z"},
    "/api/v1/units/{unit_id}": {"set_temperature": 4.0},
    "/api/v1/units/{unit_id}/limits": {"sensor_policy": "mean"},
    "/api/v1/sources/{public_id}": {"interval_seconds": 660},
}
NAMES = ("facilities/{public_id}", "customers/profile", "admin/customers/{public_id}")
BODIES |= {f"/api/v1/{path}": {"name": "Elsewhere"} for path in NAMES}


# What is created by each path with this body, and below which path it is read.
CREATED: dict[str, tuple[dict[str, Any], str]] = {
    "/api/v1/facilities": ({"facility_code": "NEW", "latitude": 51, "time_zone": "Europe/London"}, "facilities"),
    "/api/v1/facilities/{facility_id}/units": ({"unit_code": "NEW", "set_temperature": 4}, "units"),
    "/api/v1/customers/tokens": ({"token_name": "new", "permissions": ["write", "read"]}, "customers/tokens"),
    "/api/v1/admin/customers": ({"customer_code": "NEW", "name": "New Ltd"}, "admin/customers"),
    "/api/v1/admin/customers/{public_id}/tokens": ({"token_name": "new", "permissions": ["read"]}, "customers/tokens"),
    "/api/v1/sources": (
        {"name": "new", "url": "https://example.com", "mapping": {"time_zone": "UTC", "null_values": ["-999"]}},
        "sources",
    ),
    "/api/v1/sources/{public_id}/tokens": ({"token_name": "gateway"}, "customers/tokens"),
}


def changes() -> list[tuple[str, str, dict[str, Any]]]:
    """Return the method, path and description of every operation that changes an object."""
    return [
        (method, path, operation)
        for method, path, operation in operations()
        if method != "get" and "201" not in operation["responses"] and path not in CHANGES_NOTHING | STORES
    ]


def read_at(path: str, paths: set[str]) -> str:
    """Return the path at which the version of what an operation changes is read."""
    return READ_AT.get(path) or (path if path in paths else path.rpartition("/")[0])


def send(client: APIClient, world: World, method: str, path: str, condition: str) -> ApiResponse:
    options: dict[str, Any] = {"headers": {"If-Match": condition}}
    response: ApiResponse = getattr(client, method)(url_of(world, path), BODIES.get(path, {}), **options)
    return response


def test_every_operation_that_changes_an_object_honours_if_match() -> None:
    world = make_world()
    client = client_with(make_token(world.customer, permissions=["admin"])[1])
    sensor = world.customer.facilities.get().units.get().sensors.get()
    BODIES["/api/v1/units/{unit_id}/sensors/retirement"]["sensor_id"] = sensor.sensor_code
    readable = {path for method, path, _ in operations() if method == "get"}
    wrong, checked = [], changes()
    for method, path, operation in checked:
        if path.endswith("/close"):
            Alarm.objects.update(ended_at=timezone.now())
        etag = client.get(url_of(world, read_at(path, readable))).headers.get("ETag", "none sent")
        with transaction.atomic():
            refused = send(client, world, method, path, STALE)
            matched = send(client, world, method, path, etag)
            later = send(client, world, method, path, etag)
            transaction.set_rollback(True)
        names = {each["name"] for each in operation.get("parameters", [])}
        # Polling and pausing twice, with the same result, changes nothing that a version states.
        is_later_refused = later.status_code == 412 or matched.headers.get("ETag") == etag
        statuses = (refused.status_code, refused.headers.get("ETag"), matched.status_code, is_later_refused)
        if statuses != (412, etag, 200, True) or "If-Match" not in names or "ETag" not in matched.headers:
            wrong.append((method, path, etag, statuses, matched.content[:200]))
    assert wrong == []
    assert len(checked) >= 18


def test_what_is_created_is_sent_with_its_version() -> None:
    world = make_world()
    client = client_with(make_token(world.customer, permissions=["admin"])[1])
    created = {path for method, path, operation in operations() if "201" in operation["responses"]} - STORES
    assert created == CREATED.keys()
    for path, (body, read_at) in CREATED.items():
        response = client.post(url_of(world, path), body)
        assert response.status_code == 201, response.content
        read = client.get(f"/api/v1/{read_at}/{response.json()['id']}")
        assert response.headers.get("ETag") == read.headers["ETag"], path


def test_what_was_changed_meanwhile_is_in_the_response() -> None:
    world = make_world()
    client = client_with(make_token(world.customer, permissions=["admin"])[1])
    shown = {
        path: send(client, world, method, path, STALE).json().get("detail", "")
        for method, path, _ in changes()
        if path in BODIES and not path.endswith("/retirement")
    }
    assert "Stored now: set_temperature: 5.0." in shown["/api/v1/units/{unit_id}"]
    assert "Stored now: value: 730; description:" in shown["/api/v1/admin/config/{key}"]
    assert "Stored now: state: open; severity:" in shown["/api/v1/alarms/{alarm_id}/acknowledge"]
    assert all("Stored now:" in detail for detail in shown.values()), shown
