"""What tokens may do at most: what the person who created them may do at that moment, and nothing once revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import connection
from pytest_django import DjangoAssertNumQueries
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIClient

from core.scope import Scope
from customers import members
from customers.access import actions
from customers.access.authentication import token_principal
from customers.access.tokens import revoke
from customers.models import ApiToken, Membership
from tests.api_clients import client_with
from tests.factories import MembershipFactory, UserFactory, make_token

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
URL = "/api/v1/customers/tokens"
MIGRATION = "customers.migrations.0015_manage_permission"
ALL = ["read", "write", "manage"]


def token_of(membership: Membership, permissions: list[str] = ALL) -> str:
    """Return the text of a token that this member created for the customer."""
    return make_token(membership.customer, permissions=permissions, created_by=membership.user)[1]


def create_with(text: str, name: str = "created with another") -> str:
    """Create a token with another one; return its text."""
    created = client_with(text).post(URL, {"token_name": name, "permissions": ALL})
    assert created.status_code == 201, created.content
    return str(created.json()["token"])


def test_a_token_follows_the_role_of_its_creator() -> None:
    manager = MembershipFactory(role="manager")
    text = token_of(manager)
    permitted = {}
    for role in Membership.Role.values:
        Membership.objects.filter(pk=manager.pk).update(role=role)
        principal = token_principal(text, NOW)
        permitted[role] = [
            not principal.scope_of(action).is_empty
            for action in (actions.VIEW_READINGS, actions.PUSH_READINGS, actions.HANDLE_ALARMS, actions.CHANGE_LIMITS)
        ]
    assert permitted == {
        "viewer": [True, False, False, False],
        "operator": [True, True, True, False],
        "manager": [True, True, True, True],
    }


def test_an_operator_cannot_create_tokens() -> None:
    operator = MembershipFactory(role="operator")
    client = APIClient()
    client.force_login(operator.user)
    for each in (client, client_with(token_of(operator))):
        assert each.post(URL, {"token_name": "more", "permissions": ["read"]}).status_code == 403
    assert not ApiToken.objects.filter(token_name="more").exists()


def test_an_operator_cannot_revoke_the_tokens_of_others() -> None:
    operator = MembershipFactory(role="operator")
    token, _ = make_token(operator.customer)
    assert client_with(token_of(operator)).delete(f"{URL}/{token.public_id}").status_code == 403
    token.refresh_from_db()
    assert token.revoked_at is None


def test_the_rights_of_the_creator_are_read_without_another_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    text = token_of(MembershipFactory(role="manager"))
    token_principal(text, NOW)
    with django_assert_num_queries(1):
        token_principal(text, NOW)


@pytest.mark.parametrize(
    ("group", "may_view", "may_change"), [("Support", True, False), ("Administrators", True, True), ("", False, False)]
)
def test_a_token_of_staff_has_their_model_permissions(group: str, may_view: bool, may_change: bool) -> None:
    creator = UserFactory(is_staff=True)
    creator.groups.set(Group.objects.filter(name=group))
    _, text = make_token(permissions=["admin"], created_by=creator)
    if not group:
        with pytest.raises(AuthenticationFailed, match="no access any more"):
            token_principal(text, NOW)
        return
    principal = token_principal(text, NOW)
    assert principal.scope_of(actions.LIST_CUSTOMERS) == (Scope.everything() if may_view else Scope.nothing())
    assert principal.scope_of(actions.CHANGE_CUSTOMERS).is_empty is not may_change


def test_an_admin_token_of_a_manager_stays_within_the_customer() -> None:
    manager = MembershipFactory(role="manager")
    principal = token_principal(token_of(manager, ["admin"]), NOW)
    assert principal.scope_of(actions.VIEW_READINGS) == Scope.of_customer(manager.customer_id)
    assert principal.scope_of(actions.LIST_CUSTOMERS).is_empty


def test_the_token_of_a_deactivated_person_is_rejected() -> None:
    manager = MembershipFactory(role="manager")
    text = token_of(manager)
    User.objects.filter(pk=manager.user_id).update(is_active=False)
    assert client_with(text).get(URL).status_code == 401


def test_ending_a_membership_revokes_the_tokens_it_created_and_theirs() -> None:
    leaving = MembershipFactory(role="manager")
    staying = MembershipFactory(role="manager", customer=leaving.customer)
    elsewhere = MembershipFactory(role="manager", user=leaving.user)
    first = token_of(leaving)
    texts = [first, create_with(first), create_with(create_with(first))]
    kept = [token_of(staying), token_of(elsewhere)]

    members.remove(leaving, by="test")

    assert [client_with(text).get(URL).status_code for text in [*texts, *kept]] == [401, 401, 401, 200, 200]
    assert ApiToken.objects.filter(customer=leaving.customer, revoked_at=None).count() == 1


def test_revoking_a_token_revokes_those_created_with_it() -> None:
    manager = MembershipFactory(role="manager")
    first = token_of(manager)
    second = create_with(first, "second")
    third = create_with(second, "third")

    assert revoke(ApiToken.objects.filter(token_name="second")) == 2

    assert [client_with(text).get(URL).status_code for text in (first, second, third)] == [200, 401, 401]


def test_a_token_created_with_another_belongs_to_the_same_person() -> None:
    manager = MembershipFactory(role="manager")
    create_with(token_of(manager))
    created = ApiToken.objects.get(token_name="created with another")
    assert (created.created_by, created.created_by_token is not None) == (manager.user, True)


def test_deleting_an_account_revokes_its_tokens() -> None:
    staff = UserFactory(is_staff=True, is_superuser=True)
    _, text = make_token(permissions=["admin"], created_by=staff)
    staff.delete()
    assert client_with(text).get("/api/v1/admin/customers").status_code == 401


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["read"], ["read"]),
        (["write"], ["write", "manage"]),
        (["read", "write"], ["read", "write", "manage"]),
        (["admin"], ["admin"]),
    ],
)
def test_the_migration_adds_manage_to_tokens_with_write_and_counts_them(
    before: list[str], after: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    token, _ = make_token(permissions=before)
    migration = import_module(MIGRATION)
    migration.add_manage(apps, connection.schema_editor())
    token.refresh_from_db()
    assert token.permissions == after
    assert ("1 API tokens" in capsys.readouterr().out) is (before != after)
    migration.remove_manage(apps, connection.schema_editor())
    token.refresh_from_db()
    assert token.permissions == before
