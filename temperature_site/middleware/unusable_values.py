"""Refuse values that the admin's forms never send: Django and its apps take some for granted, as of lists and choices.

Such as an id of a row to act on that is no number, or a number that no column can hold.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase

logger = structlog.get_logger(__name__)


class UnusableValuesMiddleware:
    """Respond with 400 to a request for the admin with fields that ends in an error about a value, and log it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Process the request."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the refusal, None if the error has another cause."""
        match = request.resolver_match
        if match is None or match.app_name != "admin" or not (request.GET or request.POST or match.kwargs):
            return None
        if not isinstance(exception, ValueError | OverflowError | DataError):
            return None
        # It may be a fault of the program, too.
        logger.error("unusable value", path=request.path, exc_info=exception)
        return HttpResponseBadRequest(
            "The request has a value that cannot be used. Go back, correct it and try again.",
            content_type="text/plain; charset=utf-8",
        )
