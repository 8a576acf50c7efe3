"""The Content-Security-Policy: pages load only what this site serves.

django-csp builds the header from `CONTENT_SECURITY_POLICY`. Pages of libraries, whose views cannot be decorated, get
additional sources by path prefix; other responses below it, such as the API's JSON, do not need them.
"""

from __future__ import annotations

from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from typing_extensions import override

# ReDoc creates style sheets at run time and searches in a worker created from a blob; the browsable API and the admin's
# searchable lists contain styles. None of them contains a script.
ADDITIONS_BY_PATH = {
    "/redoc": {"style-src": ["'self'", "'unsafe-inline'"], "worker-src": ["'self'", "blob:"]},
    "/api/v1/": {"style-src": ["'self'", "'unsafe-inline'"]},
    "/admin/": {"style-src": ["'self'", "'unsafe-inline'"]},
}


class PathPolicyMiddleware(CSPMiddleware):
    """Add the sources of ADDITIONS_BY_PATH to the policy of matching paths."""

    @override
    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return parts
        for beginning, directives in ADDITIONS_BY_PATH.items():
            if request.path.startswith(beginning):
                parts.update = {**(parts.update or {}), **directives}
        return parts
