"""Request latencies, measured in every web process and summed when Prometheus scrapes.

`gunicorn.conf.py` names the folder through which the processes share their metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import Histogram

SECONDS = Histogram(
    "temperature_http_request_seconds",
    "Time from receiving a request to starting its response.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetricsMiddleware:
    """Measure every request by method, route and status. Methods and paths invented by clients add no series."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Observe the time until the response of `request` is ready."""
        began = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        match = request.resolver_match
        SECONDS.labels(method, match.route if match else "none", response.status_code).observe(
            time.perf_counter() - began
        )
        return response
