"""Let users see what they have just changed, although the replica may not have replayed it yet.

The response to a request that may have changed something sets a cookie that lasts until the replica has caught up;
whoever sends it reads from the primary. API clients that keep cookies have the same guarantee.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core.db.replica import MEASURED_EVERY_SECONDS, from_primary

COOKIE = "just_changed"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class ReadYourWritesMiddleware:
    """Set the cookie, and read from the primary for requests that carry it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Respond to a request."""
        if COOKIE in request.COOKIES:
            with from_primary():
                response = self._get_response(request)
        else:
            response = self._get_response(request)
        if request.method not in SAFE_METHODS:
            # The lag was measured up to a second ago; another second for the way to the client.
            seconds: int = settings.REPLICA_MAX_LAG_SECONDS + ceil(MEASURED_EVERY_SECONDS) + 1
            response.set_cookie(
                COOKIE, "1", max_age=seconds, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
            )
        return response
