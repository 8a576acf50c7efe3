"""Who looks at a page, and what they may see and do: the pages' counterpart of `callers.caller_of`."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from customers.access.principal import Caller
from customers.access.token_sessions import TokenVisitor

_KEPT = "_page_caller"


def caller_of_page(request: HttpRequest) -> Caller:
    """The rights of who is signed in, asked for once a request. Raises PermissionDenied (403) where nobody is."""
    caller: Caller | None = getattr(request, _KEPT, None)
    if caller is None:
        caller = _caller_of(request)
        setattr(request, _KEPT, caller)
    return caller


def _caller_of(request: HttpRequest) -> Caller:
    if isinstance(request.user, TokenVisitor):
        return request.user.caller
    if isinstance(request.user, User) and request.user.is_active:
        return Caller.of_user(request.user)
    raise PermissionDenied


def refuse_unless(allowed: bool) -> None:
    """Raise PermissionDenied (403), so that nothing is changed, unless it is allowed."""
    if not allowed:
        raise PermissionDenied
