"""What the OpenAPI document gets on top of what views and serializers say: names, tags, errors and examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drf_spectacular.openapi import AutoSchema

from temperature_site.api.openapi_examples import example_of

Document = dict[str, Any]

PREFIX = "/api/v1/"

METHODS = ("get", "post", "put", "patch", "delete")
TAGS = {
    "temperature": "Temperature",
    "facilities": "Facilities and storage units",
    "units": "Facilities and storage units",
    "customers": "Customer",
    "alarms": "Alarms",
    "excursions": "Alarms",
    "limit-profiles": "Alarms",
    "analytics": "Analytics",
    "admin": "Admin",
}
ERROR = {
    "type": "object",
    "description": "What went wrong, in a sentence.",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
INVALID = {
    "description": "What went wrong: a sentence under `detail`, or sentences under the names of fields.",
    "oneOf": [{"type": "object", "additionalProperties": {}}, {"type": "array", "items": {}}],
}
# The statuses every operation may answer with, and those of operations that have a body or an id in their path.
ALWAYS = {
    "401": "No token, or one that is unknown, expired or revoked, or of an inactive customer.",
    "403": "A permission is missing.",
    "404": "There is no such thing, or it is another customer's.",
    "406": "None of the formats asked for is available.",
    "422": "The query or the body can't be meant.",
    "429": "The token's limit for this hour is reached; `Retry-After` says when it ends.",
    "503": "The database can't be reached at the moment.",
}
# What the server says before it asks the application.
BY_SERVER = {
    "414": {"description": "The address is longer than the server takes."},
    "431": {"description": "The headers are longer than the server takes."},
}
WITH_BODY = {
    "413": "The body is too large.",
    "415": "The body is of another type than is taken.",
}


class Schema(AutoSchema):
    """Names operations after their method and path, and groups them as the contract does."""

    def get_operation_id(self) -> str:
        parts = self.path.removeprefix(PREFIX).strip("/").split("/")
        words = [f"by_{part.strip('{}')}" if part.startswith("{") else part for part in parts]
        return "_".join([self.method.lower(), *words]).replace("-", "_")

    def get_tags(self) -> list[str]:
        is_of_api = self.path.startswith(PREFIX)
        return [TAGS.get(self.path.removeprefix(PREFIX).split("/")[0], "System") if is_of_api else "System"]


def complete(result: Document, **_: Any) -> Document:
    """A drf-spectacular postprocessing hook: adds what is the same for all operations, and examples."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"], schemas["Invalid"] = ERROR, INVALID
    for path, operation in _operations(result):
        if path.startswith(PREFIX) or operation.get("security", [{}]) != [{}]:
            _add_errors(operation)
        for content in _contents(operation):
            _add_example(content, schemas)
    return result


def _operations(result: Document) -> Iterator[tuple[str, Document]]:
    for path, item in result["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, item[method]


def _add_errors(operation: Document) -> None:
    responses = operation["responses"]
    errors = ALWAYS | (WITH_BODY if "requestBody" in operation else {})
    for status, description in errors.items():
        responses.setdefault(status, _error(description, "Error"))
    responses.setdefault("400", _error("The body or a field of it is not valid.", "Invalid"))
    responses |= BY_SERVER
    operation["responses"] = dict(sorted(responses.items()))


def _error(description: str, schema: str) -> Document:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


def _contents(operation: Document) -> Iterator[Document]:
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def _add_example(content: Document, schemas: Document) -> None:
    if "examples" not in content and "example" not in content:
        content["example"] = example_of(content["schema"], schemas)
