"""No secret is shown on a page, in a response of the API, or in the admin: not even to those who entered it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from alarms.models import Channel
from audit.models import AuditEntry
from customers.models import Customer
from ingestion.models import Source
from temperature_site.dev.access_table import routes
from tests.canary_secrets.planted import Planted, plant, spellings
from tests.factories import MembershipFactory, StaffFactory, make_token
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture
def planted() -> Planted:
    return plant()


def routes_of(planted: Planted) -> Iterator[str]:
    """Yield the address of every route that is read, those of sources for each of them."""
    world = planted.world
    for route in routes():
        if route.method == "GET" and not route.path.startswith("account/"):
            yield world.url(route.path)
            if "sources/<" in route.path:
                first = str(planted.source.public_id)
                for source in world.customer.sources.exclude(pk=planted.source.pk):
                    yield world.url(route.path).replace(first, str(source.public_id))


def text_of(response: PageResponse) -> str:
    return str(response.getvalue().decode() if response.streaming else response.content.decode())


def shown(client: Client, addresses: Iterator[str], planted: Planted, **headers: Any) -> dict[str, list[str]]:
    """Return the kinds of secrets that each address shows; at least half of the addresses show anything."""
    found, answered, count = {}, 0, 0
    for address in addresses:
        response = client.get(address, **headers)
        count += 1
        answered += response.status_code == 200
        if kinds := planted.found_in(text_of(response)):
            found[address] = kinds
    assert answered > count / 2
    return found


def test_a_secret_is_recognised_however_it_is_written() -> None:
    for written in ("key", "a key", "the key"):
        assert any(
            each in b64encode(f"{written} abcdefghijkl!".encode()).decode() for each in spellings("abcdefghijkl")
        )
    assert spellings("abcdefghijkl") >= {"abcdefghijkl", "6162636465666768696a6b6c"}


@pytest.mark.parametrize("role", ["viewer", "operator", "manager"])
def test_no_page_shows_a_secret(client: Client, planted: Planted, role: str) -> None:
    client.force_login(MembershipFactory(customer=planted.world.customer, role=role).user)

    assert shown(client, routes_of(planted), planted) == {}


def test_no_response_of_the_api_contains_a_secret(client: Client, planted: Planted) -> None:
    permissions = ["read", "write", "manage", "admin"]
    _, text = make_token(planted.world.customer, permissions=permissions)

    addresses = (address for address in routes_of(planted) if address.startswith("/api/"))

    assert shown(client, addresses, planted, HTTP_AUTHORIZATION=f"Bearer {text}") == {}


def admin_addresses() -> Iterator[str]:
    """Yield the list and a form of every model, and all pages of each row that holds a secret."""
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        has_secrets = model in (Channel, Customer, Source)
        for row in model._default_manager.all()[: 12 if has_secrets else 1]:
            for page in ("change", "history") if has_secrets else ("change",):
                yield reverse(f"{name}_{page}", args=[row.pk])


def test_no_page_of_the_admin_shows_a_secret(client: Client, planted: Planted) -> None:
    client.force_login(StaffFactory())

    assert shown(client, admin_addresses(), planted) == {}


def test_the_trail_records_that_secrets_changed_without_them(client: Client, planted: Planted) -> None:
    client.force_login(StaffFactory())
    source = planted.source
    source.credentials_kind, source.credentials_secret = "bearer", planted.new("changed credentials")
    source.save()

    entry = AuditEntry.objects.filter(model="ingestion.source", action="changed").latest("id")

    assert (entry.after or {})["credentials_secret"] == "(secret)"
    assert shown(client, iter(["/trail", reverse("trail-csv")]), planted) == {}
