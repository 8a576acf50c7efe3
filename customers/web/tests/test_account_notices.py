"""Idle sessions, and mail about what happens to an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from celery import current_app
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from audit.models import AuditEntry
from customers.accounts import notices
from customers.tasks import send_account_notice
from tests.factories import PASSWORD, MembershipFactory, UserFactory, make_token
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REFRESH = {"HX-Request": "true"}


@pytest.fixture
def person() -> User:
    return UserFactory(username="quality", email="quality@example.com")


def sign_in(client: Client) -> PageResponse:
    return client.post(reverse("login"), {"username": "quality", "password": PASSWORD})


class TestIdleSessions:
    @pytest.fixture(autouse=True)
    def signed_in(self, client: Client, person: User, settings: Settings) -> None:
        settings.SESSION_IDLE_SECONDS = 12 * 3600
        with time_machine.travel(NOON, tick=False):
            sign_in(client)

    def is_signed_in(self, client: Client, hours: float, headers: dict[str, str] | None = None) -> bool:
        with time_machine.travel(NOON + timedelta(hours=hours), tick=False):
            return client.get("/", headers=headers).status_code == 200

    def test_twelve_idle_hours_end_the_session(self, client: Client) -> None:
        assert not self.is_signed_in(client, 12.01)

    def test_activity_extends_the_session(self, client: Client) -> None:
        assert self.is_signed_in(client, 11.9)
        assert self.is_signed_in(client, 23.8)
        assert not self.is_signed_in(client, 36)

    def test_no_activity_extends_the_session_beyond_its_lifetime(self, client: Client, settings: Settings) -> None:
        """Whoever uses the site every day confirms who they are every two weeks."""
        lifetime_hours = settings.SESSION_COOKIE_AGE // 3600
        assert all(self.is_signed_in(client, hours) for hours in range(6, lifetime_hours, 6))
        assert not self.is_signed_in(client, lifetime_hours + 1)

    def test_a_page_that_refreshes_itself_is_no_activity(self, client: Client) -> None:
        assert self.is_signed_in(client, 11.9, REFRESH)
        with time_machine.travel(NOON + timedelta(hours=11.95), tick=False):
            client.get("/api/v1/facilities")
        assert not self.is_signed_in(client, 12.01, REFRESH)

    def test_a_session_of_an_earlier_version_goes_on(self, client: Client) -> None:
        session = client.session
        del session["seen_at"], session["began_at"]
        session.save()
        assert self.is_signed_in(client, 24)
        assert not self.is_signed_in(client, 36.1)

    def test_a_session_of_a_token_goes_on(self, client: Client) -> None:
        token, text = make_token()
        with time_machine.travel(NOON, tick=False):
            client.post(reverse("logout"))
            client.post(reverse("login"), {"username": token.customer.customer_code, "password": text})
        assert self.is_signed_in(client, 48, REFRESH)
        # Beyond the lifetime of a session that is not used.
        assert all(self.is_signed_in(client, 24 * day, REFRESH) for day in (15, 28, 41))
        assert not self.is_signed_in(client, 24 * 56, REFRESH)


class TestNotices:
    @pytest.fixture(autouse=True)
    def sent(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        """Configure a mail server, and run the task where it is sent."""
        settings.EMAIL_URL = "smtp://mail.example.com:25"
        settings.SITE_URL = "https://cold.example.com"
        monkeypatch.setattr(current_app, "send_task", lambda name, arguments: send_account_notice(*arguments))

    def test_the_first_device_is_not_told_and_another_one_is(
        self,
        person: User,
        mailoutbox: list[EmailMessage],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        laptop = Client()
        with django_capture_on_commit_callbacks(execute=True):
            sign_in(laptop)
            laptop.post(reverse("logout"))
            sign_in(laptop)
            assert mailoutbox == []
            sign_in(Client(headers={"User-Agent": "a stranger's phone"}))
        [mail] = mailoutbox
        assert mail.to == ["quality@example.com"]
        assert mail.subject == "New sign-in to your account"
        assert "a stranger's phone" in str(mail.body)
        assert "https://cold.example.com/account/sessions" in str(mail.body)

    def test_a_new_password_is_told(
        self,
        client: Client,
        person: User,
        mailoutbox: list[EmailMessage],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        sign_in(client)
        new = "another correct horse"
        fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        with django_capture_on_commit_callbacks(execute=True):
            client.post(reverse("password-change"), fields)
        assert [mail.subject for mail in mailoutbox] == ["Your password was changed"]
        assert new not in str(mailoutbox[0].body)

    def test_a_new_token_is_told_to_its_creator(
        self,
        client: Client,
        mailoutbox: list[EmailMessage],
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        member = MembershipFactory(role="manager")
        client.force_login(member.user)
        fields = {"token_name": "exporter", "permissions": ["read"]}
        with django_capture_on_commit_callbacks(execute=True):
            page = client.post(reverse("settings-tokens", args=[member.customer.public_id]), fields)
        [mail] = mailoutbox
        assert (mail.to, mail.subject) == ([member.user.email], "An API token was created")
        assert page.context["token_text"] not in str(mail.body)

    def test_nobody_without_an_address_is_written_to(
        self, mailoutbox: list[EmailMessage], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            notices.notify(UserFactory(email=""), "password_changed")
        assert mailoutbox == []


class TestTrail:
    def actions(self) -> list[tuple[str, str, int | None]]:
        entries = AuditEntry.objects.filter(action__startswith="sign").order_by("pk")
        return list(entries.values_list("action", "actor_kind", "person_id"))

    def test_signing_in_and_out_is_recorded(self, client: Client, person: User) -> None:
        sign_in(client)
        client.post(reverse("logout"))
        assert self.actions() == [("signed_in", "person", person.pk), ("signed_out", "person", person.pk)]

    def test_a_failure_is_recorded_without_what_was_typed(self, client: Client, person: User) -> None:
        for name in ("quality", "my password by mistake"):
            client.post(reverse("login"), {"username": name, "password": "guess"})
        assert self.actions() == [
            ("sign_in_failed", "anonymous", person.pk),
            ("sign_in_failed", "anonymous", None),
        ]
        assert "mistake" not in str(list(AuditEntry.objects.filter(action="sign_in_failed").values()))

    def test_signing_in_with_a_token_is_recorded(self, client: Client) -> None:
        token, text = make_token()
        client.post(reverse("login"), {"username": token.customer.customer_code, "password": text})
        assert AuditEntry.objects.get(action="signed_in").actor_id == token.pk
        assert not get_user(client).is_authenticated
