"""The Content-Security-Policy: pages load only what this site serves.

django-csp builds the header from `CONTENT_SECURITY_POLICY`. Pages of libraries, whose views cannot be decorated, get
additional sources by path prefix; other responses below it, such as the API's JSON, do not need them.
"""

from __future__ import annotations

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from typing_extensions import override


class PathPolicyMiddleware(CSPMiddleware):
    """Add the sources of `CSP_ADDITIONS_BY_PATH` to the policy of matching paths."""

    @override
    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return parts
        additions: dict[str, dict[str, list[str]]] = settings.CSP_ADDITIONS_BY_PATH
        for beginning, directives in additions.items():
            if request.path.startswith(beginning):
                parts.update = {**(parts.update or {}), **directives}
        return parts
