"""Lookup of what a request refers to: rows by id within the principal's scope, and its customer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.request import Request

from core.api.errors import InvalidQuery
from core.api.query_params import QueryParams, UUIDParam
from core.scope import Scope, ScopedModel
from customers.access.principal import principal_of
from customers.models import Customer


class OwnCustomerParams(QueryParams):
    """`customer_id` on paths about the principal's own customer."""

    customer_id = UUIDParam(help_text="The customer; required for callers who belong to no single customer.")


def reachable_scope(request: Request) -> Scope:
    """Return what this request may refer to by id: that for which its action is permitted."""
    return principal_of(request).scope


def get_addressed(model: type[ScopedModel], request: Request, public_id: UUID, *related: str) -> Any:
    """Return the row with this id. Raise Http404 if there is none, or it is out of the principal's scope."""
    rows: Any = model.objects.visible_to(reachable_scope(request))
    row = (rows.select_related(*related) if related else rows).filter(public_id=public_id).first()
    if row is None:
        raise Http404
    return row


def public_id_in(text: str) -> UUID:
    """Return the id that a text is; one that nothing has if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def own_customer(request: Request) -> Customer:
    """Return the customer of a path without an id: the principal's own.

    A principal without a single customer names it by `?customer_id=`. Raise InvalidQuery or Http404.
    """
    principal, named = principal_of(request), OwnCustomerParams.parse(request).get("customer_id")
    customers: QuerySet[Customer] = Customer.objects.visible_to(reachable_scope(request))
    if named is not None:
        customer = customers.filter(public_id=named).first()
    elif principal.customer_id is None:
        raise InvalidQuery("customer_id", "is required: you do not belong to a single customer.")
    else:
        customer = customers.filter(pk=principal.customer_id).first()
    if customer is None:
        raise Http404
    return customer
