"""The principal of a page, and what pages require of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect

from customers.access import actions
from customers.access.actions import Action
from customers.access.principal import Principal
from customers.access.submissions import SUBMITTED_TWICE, SubmittedBefore, form_page
from customers.access.token_sessions import TokenVisitor
from customers.models import Customer, StorageUnit

View = Callable[..., HttpResponseBase]
_ATTRIBUTE = "_page_principal"


def needs(*, is_open: bool = False, **by_method: Action) -> Callable[[View], View]:
    """Require an action of a page by its method, such as `@needs(GET=actions.SEE_SETTINGS)`; else 403.

    `is_open`: show the page to any signed-in person, empty to those who may see nothing, because signing in leads
    there.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            action = by_method["GET" if request.method == "HEAD" else request.method or ""]
            principal = page_principal(request).for_action(action)
            setattr(request, _ATTRIBUTE, principal)
            is_open_to_them = action is actions.OWN_ACCOUNT or (is_open and principal.user is not None)
            refuse_unless(is_open_to_them or not principal.scope.is_empty)
            try:
                return view(request, *args, **kwargs)
            except SubmittedBefore:
                return _back_to_form(request)

        # Read by the table of access, and kept by other decorators.
        checked.__dict__.update(needs=by_method, is_open=is_open)
        return checked

    return decorate


def _back_to_form(request: HttpRequest) -> HttpResponseBase:
    messages.info(request, SUBMITTED_TWICE)
    return redirect(form_page(request) or "overview")


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


def settings_customer(request: HttpRequest, public_id: UUID) -> tuple[Principal, Customer]:
    """Return the principal and the customer.

    Raise Http404 if the principal may not see it, PermissionDenied if it may not do what the page declares.
    """
    principal = page_principal(request)
    visible = principal.scope_of(actions.SEE_SETTINGS)
    refuse_unless(not visible.is_empty)
    customer = get_object_or_404(Customer.objects.visible_to(visible), public_id=public_id)
    refuse_unless(principal.scope.holds_all_of(customer.pk))
    return principal, customer


def settings_unit(request: HttpRequest, public_id: UUID, unit_id: UUID) -> tuple[Principal, Customer, StorageUnit]:
    """Return the principal, the customer and its unit with facility. Raise Http404 if out of scope."""
    principal, customer = settings_customer(request, public_id)
    units = (
        StorageUnit.objects.visible_to(principal.scope).filter(facility__customer=customer).select_related("facility")
    )
    return principal, customer, get_object_or_404(units, public_id=unit_id)


def settings_context(principal: Principal, customer: Customer, tab: str, change: Action) -> dict[str, object]:
    """Return the template context that all settings pages of a customer share; `change`: what the page can change."""
    return {"customer": customer, "tab": tab, "may_manage": principal.may(change, customer.pk)}
