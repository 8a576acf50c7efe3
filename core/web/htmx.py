"""Pages that refresh parts of themselves with htmx: which part is requested, and links that keep the query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest


def requested_template(request: HttpRequest, parts: Mapping[str, str], whole: str) -> str:
    """Return the template of the part that htmx requests by its id, else of the whole page."""
    return parts.get(request.headers.get("HX-Target", ""), whole)


def query_with(request: HttpRequest, **changes: Any) -> str:
    """Return the page's query with these parameters changed, starting at the first page."""
    kept = [(name, value) for name, values in request.GET.lists() for value in values]
    others = [(name, value) for name, value in kept if name != "page" and name not in changes]
    return f"?{urlencode([*others, *changes.items()])}"
