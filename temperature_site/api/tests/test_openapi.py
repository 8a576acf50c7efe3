"""The OpenAPI document: checked in, up to date, with valid examples, and readable without internet access."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from rest_framework.utils.encoders import JSONEncoder

from temperature_site.api.openapi import METHODS
from tests.rest_api.test_api_access import NO_ROUTE, routes

CONTRACT = settings.BASE_DIR / "docs" / "openapi.json"
DOCUMENT = json.loads(CONTRACT.read_text())


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


each_operation = pytest.mark.parametrize(
    ("name", "operation"), list(operations()), ids=[name for name, _ in operations()]
)


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the request and response bodies of an operation."""
    yield from (("request", content) for content in operation.get("requestBody", {}).get("content", {}).values())
    for status, response in operation["responses"].items():
        yield from ((status, content) for content in response.get("content", {}).values())


def as_json_schema(part: Any) -> Any:
    """Convert a schema to JSON Schema, which has a null type instead of `nullable`."""
    if isinstance(part, list):
        return [as_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    schema = {name: as_json_schema(each) for name, each in part.items()}
    return {"anyOf": [schema, {"type": "null"}]} if schema.pop("nullable", False) is True else schema


def test_the_checked_in_document_is_up_to_date() -> None:
    """Regenerate it with `make openapi` and review the changes: clients depend on it."""
    generated = SchemaGenerator().get_schema(request=None, public=True)
    assert json.loads(json.dumps(generated, cls=JSONEncoder)) == DOCUMENT


def test_every_route_of_the_api_is_documented() -> None:
    written = {re.sub(r"<\w+:(\w+)>", r"{\1}", f"/api/v1/{route}") for route, _ in routes() if route != NO_ROUTE}
    assert written == {path for path in DOCUMENT["paths"] if path.startswith("/api/v1/")}


CONTRACT_ROUTES = """
GET /ping, GET /health, GET /system-info, GET /metrics, GET /docs, GET /redoc, GET /openapi.json, GET /api/v1/,
GET /api/v1/temperature, GET /api/v1/temperature/latest, GET /api/v1/temperature/facility/{facility_id},
GET /api/v1/temperature/unit/{unit_id}, POST /api/v1/temperature, POST /api/v1/temperature/bulk,
GET /api/v1/temperature/stats, POST /api/v1/temperature/aggregate, GET /api/v1/temperature/unit/{unit_id}/series,
GET /api/v1/facilities, POST /api/v1/facilities, GET /api/v1/facilities/{public_id}, PUT /api/v1/facilities/{public_id},
GET /api/v1/facilities/{facility_id}/detailed, GET /api/v1/facilities/{facility_id}/units,
POST /api/v1/facilities/{facility_id}/units, GET /api/v1/units/{unit_id}, PUT /api/v1/units/{unit_id},
GET /api/v1/customers/profile, PUT /api/v1/customers/profile, GET /api/v1/customers/tokens,
POST /api/v1/customers/tokens, DELETE /api/v1/customers/tokens/{public_id}, GET /api/v1/analytics/temperature/summary,
GET /api/v1/analytics/temperature/trends, GET /api/v1/analytics/alarms/history, GET /api/v1/analytics/performance,
GET /api/v1/admin/customers, POST /api/v1/admin/customers, GET /api/v1/admin/customers/{public_id},
PUT /api/v1/admin/customers/{public_id}, GET /api/v1/admin/customers/{public_id}/tokens,
POST /api/v1/admin/customers/{public_id}/tokens, GET /api/v1/admin/facilities, GET /api/v1/admin/temperature,
GET /api/v1/admin/temperature/facility/{facility_id}, GET /api/v1/admin/config, PUT /api/v1/admin/config/{key},
GET /api/v1/admin/ingestion/logs, GET /api/v1/admin/analytics/temperature/summary
"""


def test_every_route_that_clients_of_the_earlier_system_use_is_documented() -> None:
    documented = {name for name, _ in operations()}
    assert [route for route in re.split(r",\s+", CONTRACT_ROUTES.strip()) if route not in documented] == []


@each_operation
def test_an_operation_has_valid_examples(name: str, operation: dict[str, Any]) -> None:
    found = list(contents(operation))
    assert {kind for kind, _ in found} & {"200", "201"}
    for kind, content in found:
        schema = as_json_schema(content["schema"]) | {"components": as_json_schema(DOCUMENT["components"])}
        problems = [error.message for error in Draft202012Validator(schema).iter_errors(content["example"])]
        assert not problems, (kind, content["example"])


@each_operation
def test_an_operation_is_described_and_tagged(name: str, operation: dict[str, Any]) -> None:
    assert operation["description"]
    assert operation["tags"]


def test_the_checked_in_document_is_served(client: Client) -> None:
    response = client.get("/openapi.json")
    assert response["Content-Type"] == "application/json"
    assert response.json() == DOCUMENT


class LoadedAddresses(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_offline_page_holds_the_document_and_loads_nothing(tmp_path: Path) -> None:
    call_command("offline_api_page", output=str(tmp_path / "api.html"), stdout=io.StringIO())

    page = (tmp_path / "api.html").read_text()
    loaded = LoadedAddresses()
    loaded.feed(page)
    assert [address[:19] for address in loaded.addresses] == ["data:image/svg+xml;"]
    assert "cdn.redoc.ly" not in page
    (inside,) = re.findall(r"Redoc\.init\((\{.*\}), \{\}, document", page)
    assert json.loads(inside) == DOCUMENT


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_pages_load_only_local_files(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    for address in loaded:
        is_file = address.startswith("/static/")
        assert finders.find(address[8:]) if is_file else client.get(address).status_code == 200, address
    assert "/openapi.json" in page


def test_redoc_loads_no_logo_from_another_host(client: Client) -> None:
    script = client.get("/redoc/redoc.js").content.decode()
    assert "cdn.redoc.ly" not in script
    assert "/static/site/icon.svg" in script


def test_only_pages_with_inline_styles_allow_them(client: Client) -> None:
    assert "unsafe-inline" not in client.get("/docs")["Content-Security-Policy"]
    for path in ("/redoc", "/api/v1/facilities", "/admin/login/"):
        policy = client.get(path, headers={"accept": "text/html"})["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "style-src 'self' 'unsafe-inline'" in policy
        assert "script-src" not in policy
    assert "unsafe-inline" not in client.get("/api/v1/facilities")["Content-Security-Policy"]
