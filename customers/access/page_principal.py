"""The principal of a page: the counterpart of `customers.access.principal.principal_of` for pages."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from customers.access.principal import Principal
from customers.access.token_sessions import TokenVisitor

_KEPT = "_page_caller"


def page_principal(request: HttpRequest) -> Principal:
    """Return the principal of a page, loaded once per request. Raise PermissionDenied (403) if nobody is signed in."""
    principal: Principal | None = getattr(request, _KEPT, None)
    if principal is None:
        principal = _principal_of(request)
        setattr(request, _KEPT, principal)
    return principal


def _principal_of(request: HttpRequest) -> Principal:
    if isinstance(request.user, TokenVisitor):
        return request.user.principal
    if isinstance(request.user, User) and request.user.is_active:
        return Principal.of_user(request.user)
    raise PermissionDenied


def refuse_unless(allowed: bool) -> None:
    """Raise PermissionDenied (403), so that nothing is changed, unless it is allowed."""
    if not allowed:
        raise PermissionDenied
