"""What load balancers and people probe: `/ping` (does the process respond?) and the report behind `/health`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from temperature_site.forwarded_headers import forwarded_headers_problem
from temperature_site.health.checks import CheckResults, run_checks

T = TypeVar("T")

STARTED = time.monotonic()

# The endpoint is public, and a report costs two connections.
CACHE_SECONDS = 2.0


class TtlCache(Generic[T]):
    """The result of `compute`, cached for some seconds. One thread computes at a time; others wait for it."""

    def __init__(self, compute: Callable[[], T], seconds: float) -> None:
        self._compute = compute
        self._seconds = seconds
        self._lock = threading.Lock()
        self._cached: tuple[float, T] | None = None

    def value(self) -> T:
        """Return the cached value, computing it if it is older than the limit."""
        with self._lock:
            if self._cached is None or time.monotonic() - self._cached[0] > self._seconds:
                self._cached = (time.monotonic(), self._compute())
            return self._cached[1]


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The results of the health checks and when they ran."""

    at: datetime
    results: CheckResults

    @property
    def version(self) -> str:
        """The version of the system."""
        return settings.VERSION

    @property
    def uptime_seconds(self) -> float:
        """The uptime of this process now."""
        return round(time.monotonic() - STARTED, 3)


def _report() -> HealthReport:
    return HealthReport(timezone.now(), run_checks())


latest_report = TtlCache(_report, CACHE_SECONDS)


def configuration_warnings(now: datetime) -> list[str]:
    """Return what is wrong with the configuration, for the operator only."""
    problem = forwarded_headers_problem(now)
    return [problem] if problem else []


def ping(request: HttpRequest) -> JsonResponse:
    """Respond without using the database or the broker."""
    return JsonResponse({"ping": "pong"})


def live(request: HttpRequest) -> JsonResponse:
    """Respond like `ping`: a process that cannot respond to this is to be restarted."""
    return JsonResponse({"live": True})


def ready(request: HttpRequest) -> JsonResponse:
    """Respond whether this process can serve requests: 503 without the database.

    The broker, beat and workers do not matter here: pages and pushes work without them.
    """
    is_ready = latest_report.value().results.has_database
    return JsonResponse({"ready": is_ready}, status=200 if is_ready else 503)
