"""What pages share that renew a part of themselves: which part is asked for, and links that keep the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest


def part_asked(request: HttpRequest, parts: Mapping[str, str], whole: str) -> str:
    """The template of the part that htmx asks to have renewed, by its id, else of the whole page."""
    return parts.get(request.headers.get("HX-Target", ""), whole)


def query_with(request: HttpRequest, **changes: Any) -> str:
    """The page's own query with these parameters changed; what is changed begins at the first page."""
    query = request.GET.copy()
    query.pop("page", None)
    for name, value in changes.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"
