"""The OpenAPI document's part on paths that are no views of the REST framework: probes, metrics and documentation."""

from __future__ import annotations

from temperature_site.api.openapi_examples import Document

_PING: Document = {
    "type": "object",
    "description": "The web process responds.",
    "properties": {"ping": {"type": "string"}},
    "required": ["ping"],
}
_LIVE: Document = {"type": "object", "properties": {"live": {"type": "boolean"}}, "required": ["live"]}
_READY: Document = {"type": "object", "properties": {"ready": {"type": "boolean"}}, "required": ["ready"]}
_METRICS = "# TYPE temperature_readings_total counter\ntemperature_readings_total 42.0\n"
_PAGE = "<!doctype html>"


def _operation(name: str, description: str, media_type: str, schema: Document, example: object) -> Document:
    """Return a GET operation that requires no token."""
    content = {media_type: {"schema": schema, "example": example}}
    return {
        "get": {
            "operationId": f"get_{name}",
            "description": description,
            "tags": ["System"],
            "security": [{}],
            "responses": {"200": {"content": content, "description": ""}},
        }
    }


_TEXT: Document = {"type": "string"}
PROBES: dict[str, Document] = {
    "/ping": _operation(
        "ping",
        "Return at once that the web process responds, without using the database. Requires no token.",
        "application/json",
        _PING,
        {"ping": "pong"},
    ),
    "/live": _operation(
        "live",
        "Return at once that the web process is running: restart one that does not respond. Requires no token.",
        "application/json",
        _LIVE,
        {"live": True},
    ),
    "/ready": _operation(
        "ready",
        "Return whether the web process can serve requests; 503 without the database. Requires no token.",
        "application/json",
        _READY,
        {"ready": True},
    ),
    "/metrics": _operation(
        "metrics", "Return the metrics in Prometheus's text format. Requires no token.", "text/plain", _TEXT, _METRICS
    ),
    "/openapi.json": _operation(
        "openapi_json", "Return this document.", "application/json", {"type": "object"}, {"openapi": "3.0.3"}
    ),
    "/docs": _operation("docs", "Show this document as Swagger UI.", "text/html", _TEXT, _PAGE),
    "/redoc": _operation("redoc", "Show this document as ReDoc.", "text/html", _TEXT, _PAGE),
}
