"""Signing in and out, and changing one's password."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD, UserFactory
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another correct horse"


@pytest.fixture
def person() -> User:
    return UserFactory(username="quality")


def sign_in(client: Client, **fields: object) -> PageResponse:
    return client.post(reverse("login"), {"username": "quality", "password": PASSWORD, **fields})


def test_signing_in_leads_to_the_overview(client: Client, person: User) -> None:
    response = sign_in(client)
    assert response["Location"] == "/"
    assert get_user(client) == person


def test_signing_in_leads_back_to_the_page_that_was_asked_for(client: Client, person: User) -> None:
    assert sign_in(client, next="/account/password")["Location"] == "/account/password"


def test_signing_in_never_leads_to_another_site(client: Client, person: User) -> None:
    assert sign_in(client, next="https://example.com/")["Location"] == "/"


def test_a_wrong_password_is_refused_without_saying_which_part_was_wrong(client: Client, person: User) -> None:
    response = sign_in(client, password="guess")
    assert not get_user(client).is_authenticated
    assert "Please enter a correct user name and password" in response.content.decode()


def test_signing_out_is_done_by_a_form_only(client: Client, person: User) -> None:
    sign_in(client)
    assert client.get(reverse("logout")).status_code == 405
    assert get_user(client).is_authenticated
    assert client.post(reverse("logout"))["Location"] == reverse("login")
    assert not get_user(client).is_authenticated


def test_a_changed_password_holds_and_keeps_the_person_signed_in(client: Client, person: User) -> None:
    sign_in(client)
    response = client.post(
        reverse("password-change"),
        {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
        follow=True,
    )
    assert "Password changed" in response.content.decode()
    assert get_user(client).check_password(NEW_PASSWORD)


def test_who_is_not_signed_in_can_change_no_password(client: Client) -> None:
    assert client.get(reverse("password-change"))["Location"].startswith(reverse("login"))
