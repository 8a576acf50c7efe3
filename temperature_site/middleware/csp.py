"""The Content-Security-Policy: a page loads nothing but what this site serves."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# Bootstrap's style sheet embeds small images as data: URLs.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
# ReDoc creates style sheets at run time, and searches in a worker created from a blob; the pages of the REST
# framework and the admin's searchable lists contain styles. None of them contains a script.
LOOSER = {
    "/redoc": f"{POLICY}; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:",
    "/api/v1/": f"{POLICY}; style-src 'self' 'unsafe-inline'",
    "/admin/": f"{POLICY}; style-src 'self' 'unsafe-inline'",
}


def policy_of(path: str) -> str:
    """Return the policy of the page at `path`."""
    return next((policy for beginning, policy in LOOSER.items() if path.startswith(beginning)), POLICY)


class ContentSecurityPolicyMiddleware:
    """Set the header on every response without one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Process the request and add the header."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy_of(request.path))
        return response
