"""Refuse NUL characters in queries and forms of pages: PostgreSQL stores and compares no text with them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.http.response import HttpResponseBase


class NulCharactersMiddleware:
    """Respond with 400 to a query or form with a NUL. The REST API validates its own, and responds in JSON."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Process the request."""
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        """Return the refusal, None if there is no NUL."""
        if request.path_info.startswith("/api/"):
            return None
        # A form was read for its CSRF token already.
        if _has_nul(request.GET) or (request.method == "POST" and _has_nul(request.POST)):
            return HttpResponseBadRequest("Text must not contain NUL.", content_type="text/plain; charset=utf-8")
        return None


def _has_nul(fields: QueryDict) -> bool:
    return any("\0" in text for name, values in fields.lists() for text in (name, *values))
