"""Throttling of sign-in attempts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from customers.access.login_throttle import (
    ATTEMPTS_PER_ADDRESS,
    ATTEMPTS_PER_NAME,
    WINDOW,
    SignInAttempt,
    client_address,
)
from customers.models import SignInTries
from tests.factories import PASSWORD, UserFactory
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def sign_in(client: Client, name: str = "quality", text: str = "guess") -> PageResponse:
    return client.post(reverse("login"), {"username": name, "password": text})


def test_after_too_many_attempts_even_the_right_password_is_rejected(client: Client) -> None:
    UserFactory(username="quality")
    for _ in range(ATTEMPTS_PER_NAME):
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
    for _ in range(ATTEMPTS_PER_NAME + 1):
        sign_in(client)
    assert sign_in(client, "shift").status_code == 200


def test_an_address_with_many_names_is_throttled() -> None:
    tries = [SignInAttempt(f"name {number}", "address") for number in range(ATTEMPTS_PER_ADDRESS + 1)]
    waits = [each.count(NOW) for each in tries]
    assert waits[:-1] == [None] * ATTEMPTS_PER_ADDRESS
    assert waits[-1] == WINDOW


def test_a_success_resets_the_attempts() -> None:
    for _ in range(ATTEMPTS_PER_NAME):
        SignInAttempt("name", "address").count(NOW)
    SignInAttempt("name", "address").succeeded(NOW)
    assert SignInAttempt("name", "address").count(NOW) is None
    assert SignInTries.objects.get(who="address").try_count == ATTEMPTS_PER_NAME


def test_throttling_ends_with_the_window() -> None:
    for _ in range(ATTEMPTS_PER_NAME + 1):
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
    ],
)
def test_the_address_is_the_one_reported_by_the_nearest_trusted_proxy(
    settings: Settings, proxies: int, told: str, address: str
) -> None:
    settings.PROXY_COUNT = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR=told)
    assert client_address(request) == address
