"""Authentication by token: permissions, rate limits, expiry, and what is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.test import APIRequestFactory

from core.db.prepared import Prepared
from core.scope import Scope
from customers.access import actions, authentication
from customers.access.actions import ALL_PERMISSIONS, Permission
from customers.access.authentication import TokenAuthentication, token_principal
from customers.access.principal import Principal
from customers.access.tokens import revoke
from customers.models import Membership
from tests.factories import (
    CustomerFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    UserFactory,
    make_token,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


def test_a_token_reads_and_writes_within_its_customer() -> None:
    token, text = make_token()
    principal = token_principal(text, NOW)
    own = Scope.of_customer(token.customer_id)
    assert principal == Principal(
        rights=None,
        permissions=frozenset({Permission.READ, Permission.WRITE, Permission.MANAGE}),
        reach=own,
        customer_id=token.customer_id,
        token_id=token.pk,
    )


def test_write_does_not_imply_read() -> None:
    principal = token_principal(make_token(permissions=["write"])[1], NOW)
    assert principal.scope_of(actions.VIEW_READINGS).is_empty
    assert principal.scope_of(actions.PUSH_READINGS) == principal.reach


def test_write_does_not_imply_manage() -> None:
    principal = token_principal(make_token(permissions=["read", "write"])[1], NOW)
    assert principal.scope_of(actions.HANDLE_ALARMS).is_empty


def test_an_admin_token_addresses_everything_and_lists_its_own() -> None:
    token, text = make_token(permissions=["admin"])
    principal = token_principal(text, NOW)
    assert principal.permissions == ALL_PERMISSIONS
    principal = principal.for_action(actions.VIEW_READINGS)
    assert principal.scope == Scope.everything()
    assert principal.own_scope == Scope.of_customer(token.customer_id)


def test_a_token_limited_to_units_sees_only_those() -> None:
    unit = StorageUnitFactory()
    _, text = make_token(unit.facility.customer, units=[unit])
    assert token_principal(text, NOW).reach.unit_ids == frozenset({unit.pk})


def test_a_token_whose_units_were_deleted_sees_nothing() -> None:
    unit = StorageUnitFactory()
    _, text = make_token(unit.facility.customer, units=[unit])
    unit.delete()
    assert token_principal(text, NOW).reach.unit_ids == frozenset()


def test_a_token_whose_limit_is_removed_sees_all_units() -> None:
    unit = StorageUnitFactory()
    token, text = make_token(unit.facility.customer, units=[unit])
    token.accessible_units.clear()
    assert token_principal(text, NOW).reach.unit_ids is None


def test_a_token_is_verified_by_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _, text = make_token()
    token_principal(text, NOW)
    with django_assert_num_queries(1):
        token_principal(text, NOW)


def test_a_token_remains_valid_under_a_fallback_key(settings: Settings) -> None:
    _, text = make_token()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key, long enough", [settings.SECRET_KEY]
    assert token_principal(text, NOW)


def test_an_unknown_token_is_rejected() -> None:
    with pytest.raises(AuthenticationFailed, match="not known"):
        token_principal("tms_nothing", NOW)


def test_a_token_is_rejected_from_the_instant_it_expires() -> None:
    _, text = make_token(expires_at=NOW)
    assert token_principal(text, NOW - timedelta(microseconds=1))
    with pytest.raises(AuthenticationFailed, match="expired"):
        token_principal(text, NOW)


def test_a_revoked_token_is_rejected() -> None:
    token, text = make_token()
    revoke(type(token).objects.all())
    with pytest.raises(AuthenticationFailed, match="revoked"):
        token_principal(text, NOW)


def test_the_token_of_an_inactive_customer_is_rejected() -> None:
    _, text = make_token(CustomerFactory(is_active=False))
    with pytest.raises(AuthenticationFailed, match="not active"):
        token_principal(text, NOW)


def test_a_database_outage_is_not_reported_as_an_invalid_token(monkeypatch: pytest.MonkeyPatch) -> None:
    end_connection = Prepared("SELECT pg_terminate_backend(pg_backend_pid()), %s::text[]")
    monkeypatch.setattr(authentication, "FIND_PRINCIPAL", end_connection)
    request = APIRequestFactory().get("/", headers={"Authorization": "Bearer tms_x"})
    with pytest.raises(OperationalError):
        TokenAuthentication().authenticate(request)


@pytest.mark.parametrize("header", ["Bearer {}", "Token {}", "bearer  {} "])
def test_both_keywords_work(header: str) -> None:
    _, text = make_token()
    request = APIRequestFactory().get("/", headers={"Authorization": header.format(text)})
    authenticated = TokenAuthentication().authenticate(request)
    assert authenticated is not None
    assert Permission.READ in authenticated[1].permissions


@pytest.mark.parametrize("header", ["", "Basic eA==", "Bearertms_x", "Negotiate"])
def test_other_headers_are_not_tokens(header: str) -> None:
    request = APIRequestFactory().get("/", headers={"Authorization": header})
    assert TokenAuthentication().authenticate(request) is None


@pytest.mark.parametrize("text", ["", "\xff", "a b", "x" * 8000, "\x00"])
def test_garbage_after_the_keyword_is_an_unknown_token(text: str) -> None:
    request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {text}"})
    with pytest.raises(AuthenticationFailed):
        TokenAuthentication().authenticate(request)


def test_a_limit_applies_within_the_hour_and_is_reset_afterwards() -> None:
    _, text = make_token(rate_limit_per_hour=2)
    token_principal(text, NOW)
    token_principal(text, NOW + timedelta(minutes=30))
    with pytest.raises(Throttled) as refused:
        token_principal(text, NOW + timedelta(minutes=44))
    assert refused.value.wait == 60  # type: ignore[attr-defined]  # not in the stubs
    assert token_principal(text, NOW + timedelta(minutes=45))


def test_a_machine_whose_clock_is_behind_counts_in_the_later_hour() -> None:
    _, text = make_token(rate_limit_per_hour=2)
    token_principal(text, NOW + timedelta(hours=1))
    token_principal(text, NOW)
    with pytest.raises(Throttled):
        token_principal(text, NOW)


def test_the_last_use_is_written_at_most_once_a_minute() -> None:
    token, text = make_token()
    for seconds in (0, 59, 60, 61, 100):
        token_principal(text, NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
        assert token.last_used_at == NOW + timedelta(seconds=0 if seconds < 61 else 61)


def test_superusers_of_the_operator_may_do_everything() -> None:
    principal = Principal.of_user(StaffFactory())
    assert all(principal.scope_of(each) == Scope.everything() for each in actions.ACTIONS)


@pytest.mark.parametrize("role", [Membership.Role.OPERATOR, Membership.Role.MANAGER])
def test_a_member_of_two_customers_writes_only_where_the_role_allows(role: Membership.Role) -> None:
    member = MembershipFactory(role=role)
    viewed = MembershipFactory(user=member.user, role=Membership.Role.VIEWER)
    principal = Principal.of_user(member.user)
    assert principal.scope_of(actions.VIEW_READINGS).customer_ids == frozenset({member.customer_id, viewed.customer_id})
    assert principal.scope_of(actions.PUSH_READINGS).customer_ids == frozenset({member.customer_id})
    assert principal.customer_id is None


def test_a_viewer_reads() -> None:
    principal = Principal.of_user(MembershipFactory().user)
    assert not principal.scope_of(actions.VIEW_READINGS).is_empty
    assert principal.scope_of(actions.PUSH_READINGS).is_empty


def test_a_person_without_an_active_customer_has_no_permissions() -> None:
    member = MembershipFactory(customer__is_active=False)
    assert Principal.of_user(member.user).grantable == set()
    assert Principal.of_user(UserFactory()).grantable == set()
