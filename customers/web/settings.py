"""The settings pages. Members view their customer's; its managers change them; staff change every customer's."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from rest_framework.exceptions import PermissionDenied

from core.web.pages import list_page
from core.web.versioned_forms import atomic_post, locked_for
from customers.access import actions, tokens
from customers.access.grant_token import grant_token
from customers.access.page_principal import (
    needs,
    page_principal,
    refuse_unless,
    settings_context,
    settings_customer,
    settings_unit,
)
from customers.access.principal import Principal
from customers.access.submissions import claim_form
from customers.models import ApiToken, Customer, StorageUnit
from customers.web.settings_forms import (
    THEME_COOKIE,
    DisplayForm,
    PersonForm,
    TokenForm,
    UnitForm,
    save_theme,
)

CUSTOMERS_A_PAGE = 25
ROWS_A_PAGE = 50
GET_OR_POST = ["GET", "HEAD", "POST"]


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS, POST=actions.OWN_ACCOUNT, is_open=True)
def profile_page(request: HttpRequest) -> HttpResponse:
    """Show and change the person's name and display; list the customers whose settings are visible."""
    principal = page_principal(request)
    refuse_unless(request.method != "POST" or principal.user is not None)
    form = PersonForm(request.POST or None, instance=principal.user)
    if request.method == "POST" and form.is_valid():
        # Only the form's fields: the operator may be deactivating the account.
        form.instance.save(update_fields=list(form.fields))
        messages.success(request, "Name saved.")
        return redirect("settings")
    text = request.GET.get("text", "").strip()
    customers = Customer.objects.visible_to(principal.scope_of(actions.SEE_SETTINGS)).filter(
        Q(customer_code__icontains=text) | Q(name__icontains=text)
    )
    context = {
        "principal": principal,
        "form": form,
        "display": DisplayForm(initial={"theme": request.COOKIES.get(THEME_COOKIE, "")}),
        "list": list_page(request, customers, CUSTOMERS_A_PAGE),
        "roles": _roles(principal),
        "may_search_trail": not principal.scope_of(actions.VIEW_TRAIL).is_empty,
        "text": text,
    }
    return render(request, "settings/profile.html", context)


@require_POST
@login_required
@needs(POST=actions.OWN_ACCOUNT)
def change_display(request: HttpRequest) -> HttpResponse:
    """Save the theme on this device."""
    form = DisplayForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("theme must be light, dark or empty.")
    response = redirect("settings")
    save_theme(response, form.cleaned_data["theme"], is_secure=request.is_secure())
    messages.success(request, "Display settings saved for this device.")
    return response


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.SEE_TOKENS, POST=actions.CREATE_TOKENS)
@atomic_post
def tokens_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """List the customer's tokens. POST creates one; the response shows its text, which is not stored."""
    principal, customer = settings_customer(request, public_id)
    form = TokenForm(request.POST or None, principal=principal)
    token_text = ""
    if request.method == "POST" and form.is_valid():
        fields = dict(form.cleaned_data)
        try:
            with transaction.atomic():
                claim_form(request)
                _, token_text = grant_token(principal, customer, expires_at=fields.pop("expires_on"), **fields)
        except PermissionDenied as refused:
            form.add_error(None, str(refused.detail))
        else:
            form = TokenForm(principal=principal)
    listed = tokens.with_details(ApiToken.objects.filter(customer=customer), timezone.now()).order_by("-created_at")
    context = settings_context(principal, customer, "tokens", actions.CREATE_TOKENS) | {
        "form": form,
        "token_text": token_text,
        "list": list_page(request, listed.select_related("created_by"), ROWS_A_PAGE),
    }
    return render(request, "settings/tokens.html", context)


@require_POST
@login_required
@needs(POST=actions.REVOKE_TOKENS)
def revoke_token(request: HttpRequest, public_id: UUID, token_id: UUID) -> HttpResponse:
    """Revoke a token of the customer."""
    _, customer = settings_customer(request, public_id)
    token = get_object_or_404(ApiToken, customer=customer, public_id=token_id)
    revoked = tokens.revoke(ApiToken.objects.filter(pk=token.pk))
    messages.success(request, f"{token.token_name} revoked." if revoked else f"{token.token_name} was already revoked.")
    return redirect("settings-tokens", public_id)


@require_safe
@never_cache
@login_required
@needs(GET=actions.SEE_SETTINGS)
def units_page(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """List the customer's storage units with their settings; `?text=` filters them."""
    principal, customer = settings_customer(request, public_id)
    text = request.GET.get("text", "").strip()
    units = StorageUnit.objects.visible_to(principal.scope).filter(facility__customer=customer, is_synthetic=False)
    units = units.filter(Q(name__icontains=text) | Q(unit_code__icontains=text))
    ordered = units.select_related("facility").order_by("facility__facility_code", "unit_code")
    context = settings_context(principal, customer, "units", actions.CHANGE_UNITS) | {
        "list": list_page(request, ordered, ROWS_A_PAGE),
        "text": text,
    }
    return render(request, "settings/units.html", context)


@require_http_methods(GET_OR_POST)
@never_cache
@login_required
@needs(GET=actions.CHANGE_UNITS, POST=actions.CHANGE_UNITS)
@atomic_post
def unit_page(request: HttpRequest, public_id: UUID, unit_id: UUID) -> HttpResponse:
    """Show and change the settings of one unit."""
    principal, customer, unit = settings_unit(request, public_id, unit_id)
    unit = locked_for(request, unit)
    form = UnitForm(request.POST or None, instance=unit)
    if request.method == "POST" and form.is_valid():
        # Only the form's fields: a delivery may be updating others.
        unit.save(update_fields=list(form._meta.fields or ()))
        messages.success(request, f"{unit} saved.")
        return redirect("settings-units", public_id)
    context = settings_context(principal, customer, "units", actions.CHANGE_UNITS) | {"form": form, "unit": unit}
    return render(request, "settings/unit.html", context)


def _roles(principal: Principal) -> dict[int, str]:
    """Return the person's role by customer id."""
    if principal.user is None:
        return {}
    return dict(principal.user.memberships.values_list("customer_id", "role"))
