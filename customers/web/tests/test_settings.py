"""The pages of settings: what people of each role see there, and what they can change."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.access.tokens import possible_hashes
from customers.models import ApiToken, Customer, Invitation, Membership, StorageUnit
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    make_token,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

PAGES = ["settings-tokens", "settings-people", "settings-units"]


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory(customer_code="A")


@pytest.fixture
def sign_in(client: Client, customer: Customer) -> Callable[..., Client]:
    """Signs in who has a role in the customer, and returns the client."""

    def sign_in_as(role: str) -> Client:
        client.force_login(MembershipFactory(customer=customer, role=role, user__username=role).user)
        return client

    return sign_in_as


@pytest.fixture
def manager(sign_in: Callable[..., Client]) -> Client:
    return sign_in("manager")


def url_of(name: str, customer: Customer, *more: int | UUID) -> str:
    return reverse(name, args=[customer.public_id, *more])


def data(response: PageResponse) -> list[str]:
    return [str(message) for message in response.context["messages"]]


class TestWhoMayDoWhat:
    def test_anonymous_visitors_are_asked_to_sign_in(self, client: Client, customer: Customer) -> None:
        for url in [reverse("settings"), *(url_of(page, customer) for page in PAGES)]:
            assert client.get(url)["Location"].startswith(reverse("login"))

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_other_roles_can_view(self, sign_in: Callable[..., Client], customer: Customer, role: str) -> None:
        client = sign_in(role)
        for page in PAGES:
            response = client.get(url_of(page, customer))
            assert response.status_code == 200
            assert b"Ask a manager" in response.content
            assert b'method="post"' not in response.content.split(b"<main")[1]

    @pytest.mark.parametrize("role", ["viewer", "operator"])
    def test_other_roles_cannot_change_anything(
        self, sign_in: Callable[..., Client], customer: Customer, role: str
    ) -> None:
        assert_refused(sign_in(role), customer, status=403)

    def test_a_foreign_customer_is_not_found_and_nothing_changes(self, client: Client, customer: Customer) -> None:
        client.force_login(MembershipFactory(role="manager").user)
        for page in PAGES:
            assert client.get(url_of(page, customer)).status_code == 404
        assert_refused(client, customer, status=404)

    def test_objects_of_another_customer_are_not_found(self, manager: Client, customer: Customer) -> None:
        token, _ = make_token()
        unit, member = StorageUnitFactory(name="before"), MembershipFactory()
        answers = [
            manager.post(url_of("settings-revoke-token", customer, token.public_id)),
            manager.post(url_of("settings-unit", customer, unit.public_id), {"name": "after"}),
            manager.post(url_of("settings-member", customer, member.pk), {"action": "remove"}),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        token.refresh_from_db()
        unit.refresh_from_db()
        assert (token.revoked_at, unit.name, Membership.objects.contains(member)) == (None, "before", True)

    def test_staff_can_change_every_customers_settings(self, client: Client, customer: Customer) -> None:
        client.force_login(StaffFactory())
        client.post(url_of("settings-people", customer), {"email": "new@example.com", "role": "viewer"})
        assert Invitation.objects.get().customer == customer

    @pytest.mark.parametrize("page", PAGES)
    def test_the_number_of_queries_does_not_grow(
        self, manager: Client, customer: Customer, page: str, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        facility = FacilityFactory(customer=customer)
        StorageUnitFactory.create_batch(5, facility=facility)
        for _ in range(5):
            make_token(customer)
            MembershipFactory(customer=customer)
        # Session, user with roles, customer, open alarms; the count and the page of what is listed, and with people the
        # open invitations.
        with django_assert_num_queries(7 if page == "settings-people" else 6):
            manager.get(url_of(page, customer))


def assert_refused(client: Client, customer: Customer, *, status: int) -> None:
    """Assert that no change to the customer's settings goes through."""
    token, _ = make_token(customer)
    unit = StorageUnitFactory(facility__customer=customer, name="before")
    member = MembershipFactory(customer=customer, role="manager")
    answers = [
        client.post(url_of("settings-tokens", customer), {"token_name": "mine", "permissions": ["read"]}),
        client.post(url_of("settings-revoke-token", customer, token.public_id)),
        client.post(url_of("settings-people", customer), {"email": "new@example.com", "role": "manager"}),
        client.post(url_of("settings-member", customer, member.pk), {"action": "role", "role": "viewer"}),
        client.post(url_of("settings-member", customer, member.pk), {"action": "remove"}),
        client.post(url_of("settings-unit", customer, unit.public_id), {"name": "after"}),
    ]
    assert [answer.status_code for answer in answers] == [status] * len(answers)
    assert ApiToken.objects.filter(revoked_at=None).count() == 1
    assert not Invitation.objects.exists()
    assert Membership.objects.get(pk=member.pk).role == "manager"
    assert StorageUnit.objects.get().name == "before"


