"""Additions to the OpenAPI document: operation ids, tags, authentication schemes, errors and examples."""

from __future__ import annotations

from collections.abc import Iterator

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from typing_extensions import override

from temperature_site.api.openapi_examples import Document, example_of
from temperature_site.api.openapi_probes import PROBES

PREFIX = "/api/v1/"

METHODS = ("get", "post", "put", "patch", "delete")
TAGS = {
    "temperature": "Temperature",
    "facilities": "Facilities and storage units",
    "units": "Facilities and storage units",
    "customers": "Customer",
    "sources": "Sources",
    "alarms": "Alarms",
    "excursions": "Alarms",
    "limit-profiles": "Alarms",
    "analytics": "Analytics",
    "admin": "Admin",
}
ERROR = {
    "type": "object",
    "description": "The error in a sentence.",
    "properties": {"detail": {"type": "string"}},
    "required": ["detail"],
}
INVALID = {
    "description": "The error in a sentence under `detail`, or sentences under the names of fields.",
    "oneOf": [{"type": "object", "additionalProperties": {}}, {"type": "array", "items": {}}],
}
# Statuses of every operation, and of operations with a body.
ALWAYS = {
    "401": "No token, or a token that is unknown, expired, revoked or of an inactive customer.",
    "403": "Missing permission.",
    "404": "Not found, or owned by another customer.",
    "406": "None of the requested formats is available.",
    "422": "Invalid query parameter, or unacceptable content of the body.",
    "429": "The token's hourly limit is exceeded; `Retry-After` gives the seconds until it is reset.",
    "503": "The database is temporarily unavailable.",
}
# Sent by the web server, before the application is called.
BY_SERVER = {
    "414": {"description": "The URL is too long."},
    "431": {"description": "The headers are too long."},
}
WITH_BODY = {
    "413": "The body is too large.",
    "415": "Unsupported media type.",
}


class TokenScheme(OpenApiAuthenticationExtension):
    """Authentication by API token."""

    target_class = "customers.access.authentication.TokenAuthentication"
    name = "token"

    @override
    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token. The keyword `Token` also works."}


class SignInScheme(SessionScheme):
    """Authentication by the session of a signed-in user."""

    target_class = "customers.access.authentication.SessionAuthentication"
    name = "session"


IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of the version to be changed; 412 if the object was changed meanwhile.",
    "example": "*",
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 200},
    "description": "Carries the request out once: repeated with the same key it is a 409 for a day.",
}
ETAG = {"schema": {"type": "string"}, "description": "The version of what can be changed, for `If-Match`."}
CHANGED_MEANWHILE = "The object was changed since the version that `If-Match` names; `ETag` is its present version."


class Schema(AutoSchema):
    """Operation ids from the method and the path, tags by topic, and versions of objects."""

    @override
    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Document | None:
        operation: Document | None = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is not None and self.method == "POST" and getattr(self.view, "creates_once", False):
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            operation["responses"].setdefault("409", _error("The request was carried out already.", "Error"))
            if "201" in operation["responses"]:
                operation["responses"]["201"]["headers"] = {"ETag": ETAG}
        if operation is not None and getattr(self.view, "is_versioned", False):
            operation["responses"]["200"]["headers"] = {"ETag": ETAG}
            if self.method != "GET":
                operation.setdefault("parameters", []).append(IF_MATCH)
                operation["responses"]["412"] = _error(CHANGED_MEANWHILE, "Error") | {"headers": {"ETag": ETAG}}
        return operation

    @override
    def get_operation_id(self) -> str:
        parts = self.path.removeprefix(PREFIX).strip("/").split("/")
        if parts == [""]:
            return f"{self.method.lower()}_root"
        words = [f"by_{part.strip('{}')}" if part.startswith("{") else part for part in parts]
        return "_".join([self.method.lower(), *words]).replace("-", "_")

    @override
    def get_tags(self) -> list[str]:
        is_of_api = self.path.startswith(PREFIX)
        return [TAGS.get(self.path.removeprefix(PREFIX).split("/")[0], "System") if is_of_api else "System"]


def complete(result: Document, **_: object) -> Document:
    """Add the errors that all operations share, and examples. A postprocessing hook of drf-spectacular."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Error"], schemas["Invalid"] = ERROR, INVALID
    result["paths"] |= PROBES
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
    responses.setdefault("400", _error("The body or one of its fields is invalid.", "Invalid"))
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
