"""The collection has a request for each operation of the OpenAPI document, ready to be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

DOCUMENT = json.loads((Path(settings.BASE_DIR) / "docs" / "openapi.json").read_text())
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the written collection's requests by method and path."""
    file = tmp_path_factory.mktemp("collection") / "api.json"
    call_command("api_collection", output=file, verbosity=0)
    written = json.loads(file.read_text())
    assert written["auth"]["bearer"][0]["value"] == "{{token}}"
    assert {variable["key"] for variable in written["variable"]} == {"site", "token"}
    return {item["name"]: item["request"] for folder in written["item"] for item in folder["item"]}


def test_every_operation_has_a_request(requests: dict[str, Any]) -> None:
    operations = {f"{m.upper()} {path}" for path, each in DOCUMENT["paths"].items() for m in each if m in METHODS}

    assert set(requests) == operations


def test_parameters_are_variables_and_optional_ones_are_switched_off(requests: dict[str, Any]) -> None:
    url = requests["GET /api/v1/temperature/unit/{unit_id}/series"]["url"]

    assert url["raw"] == "{{site}}/api/v1/temperature/unit/:unit_id/series"
    assert [variable["key"] for variable in url["variable"]] == ["unit_id"]
    assert all(pair["disabled"] for pair in url["query"])


def test_bodies_have_the_required_fields_and_no_unknown_ones(requests: dict[str, Any]) -> None:
    bodies = 0
    for path, operations in DOCUMENT["paths"].items():
        for method in METHODS & operations.keys():
            media = operations[method].get("requestBody", {}).get("content", {}).get("application/json", {})
            if "$ref" not in media.get("schema", {}):
                continue
            schema = DOCUMENT["components"]["schemas"][media["schema"]["$ref"].split("/")[-1]]
            sent = json.loads(requests[f"{method.upper()} {path}"]["body"]["raw"])
            assert set(schema.get("required", [])) <= set(sent) <= set(schema["properties"]), (method, path)
            bodies += 1
    assert bodies > 20