class TestTokenSessions:
    """Who is signed in with a token instead of a name."""

    @pytest.fixture
    def with_token(self, client: Client, customer: Customer) -> Callable[..., Client]:
        """Signs in with a new token of the customer, and returns the client."""

        def sign_in_with(permissions: list[str], **kwargs: object) -> Client:
            _, text = make_token(customer, permissions=permissions, **kwargs)
            client.post(reverse("login"), {"username": customer.customer_code, "password": text})
            return client

        return sign_in_with

    def test_a_read_token_has_no_access_to_the_settings(
        self, with_token: Callable[..., Client], customer: Customer
    ) -> None:
        client = with_token(["read"])
        for url in [reverse("settings"), *(url_of(page, customer) for page in PAGES)]:
            assert client.get(url).status_code == 403

    def test_a_token_limited_to_units_has_no_access_to_the_settings(
        self, with_token: Callable[..., Client], customer: Customer
    ) -> None:
        unit = StorageUnitFactory(facility__customer=customer)
        client = with_token(["read", "write", "manage"], units=[unit])
        assert client.get(reverse("overview")).status_code == 200
        for url in [reverse("settings"), *(url_of(page, customer) for page in PAGES)]:
            assert client.get(url).status_code == 403

    def test_a_write_token_has_no_access_to_the_settings(
        self, with_token: Callable[..., Client], customer: Customer
    ) -> None:
        client = with_token(["read", "write"])
        assert client.get(reverse("settings")).status_code == 403

    def test_a_manage_token_creates_tokens_but_no_accounts(
        self, with_token: Callable[..., Client], customer: Customer
    ) -> None:
        client = with_token(["read", "manage"])
        assert client.get(reverse("settings")).status_code == 200
        client.post(url_of("settings-tokens", customer), {"token_name": "more", "permissions": ["read"]})
        assert ApiToken.objects.filter(token_name="more").exists()
        refused = client.post(url_of("settings-people", customer), {"email": "x@example.com", "role": "manager"})
        assert refused.status_code == 403
        assert client.post(reverse("settings"), {"first_name": "X"}).status_code == 403
        assert not User.objects.exists()

    def test_a_token_is_told_that_it_cannot_create_one_with_a_higher_limit(
        self, with_token: Callable[..., Client], customer: Customer
    ) -> None:
        client = with_token(["read", "manage"], rate_limit_per_hour=100)
        fields = {"token_name": "more", "permissions": ["read"], "submission": str(uuid4())}
        refused = client.post(url_of("settings-tokens", customer), fields | {"rate_limit_per_hour": 200})
        assert "rate_limit_per_hour cannot exceed the creator's own, 100." in refused.context["form"].non_field_errors()
        client.post(url_of("settings-tokens", customer), fields | {"rate_limit_per_hour": 50})
        assert ApiToken.objects.get(token_name="more").rate_limit_per_hour == 50


class TestProfile:
    def test_people_change_their_name_but_not_the_address_they_are_invited_by(self, manager: Client) -> None:
        manager.post(reverse("settings"), {"first_name": "Anna", "last_name": "Frost", "email": "x@example.com"})
        user = User.objects.get()
        assert (user.get_full_name(), user.email) == ("Anna Frost", "manager@example.com")

    def test_only_the_own_customers_are_listed(self, manager: Client, customer: Customer) -> None:
        CustomerFactory()
        assert list(manager.get(reverse("settings")).context["list"].rows) == [customer]

    def test_a_customer_links_to_its_pages(self, manager: Client, customer: Customer) -> None:
        page = manager.get(reverse("settings")).content.decode()
        for name in ("tokens", "people", "units", "maintenance", "notifications"):
            assert url_of(f"settings-{name}", customer) in page

    @pytest.mark.parametrize("theme", ["", "light", "dark"])
    def test_the_theme_is_saved_on_the_device(self, manager: Client, theme: str) -> None:
        response = manager.post(reverse("settings-display"), {"theme": theme}, follow=True)
        assert manager.cookies["theme"].value == theme
        assert response.context["display"].initial == {"theme": theme}

    def test_an_unknown_theme_is_rejected(self, manager: Client) -> None:
        assert manager.post(reverse("settings-display"), {"theme": "pink"}).status_code == 400
        assert "theme" not in manager.cookies


