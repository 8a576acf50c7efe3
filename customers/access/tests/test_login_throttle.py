"""Throttling of sign-in attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings
from rest_framework.test import APIClient

from customers.access.login_throttle import (
    ATTEMPTS_PER_ACCOUNT,
    ATTEMPTS_PER_ADDRESS,
    KNOWN_FOR,
    MAILS_PER_RECIPIENT,
    WINDOW,
    SignInAttempt,
    client_address,
)
from customers.models import KnownAddress, SignInTries
from tests.factories import PASSWORD, CustomerFactory, StaffFactory, UserFactory, make_token
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def sign_in(client: Client, name: str = "quality", text: str = "guess") -> PageResponse:
    return client.post(reverse("login"), {"username": name, "password": text})


def test_after_too_many_attempts_even_the_right_password_is_rejected(client: Client) -> None:
    UserFactory(username="quality")
    for _ in range(ATTEMPTS_PER_ACCOUNT):
        assert sign_in(client).status_code == 200
    response = sign_in(client, text=PASSWORD)
    assert response.status_code == 429
    assert 0 < int(response.headers["Retry-After"]) <= WINDOW.total_seconds() + 1
    assert "Try again in 15 minutes" in response.content.decode()
    assert client.get("/").status_code == 302


def test_capitals_and_blanks_do_not_change_the_name(client: Client) -> None:
    for name in ["quality", " quality", "QUALITY", "Quality "] * 3:
        last = sign_in(client, name)
    assert last.status_code == 429


def test_another_name_is_not_throttled(client: Client) -> None:
    for _ in range(ATTEMPTS_PER_ACCOUNT + 1):
        sign_in(client)
    assert sign_in(client, "shift").status_code == 200


def test_an_address_with_many_names_is_throttled() -> None:
    tries = [SignInAttempt(f"name {number}", "address") for number in range(ATTEMPTS_PER_ADDRESS + 1)]
    waits = [each.count(NOW) for each in tries]
    assert waits[:-1] == [None] * ATTEMPTS_PER_ADDRESS
    assert waits[-1] == WINDOW


def test_a_success_resets_the_attempts() -> None:
    for _ in range(ATTEMPTS_PER_ACCOUNT):
        SignInAttempt("name", "address").count(NOW)
    SignInAttempt("name", "address").succeeded(NOW)
    assert SignInAttempt("name", "address").count(NOW) is None
    assert SignInTries.objects.get(who="address").try_count == ATTEMPTS_PER_ACCOUNT - 1


@pytest.mark.parametrize("name", ["ｑｕａｌｉｔｙ", "ＱＵＡＬＩＴＹ", " quality\u3000", "\uff51uality"])
def test_other_spellings_that_find_the_account_share_its_attempts(client: Client, name: str) -> None:
    UserFactory(username="quality")
    for _ in range(ATTEMPTS_PER_ACCOUNT):
        sign_in(client, name)
    assert sign_in(client, "quality", PASSWORD).status_code == 429


class TestKnownAddresses:
    def fail(self, attempt: SignInAttempt, times: int) -> list[timedelta | None]:
        return [attempt.count(NOW) for _ in range(times)]

    def test_the_owner_is_not_locked_out_by_attempts_from_elsewhere(self) -> None:
        owner = SignInAttempt("name", "office")
        owner.succeeded(NOW)
        assert self.fail(SignInAttempt("name", "elsewhere"), ATTEMPTS_PER_ACCOUNT + 1)[-1] == WINDOW
        self.fail(SignInAttempt("others", "office"), ATTEMPTS_PER_ADDRESS)
        assert owner.count(NOW) is None

    def test_attempts_from_the_known_address_are_limited_too(self) -> None:
        owner = SignInAttempt("name", "office")
        owner.succeeded(NOW)
        assert self.fail(owner, ATTEMPTS_PER_ACCOUNT + 1) == [*[None] * ATTEMPTS_PER_ACCOUNT, WINDOW]

    def test_signing_in_from_a_known_address_does_not_reset_the_attempts_from_elsewhere(self) -> None:
        owner, other = SignInAttempt("name", "office"), SignInAttempt("name", "elsewhere")
        owner.succeeded(NOW)
        self.fail(other, ATTEMPTS_PER_ACCOUNT)
        owner.succeeded(NOW)
        assert other.count(NOW) == WINDOW

    def test_an_address_that_is_not_used_is_forgotten(self) -> None:
        SignInAttempt("name", "office").succeeded(NOW)
        self.fail(SignInAttempt("name", "elsewhere"), ATTEMPTS_PER_ACCOUNT)
        assert SignInAttempt("name", "office").count(NOW + KNOWN_FOR) is None
        SignInAttempt("another", "office").succeeded(NOW + KNOWN_FOR + WINDOW)
        assert KnownAddress.objects.count() == 1


class TestEveryEntrance:
    def test_the_admin_has_no_entrance_of_its_own(self, client: Client) -> None:
        response = client.post("/admin/login/?next=/admin/auth/user/", {"username": "boss", "password": PASSWORD})
        assert response["Location"] == "/account/sign-in?next=/admin/auth/user/"

    def test_who_may_not_use_the_admin_is_not_sent_in_circles(self, client: Client) -> None:
        client.force_login(UserFactory())
        assert client.get("/admin/", follow=True).status_code == 403

    def test_the_current_password_cannot_be_guessed_on_the_page_that_changes_it(self, client: Client) -> None:
        client.force_login(UserFactory())
        guess = {"old_password": "guess", "new_password1": "another horse", "new_password2": "another horse"}
        answers = [client.post(reverse("password-change"), guess).status_code for _ in range(ATTEMPTS_PER_ACCOUNT + 1)]
        assert answers == [*[200] * ATTEMPTS_PER_ACCOUNT, 429]

    def test_the_admin_changes_passwords_on_that_page(self, client: Client) -> None:
        client.force_login(StaffFactory())
        guess = {"old_password": "guess", "new_password1": "another horse", "new_password2": "another horse"}
        for send in (client.get, client.post):
            assert send(reverse("admin:password_change"), guess).headers.get("Location") == reverse("password-change")

    def test_a_customers_tokens_cannot_be_guessed_on_the_sign_in_page(self, client: Client) -> None:
        CustomerFactory(customer_code="A")
        answers = [sign_in(client, name, "tms_guess").status_code for name in ["A", "a", "Ａ"] * 4]
        assert answers == [*[200] * ATTEMPTS_PER_ACCOUNT, 429, 429]

    def test_unknown_tokens_are_limited_by_address_and_valid_ones_still_pass(self) -> None:
        _, text = make_token()
        api = APIClient()
        api.credentials(HTTP_AUTHORIZATION="Bearer tms_guess")
        answers = [api.get("/api/v1/facilities").status_code for _ in range(ATTEMPTS_PER_ADDRESS + 1)]
        assert answers == [*[401] * ATTEMPTS_PER_ADDRESS, 429]
        assert int(api.get("/api/v1/facilities").headers["Retry-After"]) > 0
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        assert api.get("/api/v1/facilities").status_code == 200

    def test_nobody_is_flooded_with_links_to_set_a_password(self, client: Client) -> None:
        url, fields = reverse("password-forgotten"), {"email": "anna@example.com"}
        answers = [client.post(url, fields).status_code for _ in range(MAILS_PER_RECIPIENT + 1)]
        assert answers == [*[200] * MAILS_PER_RECIPIENT, 429]


def test_throttling_ends_with_the_window() -> None:
    for _ in range(ATTEMPTS_PER_ACCOUNT + 1):
        wait = SignInAttempt("name", "address").count(NOW)
    assert wait == WINDOW
    assert SignInAttempt("name", "address").count(NOW + timedelta(minutes=14)) == timedelta(minutes=1)
    assert SignInAttempt("name", "address").count(NOW + WINDOW) is None


def test_expired_attempts_are_deleted() -> None:
    SignInAttempt("old", "old address").count(NOW)
    SignInAttempt("name", "address").succeeded(NOW + 3 * WINDOW)
    assert not SignInTries.objects.exists()


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, "203.0.113.9", "198.51.100.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (2, "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_address_is_the_one_reported_by_the_nearest_trusted_proxy(
    settings: Settings, proxies: int, told: str, address: str
) -> None:
    settings.PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR=told)
    assert client_address(request) == address
