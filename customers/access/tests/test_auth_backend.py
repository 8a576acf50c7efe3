"""The person of a session, as Django finds them, with their roles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.access.actions import VIEW_READINGS
from customers.access.auth_backend import AccountBackend
from customers.access.principal import Principal
from customers.models import Membership
from tests.factories import CustomerFactory, MembershipFactory, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_person_is_found_with_the_rights_of_their_roles(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    user = UserFactory()
    for role in (Membership.Role.VIEWER, Membership.Role.MANAGER):
        MembershipFactory(user=user, role=role)
    MembershipFactory(user=user, customer__is_active=False)
    MembershipFactory()
    expected = Principal.of_user(User.objects.get(pk=user.pk))

    with django_assert_num_queries(1):
        found = AccountBackend().get_user(user.pk)
        assert found is not None
        principal = Principal.of_user(found)

    assert len(principal.scope_of(VIEW_READINGS).customer_ids or ()) == 2
    assert principal == expected
    assert {field.attname: getattr(found, field.attname) for field in User._meta.concrete_fields} == {
        field.attname: getattr(user, field.attname) for field in User._meta.concrete_fields
    }


@pytest.mark.parametrize("factory", [UserFactory, StaffFactory])
def test_a_person_without_a_role_is_found(factory: Callable[..., User]) -> None:
    user = factory()
    assert AccountBackend().get_user(user.pk) == user


def test_an_inactive_person_is_not_found() -> None:
    assert AccountBackend().get_user(UserFactory(is_active=False).pk) is None


def test_an_unknown_person_is_not_found() -> None:
    assert AccountBackend().get_user(2_000_000_000) is None


def test_a_new_role_applies_from_the_next_request_on(client: Client) -> None:
    membership = MembershipFactory(customer=CustomerFactory(name="Ice & Co"))
    client.force_login(membership.user)
    assert client.get("/facilities").status_code == 200
    membership.delete()

    found = AccountBackend().get_user(membership.user_id)
    assert found is not None
    assert found.memberships.count() == 0
    assert Principal.of_user(found).scope_of(VIEW_READINGS).is_empty
