"""Who opens a page of settings, and what all of a customer's pages of settings show."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from customers.access.page_caller import caller_of_page, refuse_unless
from customers.access.principal import Caller
from customers.models import Customer, StorageUnit


def settings_caller(request: HttpRequest) -> Caller:
    """The caller, who is a person or a token that may change settings. Raises PermissionDenied for other tokens."""
    caller = caller_of_page(request)
    refuse_unless(caller.user is not None or (caller.customer_id is not None and caller.may_manage(caller.customer_id)))
    return caller


def customer_of_settings(request: HttpRequest, public_id: UUID) -> tuple[Caller, Customer]:
    """The caller, and the customer if the caller may see it; a foreign one is not found."""
    caller = settings_caller(request)
    return caller, get_object_or_404(Customer.objects.within(caller.scope), public_id=public_id)


def unit_of_settings(request: HttpRequest, public_id: UUID, unit_id: UUID) -> tuple[Caller, Customer, StorageUnit]:
    """The caller, the customer, and its unit with the facility if the caller may see it; a foreign one is not found."""
    caller, customer = customer_of_settings(request, public_id)
    units = StorageUnit.objects.within(caller.scope).filter(facility__customer=customer).select_related("facility")
    return caller, customer, get_object_or_404(units, public_id=unit_id)


def settings_context(caller: Caller, customer: Customer, tab: str) -> dict[str, Any]:
    return {"customer": customer, "tab": tab, "may_manage": caller.may_manage(customer.pk)}
