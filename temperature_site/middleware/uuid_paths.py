"""Find what a UUID in capitals names.

UUIDs are compared without regard to capitals (RFC 9562), and those in bodies and queries are accepted in either way,
but the paths of Django match small letters only.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

_UUID_SEGMENT = re.compile(r"(?<=/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![^/])", re.IGNORECASE)


class UuidPathsMiddleware:
    """Write the UUIDs in a request's path in small letters, before views and records of the request use it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Process the request."""
        # Nearly all paths have no capitals, and cost nothing more than this comparison.
        if request.path_info != request.path_info.lower():
            request.path_info = with_small_uuids(request.path_info)
            request.path = with_small_uuids(request.path)
        return self._get_response(request)


def with_small_uuids(path: str) -> str:
    """Return a path with each segment that is a UUID in small letters.

    >>> with_small_uuids("/api/v1/sources/F47AC10B-58CC-4372-A567-0E02B2C3D479/Test")
    '/api/v1/sources/f47ac10b-58cc-4372-a567-0e02b2c3d479/Test'
    """
    return _UUID_SEGMENT.sub(lambda found: found[0].lower(), path)
