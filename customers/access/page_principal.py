"""The principal of a page, and what the settings pages require of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from customers.access.principal import Principal
from customers.access.token_sessions import TokenVisitor
from customers.models import Customer, StorageUnit

_ATTRIBUTE = "_page_principal"


def page_principal(request: HttpRequest) -> Principal:
    """Return the principal of a page, loaded once per request. Raise PermissionDenied (403) if nobody is signed in."""
    principal: Principal | None = getattr(request, _ATTRIBUTE, None)
    if principal is None:
        principal = _principal_of(request)
        setattr(request, _ATTRIBUTE, principal)
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


def settings_principal(request: HttpRequest) -> Principal:
    """Return the principal: a person, or a token that may change settings. Raise PermissionDenied for other tokens."""
    principal = page_principal(request)
    refuse_unless(
        principal.user is not None
        or (principal.customer_id is not None and principal.may_manage(principal.customer_id))
    )
    return principal


def settings_customer(request: HttpRequest, public_id: UUID) -> tuple[Principal, Customer]:
    """Return the principal and the customer. Raise Http404 if the principal may not see it."""
    principal = settings_principal(request)
    return principal, get_object_or_404(Customer.objects.visible_to(principal.scope), public_id=public_id)


def settings_unit(request: HttpRequest, public_id: UUID, unit_id: UUID) -> tuple[Principal, Customer, StorageUnit]:
    """Return the principal, the customer and its unit with facility. Raise Http404 if out of scope."""
    principal, customer = settings_customer(request, public_id)
    units = (
        StorageUnit.objects.visible_to(principal.scope).filter(facility__customer=customer).select_related("facility")
    )
    return principal, customer, get_object_or_404(units, public_id=unit_id)


def settings_context(principal: Principal, customer: Customer, tab: str) -> dict[str, object]:
    """Return the template context that all settings pages of a customer share."""
    return {"customer": customer, "tab": tab, "may_manage": principal.may_manage(customer.pk)}
