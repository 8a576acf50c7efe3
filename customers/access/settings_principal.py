"""Who opens a page of settings, and what all of a customer's pages of settings show."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from customers.access.page_principal import page_principal, refuse_unless
from customers.access.principal import Principal
from customers.models import Customer, StorageUnit


def settings_principal(request: HttpRequest) -> Principal:
    """The caller, who is a person or a token that may change settings. Raises PermissionDenied for other tokens."""
    principal = page_principal(request)
    refuse_unless(
        principal.user is not None
        or (principal.customer_id is not None and principal.may_manage(principal.customer_id))
    )
    return principal


def customer_of_settings(request: HttpRequest, public_id: UUID) -> tuple[Principal, Customer]:
    """The caller, and the customer if the caller may see it; a foreign one is not found."""
    principal = settings_principal(request)
    return principal, get_object_or_404(Customer.objects.visible_to(principal.scope), public_id=public_id)


def unit_of_settings(request: HttpRequest, public_id: UUID, unit_id: UUID) -> tuple[Principal, Customer, StorageUnit]:
    """The caller, the customer, and its unit with the facility if the caller may see it; a foreign one is not found."""
    principal, customer = customer_of_settings(request, public_id)
    units = (
        StorageUnit.objects.visible_to(principal.scope).filter(facility__customer=customer).select_related("facility")
    )
    return principal, customer, get_object_or_404(units, public_id=unit_id)


def settings_context(principal: Principal, customer: Customer, tab: str) -> dict[str, Any]:
    return {"customer": customer, "tab": tab, "may_manage": principal.may_manage(customer.pk)}
