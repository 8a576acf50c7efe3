"""Let load balancers probe a process by its IP address, which ALLOWED_HOSTS does not contain."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_PROBES = frozenset(f"/{name}{slash}" for name in ("ping", "live", "ready", "health") for slash in ("", "/"))


class ProbeMiddleware:
    """Treat a probe that is addressed by IP as one to the site's own name: its response contains no address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Replace the host of a probe."""
        if request.path_info in _PROBES and settings.ALLOWED_HOSTS and _is_address(request.META.get("HTTP_HOST", "")):
            request.META["HTTP_HOST"] = settings.ALLOWED_HOSTS[0].lstrip(".*") or "localhost"
        return self._get_response(request)


def _is_address(host: str) -> bool:
    """Return whether a Host header is an IP address, with or without a port."""
    address = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
