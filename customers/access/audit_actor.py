"""Who makes the current request, from where and why: for the audit trail, and for records that name a person.

Changing a unit's set temperature on a page, over the REST API or in the admin gives the unit a new limit version, which
records who changed it; none of those views knows about limits. The audit trail takes the rest from here, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from audit.context import Actor, AuditContext, Kind, Origin, begin_work, current_context, end_work
from audit.writes import ReasonRequired
from core.api.fields import MAX_REASON
from customers.access.login_throttle import reported_address
from customers.access.principal import Principal
from customers.access.token_sessions import TokenVisitor

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_REQUEST_ID = "_audit_request_id"
# Repeated by the page that asks for a reason, except these.
_OWN_FIELDS = ("csrfmiddlewaretoken", "reason")


class AuditActorMiddleware:
    """Provide the current request as the context of changes. Must follow the authentication middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Process the request as the current one."""
        token, work = _request.set(request), begin_work(partial(context_of, request))
        try:
            return self.get_response(request)
        finally:
            end_work(work)
            _request.reset(token)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Ask for the reason that the customer requires, with the form as it was sent."""
        if not isinstance(exception, ReasonRequired):
            return None
        fields = [(name, value) for name, values in request.POST.lists() for value in values if name not in _OWN_FIELDS]
        response = render(request, "reason.html", {"fields": fields, "back": request.headers.get("Referer", "/")})
        response["Cache-Control"] = "no-store"
        # A form that replaces a part of its page shows this in place of the page.
        response["HX-Retarget"] = response["HX-Reselect"] = "#main"
        response["HX-Reswap"] = "outerHTML"
        return response


def audit_actor() -> str:
    """Return who makes the current change; "" for the system: a task, a command, or an anonymous request."""
    if _request.get() is None:
        return ""
    return current_context().actor.name


def context_of(request: HttpRequest) -> AuditContext:
    """Return who makes this request, from where and why."""
    match = request.resolver_match
    # The route instead of the path: links to set a password hold a secret.
    route = f"{request.method} /{match.route}" if match else str(request.method)
    return AuditContext(
        actor=actor_of(request),
        origin=_origin(request),
        process=route,
        address=reported_address(request),
        request_id=_request_id(request),
        reason=stated_reason(request),
    )


def actor_of(request: HttpRequest) -> Actor:
    """Return who makes this request."""
    # Set by the REST framework after authentication.
    principal = getattr(request, "auth", None)
    if isinstance(principal, Principal):
        return _actor_of_principal(principal)
    user = getattr(request, "user", None)
    if isinstance(user, TokenVisitor):
        return _actor_of_principal(user.principal, str(user))
    return actor_of_user(user) if isinstance(user, User) else Actor(Kind.ANONYMOUS)


def actor_of_user(user: User) -> Actor:
    """Return a person as the actor of an entry."""
    return Actor(Kind.PERSON, user.get_username(), user.pk, user.get_full_name())


def stated_reason(request: HttpRequest) -> str:
    """Return the reason that the request states: the field `reason` of its form or its JSON, or a parameter.

    It becomes a part of every entry, and entries are kept for ever: a longer one is cut off where no form refuses it.
    """
    in_json = getattr(request, "stated_reason", "")
    reason = str(in_json or request.POST.get("reason", "") or request.GET.get("reason", ""))
    return reason.strip()[:MAX_REASON]


def _actor_of_principal(principal: Principal, display_name: str = "") -> Actor:
    if principal.user is not None:
        return actor_of_user(principal.user)
    return Actor(Kind.TOKEN, principal.name, principal.token_id, display_name)


def _origin(request: HttpRequest) -> str:
    if request.path.startswith("/api/"):
        return Origin.API
    return Origin.ADMIN if request.path.startswith("/admin/") else Origin.PAGE


def _request_id(request: HttpRequest) -> uuid.UUID:
    """Return the same id for all changes of a request."""
    known: uuid.UUID | None = getattr(request, _REQUEST_ID, None)
    if known is None:
        known = uuid.uuid4()
        setattr(request, _REQUEST_ID, known)
    return known
