"""Query parameters and fields that an operation does not know are rejected, for every operation of the REST API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from tests.access_world import World, make_world
from tests.api_clients import client_with
from tests.factories import make_token

pytestmark = pytest.mark.django_db
CONTRACT = json.loads((settings.BASE_DIR / "docs" / "openapi.json").read_text(encoding="utf-8"))
OWNED = re.compile(r"(facilities|units|customers|tokens|sources)/\{public_id\}")


@pytest.fixture
def world() -> World:
    return make_world()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of every operation that requires a token."""
    for path, item in CONTRACT["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/v1/") and isinstance(operation, dict) and "responses" in operation:
                yield method, path, operation


def url_of(world: World, path: str) -> str:
    return world.url(re.sub(r"\{(\w+)\}", r"<any:\1>", path.removeprefix("/")))


def test_an_unknown_query_parameter_is_rejected_by_every_operation(world: World) -> None:
    client = client_with(make_token(world.customer, permissions=["admin"])[1])
    for method, path, operation in operations():
        response = getattr(client, method)(f"{url_of(world, path)}?units=1&unitid=2", {})
        known = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"} - {"format"}
        assert response.status_code == 400, (method, path, response.content)
        detail = response.json()["detail"]
        assert detail.startswith("Unknown query parameters: unitid, units."), (method, path, detail)
        assert all(name in detail for name in known), (method, path, detail)


def test_an_unknown_field_is_rejected_by_every_operation(world: World) -> None:
    client = client_with(make_token(world.customer, permissions=["admin"])[1])
    checked = []
    for method, path, operation in operations():
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None or "$ref" not in schema:  # bodies of any shape, and lists
            continue
        checked.append(path)
        with transaction.atomic():
            response = getattr(client, method)(url_of(world, path), {"set_temprature": 1})
            transaction.set_rollback(True)
        properties = CONTRACT["components"]["schemas"][schema["$ref"].split("/")[-1]]["properties"]
        assert response.status_code == 400, (method, path, response.content)
        detail = response.json()["detail"]
        assert detail.startswith("Unknown field: set_temprature. Known: "), (method, path, detail)
        assert all(name in detail for name in properties), (method, path, detail)
    assert len(checked) >= 20


def test_what_was_read_can_be_sent_back(world: World) -> None:
    client = client_with(make_token(world.customer)[1])
    for path in (
        "facilities/<uuid:public_id>",
        "units/<uuid:public_id>",
        "customers/profile",
        "sources/<uuid:public_id>",
    ):
        url = world.url(f"api/v1/{path}")
        received = client.get(url).json()
        assert client.put(url, received).status_code == 200, path
