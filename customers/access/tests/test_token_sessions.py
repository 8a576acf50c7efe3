"""Signing in with a customer's code and a token, and what such a session may see and do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from customers.access.tokens import revoke
from customers.models import ApiToken, Customer, StorageUnit
from tests.factories import CustomerFactory, MembershipFactory, StorageUnitFactory, make_token
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", facility__customer__customer_code="A")


def sign_in(client: Client, text: str, code: str = "A") -> PageResponse:
    return client.post(reverse("login"), {"username": code, "password": text})


def test_a_token_signs_in_to_its_customer(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer, permissions=["read"])
    StorageUnitFactory(name="Foreign")
    assert sign_in(client, text)["Location"] == "/"
    page = client.get("/").content.decode()
    assert "Cold room" in page
    assert "Foreign" not in page


def test_a_token_limited_to_units_shows_only_those(client: Client, unit: StorageUnit) -> None:
    other = StorageUnitFactory(facility=unit.facility, name="Other room")
    _, text = make_token(unit.facility.customer, units=[other])
    sign_in(client, text)
    page = client.get("/").content.decode()
    assert "Other room" in page
    assert "Cold room" not in page
    assert client.get(reverse("unit", args=[unit.public_id])).status_code == 404


@pytest.mark.parametrize("code", ["B", "a", ""])
def test_a_token_signs_in_only_with_its_own_customers_code(client: Client, unit: StorageUnit, code: str) -> None:
    CustomerFactory(customer_code="B")
    _, text = make_token(unit.facility.customer)
    assert sign_in(client, text, code).status_code == 200
    assert client.get("/").status_code == 302


def test_a_token_without_read_does_not_sign_in(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer, permissions=["write"])
    assert sign_in(client, text).status_code == 200


def test_a_token_of_an_inactive_customer_does_not_sign_in(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer)
    unit.facility.customer.is_active = False
    unit.facility.customer.save()
    assert sign_in(client, text).status_code == 200


def test_a_demo_token_does_not_sign_in_outside_the_demo(client: Client, unit: StorageUnit, settings: Settings) -> None:
    settings.DEMO = True
    make_token(unit.facility.customer, text="read_A_01_token_2025")
    settings.DEMO = False
    assert sign_in(client, "read_A_01_token_2025").status_code == 200
    settings.DEMO = True
    assert sign_in(client, "read_A_01_token_2025").status_code == 302


def test_the_session_ends_when_the_token_is_revoked(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer)
    sign_in(client, text)
    revoke(ApiToken.objects.all())
    assert client.get("/")["Location"] == "/account/sign-in?next=/"


def test_the_session_ends_when_the_token_expires(client: Client, unit: StorageUnit) -> None:
    token, text = make_token(unit.facility.customer)
    sign_in(client, text)
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("role", ["viewer", "manager"])
def test_a_second_factor_that_is_required_of_people_is_not_required_of_their_tokens(
    client: Client, unit: StorageUnit, role: str
) -> None:
    """A wall display stays signed in, and can sign in, whether or not who created its token has a second factor."""
    customer = unit.facility.customer
    creator = MembershipFactory(customer=customer, role=role).user
    _, text = make_token(customer, created_by=creator)
    sign_in(client, text)

    Customer.objects.filter(pk=customer.pk).update(requires_second_factor=True)

    assert "Cold room" in client.get("/").content.decode()
    client.post(reverse("logout"))
    assert sign_in(client, text).status_code == 302
    assert "Cold room" in client.get("/").content.decode()


def test_an_admin_token_does_not_open_the_admin(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer, permissions=["admin"])
    sign_in(client, text)
    assert client.get("/admin/").status_code == 302


def test_a_token_has_no_password_to_change(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer)
    sign_in(client, text)
    assert client.get(reverse("password-change")).status_code == 403


def test_signing_out_ends_the_session(client: Client, unit: StorageUnit) -> None:
    _, text = make_token(unit.facility.customer)
    sign_in(client, text)
    client.post(reverse("logout"))
    assert client.get("/").status_code == 302
