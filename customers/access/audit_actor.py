"""The audit actor of the current request, for events that are recorded far below the view.

Changing a unit's set temperature on a page, over the REST API or in the admin gives the unit a new limit version, which
records who changed it; none of those views knows about limits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

from customers.access.principal import Principal
from customers.access.token_sessions import TokenVisitor

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class AuditActorMiddleware:
    """Hold the current request in a context variable. Must follow the authentication middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Process the request with the context variable set."""
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def audit_actor() -> str:
    """Return who makes the current change; "" for the system: a task, a command, or an anonymous request."""
    request = _request.get()
    if request is None:
        return ""
    # Set by the REST framework after authentication.
    principal = getattr(request, "auth", None)
    if isinstance(principal, Principal):
        return principal.name
    return request.user.principal.name if isinstance(request.user, TokenVisitor) else request.user.get_username()
