"""What a token loses, the tokens created with it lose, too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied

from customers.access.authentication import token_principal
from customers.access.grant_token import grant_token
from customers.access.tokens import revoke
from customers.models import ApiToken, Customer, StorageUnit
from tests.api_clients import client_with
from tests.factories import CustomerFactory, StaffFactory, StorageUnitFactory, make_token
from tests.races import race

NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


class Chain:
    """A token, one created with it, and one created with that."""

    def __init__(self, *permissions: str, customer: Customer | None = None) -> None:
        self.customer: Customer = customer or CustomerFactory()
        names = list(permissions or ("read", "write", "manage"))
        self.first, self.text = make_token(self.customer, permissions=names)
        self.second, text = self.create(self.text, names)
        self.third, _ = self.create(text, names)

    def create(self, text: str, permissions: list[str]) -> tuple[ApiToken, str]:
        return grant_token(token_principal(text, NOW), self.customer, token_name="another", permissions=permissions)

    def revoke(self) -> None:
        revoke(ApiToken.objects.filter(pk=self.first.pk))

    def narrow(self) -> None:
        self.change(permissions=["read"])

    def change(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self.first, name, value)
        self.first.save()

    def reload(self) -> list[ApiToken]:
        for token in (self.first, self.second, self.third):
            token.refresh_from_db()
        return [self.second, self.third]


@pytest.mark.django_db
class TestNarrowing:
    def test_permissions(self) -> None:
        chain = Chain()
        chain.change(permissions=["read", "manage"])
        assert [token.permissions for token in chain.reload()] == [["manage", "read"]] * 2

    def test_in_the_admin(self) -> None:
        chain, staff = Chain(), Client()
        staff.force_login(StaffFactory())
        url = reverse("admin:customers_apitoken_change", args=[chain.first.pk])
        saved = staff.post(url, {"token_name": "a token", "permissions": ["read"]})
        assert saved.status_code == 302
        assert [token.permissions for token in chain.reload()] == [["read"]] * 2

    def test_nothing_is_given_back(self) -> None:
        chain = Chain()
        chain.change(permissions=["read"])
        chain.change(permissions=["read", "write", "manage"])
        assert [token.permissions for token in chain.reload()] == [["read"]] * 2

    def test_without_any_permission_left_they_are_revoked(self) -> None:
        chain = Chain("manage", "read")
        ApiToken.objects.filter(pk=chain.second.pk).update(permissions=["manage"])
        chain.change(permissions=["read"])
        assert all(token.revoked_at is not None for token in chain.reload())

    def test_expiry_and_rate(self) -> None:
        chain, expires_at = Chain(), timezone.now() + timedelta(days=1)
        ApiToken.objects.filter(pk=chain.third.pk).update(rate_limit_per_hour=5)
        chain.change(expires_at=expires_at, rate_limit_per_hour=10)
        assert [(each.expires_at, each.rate_limit_per_hour) for each in chain.reload()] == [
            (expires_at, 10),
            (expires_at, 5),
        ]

    def test_units(self) -> None:
        kept, lost = StorageUnitFactory(), StorageUnitFactory()
        StorageUnit.objects.filter(pk=lost.pk).update(facility=kept.facility)
        chain = Chain(customer=kept.facility.customer)
        chain.third.accessible_units.set([lost])
        chain.first.accessible_units.set([kept])
        second, third = chain.reload()
        assert (list(second.accessible_units.all()), second.is_limited_to_units) == ([kept], True)
        assert third.revoked_at is not None, "a list without units would mean all of them"

    def test_tokens_of_other_customers_end_with_admin(self) -> None:
        chain = Chain("read", "admin")
        other = CustomerFactory()
        elsewhere, _ = grant_token(
            token_principal(chain.text, NOW), other, token_name="elsewhere", permissions=["read"]
        )
        chain.change(permissions=["read"])
        elsewhere.refresh_from_db()
        assert elsewhere.revoked_at is not None
        assert [(each.permissions, each.revoked_at) for each in chain.reload()] == [(["read"], None)] * 2

    def test_a_token_that_pushes_to_a_source_remains_while_its_creator_manages_sources(self) -> None:
        chain = Chain("manage", "read")
        gateway, _ = make_token(
            chain.customer,
            permissions=["write"],
            created_by_token=chain.first,
            source_public_id="6b0e4d6c-9a3f-4f1f-8a7d-2c115d2b1f0c",
        )
        states = []
        for permissions in (["manage"], ["read"]):
            chain.change(permissions=permissions)
            gateway.refresh_from_db()
            states.append((gateway.permissions, gateway.revoked_at is None))
        assert states == [(["write"], True), (["write"], False)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [Chain.revoke, Chain.narrow])
def test_a_token_that_is_created_meanwhile_has_no_more(change: Callable[[Chain], object]) -> None:
    chain = Chain()
    client = client_with(chain.text)
    body = {"token_name": "meanwhile", "permissions": ["read", "manage"]}

    def create() -> int:
        return int(client.post("/api/v1/customers/tokens", body).status_code)

    assert race(lambda: change(chain), create) == 403
    assert not ApiToken.objects.filter(token_name="meanwhile").exists()

    again = Chain()
    granted = lambda: again.create(again.text, ["read", "manage"])  # noqa: E731
    race(granted, lambda: change(again))
    usable = ApiToken.objects.filter(created_by_token=again.first, revoked_at=None)
    assert {tuple(token.permissions) for token in usable} <= {("read",)}


@pytest.mark.django_db
def test_a_principal_loaded_before_its_token_was_narrowed_grants_nothing() -> None:
    chain = Chain()
    principal = token_principal(chain.text, NOW)
    chain.change(permissions=["read", "manage"])
    with pytest.raises(PermissionDenied, match="changed meanwhile"):
        grant_token(principal, chain.customer, token_name="late", permissions=["read"])
