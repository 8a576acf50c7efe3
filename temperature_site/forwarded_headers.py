"""Notice that a proxy is in front although PROXY_COUNT is 0.

Then every visitor seems to have the proxy's address: sign-in attempts of one are counted for all, and the audit trail
names the proxy. With PROXY_COUNT set the middleware is not loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from temperature_site.models import ForwardedHeaders

logger = structlog.get_logger(__name__)

HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")
# How often a process records it again.
RECORD_SECONDS = 600.0
# After how long without such a request it counts as corrected.
FORGET_AFTER = timedelta(days=1)


class ForwardedHeadersMiddleware:
    """Record requests with forwarded headers, at most every ten minutes in each process."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if settings.PROXY_COUNT:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self._recorded_at: float | None = None

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Process the request, then record it if it needs to be."""
        response = self.get_response(request)
        meta = request.META
        if any(name in meta for name in HEADERS) and self._is_due():
            self._recorded_at = time.monotonic()
            _record()
        return response

    def _is_due(self) -> bool:
        return self._recorded_at is None or time.monotonic() - self._recorded_at > RECORD_SECONDS


def forwarded_headers_problem(now: datetime) -> str:
    """Return what is wrong if such requests arrived within the last day while PROXY_COUNT is 0, else ""."""
    if settings.PROXY_COUNT or not ForwardedHeaders.objects.filter(seen_at__gt=now - FORGET_AFTER).exists():
        return ""
    return (
        "Requests arrive with forwarded headers, but PROXY_COUNT is 0: every visitor seems to have the address of the"
        " proxy. Set PROXY_COUNT to the number of proxies in front."
    )


def _record() -> None:
    logger.warning("forwarded headers ignored", setting="PROXY_COUNT")
    try:
        ForwardedHeaders.objects.update_or_create(defaults={"seen_at": timezone.now()})
    except DatabaseError:
        logger.warning("forwarded headers not recorded")
