"""Signing an alarm with a passkey instead of the password: once, for what was confirmed, and within two minutes."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from alarms.lifecycle.actions import comment
from alarms.models import Alarm, AlarmSignature
from customers.access.passkey_confirmation import VALID_FOR
from customers.models import Customer
from tests.alarm_factories import AlarmFactory
from tests.factories import MembershipFactory, UserFactory
from tests.responses import Json
from tests.software_passkey import DAMAGED_ANSWER, SoftwarePasskey

pytestmark = pytest.mark.django_db

FORM = {"acknowledge-comment": "On my way", "acknowledge-meaning": "responsible"}


@pytest.fixture
def alarm() -> Alarm:
    return AlarmFactory()


@pytest.fixture
def person(alarm: Alarm) -> User:
    user = UserFactory(username="anna", first_name="Anna", last_name="Berg")
    return MembershipFactory(customer=alarm.customer, role="operator", user=user).user


@pytest.fixture
def passkey(person: User, settings: Settings) -> SoftwarePasskey:
    # Without TLS, as the test client requests pages.
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
    return SoftwarePasskey(person).register()


@pytest.fixture
def browser(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def ask(browser: Client, alarm: Alarm, form: dict[str, str], action: str = "acknowledge") -> Json:
    """Return what the server asks the passkey for, or the problem."""
    return browser.post(reverse("alarm-signing", args=[alarm.public_id, action]), form).json()


def confirmed(passkey: SoftwarePasskey, asked: Json, form: dict[str, str]) -> dict[str, str]:
    """Return the form with the passkey's answer."""
    answer = passkey.answer(asked["request_options"])
    return form | {"acknowledge-credential": answer, "acknowledge-confirmation": asked["confirmation"]}


def send(browser: Client, alarm: Alarm, form: dict[str, str]) -> str:
    """Send the form; return the page that follows."""
    url = reverse("alarm-acknowledge", args=[alarm.public_id])
    return browser.post(url, form, follow=True).content.decode()


def test_a_passkey_signs_instead_of_the_password(browser: Client, alarm: Alarm, passkey: SoftwarePasskey) -> None:
    Customer.objects.update(requires_signatures=True)

    page = send(browser, alarm, confirmed(passkey, ask(browser, alarm, FORM), FORM))

    signature = AlarmSignature.objects.get()
    assert (signature.method, signature.meaning, signature.signer_name) == ("passkey", "responsible", "Anna Berg")
    assert json.loads(signature.record)["method"] == "passkey"
    assert "Confirmed with a passkey." in page
    history = browser.get(reverse("alarm-history", args=[alarm.public_id])).content.decode()
    assert "Created: alarm signature" in history
    assert signature.record_sha256 in history


def test_a_page_offers_a_passkey_to_those_who_have_one(browser: Client, alarm: Alarm, person: User) -> None:
    page = reverse("alarm", args=[alarm.public_id])
    assert "Sign with a passkey" not in browser.get(page).content.decode()

    SoftwarePasskey(person).register()

    assert "Sign with a passkey" in browser.get(page).content.decode()


@pytest.mark.parametrize("answer", ["{}", '{"rawId": 1}', '{"id": "YQ", "response": {}}', "[" * 5_000, DAMAGED_ANSWER])
def test_what_no_passkey_answers_signs_nothing(
    browser: Client, alarm: Alarm, passkey: SoftwarePasskey, answer: str
) -> None:
    form = confirmed(passkey, ask(browser, alarm, FORM), FORM) | {"acknowledge-credential": answer}
    send(browser, alarm, form)
    assert not AlarmSignature.objects.exists()


def test_a_confirmation_is_used_once(browser: Client, alarm: Alarm, passkey: SoftwarePasskey) -> None:
    form = confirmed(passkey, ask(browser, alarm, FORM), FORM)
    send(browser, alarm, form)
    Alarm.objects.update(state="open", acknowledged_at=None, acknowledged_by="", acknowledgement="")

    page = send(browser, alarm, form)

    assert "This confirmation was already used." in page
    assert form["acknowledge-confirmation"] not in page
    assert AlarmSignature.objects.count() == 1


