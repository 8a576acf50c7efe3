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
# Deeper than any request body; schemas may refer to themselves.
MAX_DEPTH = 8


def collection(document: Json) -> dict[str, object]:
    """Return the collection: a folder for each tag, a request for each operation."""
    folders: dict[str, list[dict[str, object]]] = {}
    for path, operations in _items(document, "paths"):
        for method, operation in _operations(operations):
            (tag,) = cast("list[str]", operation["tags"])[:1]
            folders.setdefault(tag, []).append(_request(document, path, method, operation))
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


def _request(document: Json, path: str, method: str, operation: Json) -> dict[str, object]:
    parameters = cast("list[Json]", operation.get("parameters", []))
    headers = [_pair(each, is_optional=True) for each in parameters if each["in"] == "header"]
    body = _body(document, operation)
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


def _body(document: Json, operation: Json) -> dict[str, object]:
    """Return a body with every field that can be sent, as JSON; nothing for operations without one."""
    content = cast("Json", cast("Json", operation.get("requestBody", {})).get("content", {}))
    if "application/json" not in content:
        return {}
    media = cast("Json", content["application/json"])
    example = media["example"] if "example" in media else _example(document, cast("Json", media.get("schema", {})))
    raw = json.dumps(example, indent=2, ensure_ascii=False)
    return {"body": {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}}


def _example(document: Json, schema: Json, depth: int = 0) -> object:
    """Return a value of the schema: its example or default if it has one, else an empty value of its type."""
    if depth > MAX_DEPTH:
        return None
    for keyword in ("example", "default"):
        if keyword in schema:
            return schema[keyword]
    if "$ref" in schema:
        return _example(document, _resolve(document, str(schema["$ref"])), depth + 1)
    for keyword in ("allOf", "oneOf", "anyOf"):
        if keyword in schema:
            return _example(document, cast("list[Json]", schema[keyword])[0], depth + 1)
    if "enum" in schema:
        return cast("list[object]", schema["enum"])[0]
    kind = schema.get("type")
    if kind == "object":
        fields = [(name, field) for name, field in _items(schema, "properties") if not field.get("readOnly")]
        return {name: _example(document, field, depth + 1) for name, field in fields}
    if kind == "array":
        return [_example(document, cast("Json", schema.get("items", {})), depth + 1)]
    return {"string": "", "integer": 0, "number": 0.0, "boolean": False}.get(str(kind))


def _items(parent: Json, key: str) -> Iterator[tuple[str, Json]]:
    yield from cast("Mapping[str, Json]", parent.get(key, {})).items()


def _resolve(document: Json, reference: str) -> Json:
    """Return what `#/components/schemas/Name` refers to."""
    found: object = document
    for name in reference.removeprefix("#/").split("/"):
        found = cast("Json", found)[name]
    return cast("Json", found)
