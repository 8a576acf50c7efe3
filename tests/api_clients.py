"""Authenticated clients of the REST API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.test import APIClient

from customers.models import Customer
from tests.factories import CustomerFactory, make_token


def client_of(
    customer: Customer | None = None, permissions: Iterable[str] = ("read", "write", "manage"), **token: Any
) -> APIClient:
    """Return a client with a token of `customer`, or of a new customer."""
    _, text = make_token(customer or CustomerFactory(), permissions=permissions, **token)
    return client_with(text)


def client_with(text: str) -> APIClient:
    """Return a client that sends this token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client