@pytest.mark.parametrize(
    "changed", [{"acknowledge-comment": "Nothing to do"}, {"acknowledge-meaning": "approved"}], ids=["text", "meaning"]
)
def test_a_confirmation_is_for_what_the_form_said(
    browser: Client, alarm: Alarm, passkey: SoftwarePasskey, changed: dict[str, str]
) -> None:
    page = send(browser, alarm, confirmed(passkey, ask(browser, alarm, FORM), FORM) | changed)

    assert "You confirmed something else" in page
    assert not AlarmSignature.objects.exists()


def test_a_confirmation_is_for_one_alarm_as_it_was(browser: Client, alarm: Alarm, passkey: SoftwarePasskey) -> None:
    form = confirmed(passkey, ask(browser, alarm, FORM), FORM)
    other = AlarmFactory(storage_unit=alarm.storage_unit, severity="warning")
    assert "You confirmed something else" in send(browser, other, form)

    comment(alarm, by="ben", text="A comment changes nothing that is signed.")
    Alarm.objects.filter(pk=alarm.pk).update(severity="warning")

    assert "or the alarm has changed since" in send(browser, alarm, form)
    assert not AlarmSignature.objects.exists()


def test_a_confirmation_is_the_persons_own(browser: Client, alarm: Alarm, passkey: SoftwarePasskey) -> None:
    form = confirmed(passkey, ask(browser, alarm, FORM), FORM)
    colleague = MembershipFactory(customer=alarm.customer, role="operator").user
    SoftwarePasskey(colleague).register()
    browser.force_login(colleague)

    assert "You confirmed something else" in send(browser, alarm, form)
    asked = ask(browser, alarm, FORM)
    assert "The passkey is not one of your account" in send(browser, alarm, confirmed(passkey, asked, FORM))
    assert not AlarmSignature.objects.exists()


def test_a_confirmation_expires(browser: Client, alarm: Alarm, passkey: SoftwarePasskey) -> None:
    form = confirmed(passkey, ask(browser, alarm, FORM), FORM)

    with time_machine.travel(timezone.now() + VALID_FOR + timedelta(seconds=1)):
        assert "The confirmation has expired." in send(browser, alarm, form)


def test_holding_the_key_is_not_enough(browser: Client, alarm: Alarm, passkey: SoftwarePasskey) -> None:
    passkey.verifies = False

    page = send(browser, alarm, confirmed(passkey, ask(browser, alarm, FORM), FORM))

    assert "did not ask for a PIN or a finger" in page
    assert not AlarmSignature.objects.exists()


@pytest.mark.parametrize("credential", ["{", "[]", "{}", '{"id": "AA", "rawId": "AA", "response": {}}', "[" * 5_000])
def test_an_answer_that_is_none_is_refused(
    browser: Client, alarm: Alarm, passkey: SoftwarePasskey, credential: str
) -> None:
    form = confirmed(passkey, ask(browser, alarm, FORM), FORM) | {"acknowledge-credential": credential}

    assert "Signatures</h2>" not in send(browser, alarm, form)
    assert not AlarmSignature.objects.exists()
    damaged = form | {"acknowledge-confirmation": "x", "acknowledge-credential": '{"id": "AA"}'}
    assert "The confirmation is damaged." in send(browser, alarm, damaged)


def test_what_is_missing_is_said_before_the_passkey_is_used(
    browser: Client, alarm: Alarm, passkey: SoftwarePasskey
) -> None:
    assert "This field is required." in ask(browser, alarm, {"acknowledge-meaning": "approved"})["problem"]
    assert ask(browser, alarm, FORM | {"acknowledge-meaning": ""})["problem"] == "Choose what your signature means."
    assert browser.post(reverse("alarm-signing", args=[alarm.public_id, "comment"]), FORM).status_code == 404
