"""Signing in and out, and changing one's password."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse

from customers.accounts.password_links import password_path
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


def test_signing_in_returns_to_the_requested_page(client: Client, person: User) -> None:
    assert sign_in(client, next="/account/password")["Location"] == "/account/password"


def test_signing_in_never_redirects_to_another_site(client: Client, person: User) -> None:
    assert sign_in(client, next="https://example.com/")["Location"] == "/"


def test_a_wrong_password_is_rejected_without_saying_which_part_was_wrong(client: Client, person: User) -> None:
    response = sign_in(client, password="guess")
    assert not get_user(client).is_authenticated
    assert "Please enter a correct user name and password" in response.content.decode()


def test_signing_out_requires_a_post(client: Client, person: User) -> None:
    sign_in(client)
    assert client.get(reverse("logout")).status_code == 405
    assert get_user(client).is_authenticated
    assert client.post(reverse("logout"))["Location"] == reverse("login")
    assert not get_user(client).is_authenticated


def test_changing_the_password_keeps_the_person_signed_in(client: Client, person: User) -> None:
    sign_in(client)
    response = client.post(
        reverse("password-change"),
        {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
        follow=True,
    )
    assert "Password changed" in response.content.decode()
    assert get_user(client).check_password(NEW_PASSWORD)


def test_anonymous_visitors_cannot_change_a_password(client: Client) -> None:
    assert client.get(reverse("password-change"))["Location"].startswith(reverse("login"))


class TestChangesAtTheSameTime:
    """What the operator changes about an account while its owner sends a form is not undone by the form."""

    @pytest.fixture(autouse=True)
    def deactivated_meanwhile(self, client: Client, person: User) -> Iterator[None]:
        """Sign the person in, and deactivate the account whenever a form that they send is about to be saved."""

        def deactivate(**_: object) -> None:
            User.objects.filter(pk=person.pk).update(is_active=False)

        client.force_login(person)
        pre_save.connect(deactivate, sender=User)
        yield
        pre_save.disconnect(deactivate, sender=User)

    def test_changing_the_name(self, client: Client, person: User) -> None:
        client.post(reverse("settings"), {"first_name": "Anna", "last_name": "Frost"})
        person.refresh_from_db()
        assert (person.get_full_name(), person.is_active) == ("Anna Frost", False)

    def test_changing_the_password(self, client: Client, person: User) -> None:
        fields = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        client.post(reverse("password-change"), fields)
        person.refresh_from_db()
        assert person.check_password(NEW_PASSWORD)
        assert not person.is_active

    def test_setting_the_password_by_a_link(self, client: Client, person: User) -> None:
        form = client.get(password_path(person))["Location"]
        client.post(form, {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD})
        person.refresh_from_db()
        assert person.check_password(NEW_PASSWORD)
        assert not person.is_active
