"""The REST API as a Postman collection, generated from its OpenAPI document; Bruno and Insomnia import it as well.

The format is https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/index.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import cast

Json = Mapping[str, object]

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
# What a person sets once, for every request.
VARIABLES = {"site": "http://localhost:8000", "token": ""}


def collection(document: Json) -> dict[str, object]:
    """Return the collection: a folder for each tag, a request for each operation."""
    folders: dict[str, list[dict[str, object]]] = {}
    for path, operations in cast("Mapping[str, Json]", document["paths"]).items():
        for method, operation in _operations(operations):
            (tag,) = cast("list[str]", operation["tags"])[:1]
            folders.setdefault(tag, []).append(_request(path, method, operation))
    info = cast("Json", document["info"])
    return {
        "info": {"name": info["title"], "description": info["description"], "schema": SCHEMA},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": name, "value": value} for name, value in VARIABLES.items()],
        "item": [{"name": tag, "item": requests} for tag, requests in sorted(folders.items())],
    }


def _operations(operations: Json) -> Iterator[tuple[str, Json]]:
    for method, operation in operations.items():
        if method in {"get", "post", "put", "patch", "delete"}:
            yield method, cast("Json", operation)


def _request(path: str, method: str, operation: Json) -> dict[str, object]:
    parameters = cast("list[Json]", operation.get("parameters", []))
    headers = [_pair(each, is_optional=True) for each in parameters if each["in"] == "header"]
    body = _body(operation)
    if body:
        headers.insert(0, {"key": "Content-Type", "value": "application/json"})
    return {
        "name": f"{method.upper()} {path}",
        "request": {
            "method": method.upper(),
            "description": operation.get("description", operation.get("summary", "")),
            "header": headers,
            "url": _url(path, parameters),
            **body,
        },
    }


def _url(path: str, parameters: list[Json]) -> dict[str, object]:
    segments = path.strip("/").replace("{", ":").replace("}", "").split("/")
    return {
        "raw": "/".join(["{{site}}", *segments]),
        "host": ["{{site}}"],
        "path": segments,
        "query": [_pair(each, is_optional=not each.get("required")) for each in parameters if each["in"] == "query"],
        "variable": [_pair(each, is_optional=False) for each in parameters if each["in"] == "path"],
    }


def _pair(parameter: Json, *, is_optional: bool) -> dict[str, object]:
    pair = {"key": parameter["name"], "value": "", "description": parameter.get("description", "")}
    return pair | ({"disabled": True} if is_optional else {})


def _body(operation: Json) -> dict[str, object]:
    """Return the example of a body as JSON; nothing for operations without one."""
    content = cast("Json", cast("Json", operation.get("requestBody", {})).get("content", {}))
    if "application/json" not in content:
        return {}
    # `temperature_site.api.openapi` gives every body one.
    example = cast("Json", content["application/json"])["example"]
    raw = json.dumps(example, indent=2, ensure_ascii=False)
    return {"body": {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}}