class TestTokens:
    def test_a_new_token_is_shown_once(self, manager: Client, customer: Customer) -> None:
        url = url_of("settings-tokens", customer)
        fields = {"token_name": "exporter", "permissions": ["read"], "rate_limit_per_hour": "60"}
        response = manager.post(url, fields)
        text = response.context["token_text"]
        token = ApiToken.objects.get()
        assert token.token_hash in possible_hashes(text)
        assert (token.token_name, token.permissions, token.rate_limit_per_hour) == ("exporter", ["read"], 60)
        assert token.created_by == get_user(manager)
        assert text in response.content.decode()
        assert "no-store" in response.headers["Cache-Control"]
        assert text not in manager.get(url).content.decode()

    def test_a_token_is_valid_to_the_end_of_its_last_day(self, manager: Client, customer: Customer) -> None:
        day = timezone.now().date() + timedelta(days=7)
        fields = {"token_name": "a", "permissions": ["read"], "expires_on": day.isoformat()}
        manager.post(url_of("settings-tokens", customer), fields)
        assert ApiToken.objects.get().expires_at == datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(1)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"permissions": ["admin"]},  # which managers lack
            {"permissions": []},
            {"token_name": ""},
            {"expires_on": "2020-01-01"},
            {"expires_on": "9999-12-31"},  # its end is beyond what can be stored
            {"rate_limit_per_hour": "0"},
            {"rate_limit_per_hour": "9999999999"},
        ],
    )
    def test_invalid_tokens_are_rejected_with_a_message(
        self, manager: Client, customer: Customer, wrong: dict[str, object]
    ) -> None:
        fields = {"token_name": "a", "permissions": ["read"]} | wrong
        response = manager.post(url_of("settings-tokens", customer), fields)
        assert response.context["form"].errors.keys() == wrong.keys()
        assert not ApiToken.objects.exists()

    def test_a_revoked_token_stays_in_the_list(self, manager: Client, customer: Customer) -> None:
        token, _ = make_token(customer)
        response = manager.post(url_of("settings-revoke-token", customer, token.public_id), follow=True)
        assert data(response) == ["a token revoked."]
        token.refresh_from_db()
        assert token.revoked_at is not None
        assert list(response.context["list"].rows) == [token]


def test_fields_are_described_by_their_help_and_errors(manager: Client, customer: Customer) -> None:
    page = manager.post(url_of("settings-tokens", customer), {"rate_limit_per_hour": "-1"}).content.decode()
    described_by = {each for ids in re.findall(r'aria-describedby="([^"]+)"', page) for each in ids.split()}
    assert {"id_token_name_error", "id_permissions_error", "id_rate_limit_per_hour_error"} <= described_by
    assert described_by <= set(re.findall(r' id="([^"]+)"', page))


class TestUnits:
    def test_name_and_set_temperature_are_changed_in_the_units_own_scale(
        self, manager: Client, customer: Customer
    ) -> None:
        unit = StorageUnitFactory(facility__customer=customer, temperature_unit="F", set_temperature=41.0)
        url = url_of("settings-unit", customer, unit.public_id)
        assert "°F" in manager.get(url).content.decode()
        fields = {
            "name": "Vaccines",
            "set_temperature": "-4.5",
            "interval_seconds": "5 min",
            "gap_limit_seconds": "20m",
        }
        response = manager.post(url, fields, follow=True)
        assert data(response) == ["Vaccines saved."]
        unit.refresh_from_db()
        assert (unit.name, unit.set_temperature) == ("Vaccines", -4.5)
        assert (unit.interval_seconds, unit.gap_limit_seconds) == (300, 1200)

    @pytest.mark.parametrize("wrong", ["cold", "nan", "inf", "-300", "1001"])
    def test_an_invalid_temperature_is_rejected(self, manager: Client, customer: Customer, wrong: str) -> None:
        unit = StorageUnitFactory(facility__customer=customer)
        response = manager.post(url_of("settings-unit", customer, unit.public_id), {"set_temperature": wrong})
        assert "set_temperature" in response.context["form"].errors
        unit.refresh_from_db()
        assert unit.set_temperature == 5.0

    def test_an_empty_list_says_whether_anything_was_searched_for(self, manager: Client, customer: Customer) -> None:
        url = url_of("settings-units", customer)
        assert "No units yet." in manager.get(url).content.decode()
        assert "No units match this search." in manager.get(url, {"text": "blood"}).content.decode()

    def test_set_temperatures_are_written_as_on_the_other_pages(self, manager: Client, customer: Customer) -> None:
        StorageUnitFactory(facility__customer=customer, set_temperature=-74.2)
        StorageUnitFactory(facility__customer=customer, set_temperature=None)
        page = manager.get(url_of("settings-units", customer)).content.decode()
        assert "\N{MINUS SIGN}74.2\N{NO-BREAK SPACE}°C</td>" in page
        assert ">None</td>" in page

    def test_the_list_is_filtered_by_text(self, manager: Client, customer: Customer) -> None:
        wanted = StorageUnitFactory(facility__customer=customer, name="Blood bank")
        StorageUnitFactory(facility__customer=customer, name="Lobby")
        response = manager.get(url_of("settings-units", customer), {"text": "blood"})
        assert list(response.context["list"].rows) == [wanted]
