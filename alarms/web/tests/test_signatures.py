"""Electronic signatures on acknowledging and closing alarms, on the page and over the API."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alarms.lifecycle.actions import ActionNotAllowed, acknowledge
from alarms.models import Alarm, AlarmSignature
from audit.models import AuditEntry
from core.crypto.merkle import leaf_hash
from customers.access.login_throttle import ATTEMPTS_PER_ACCOUNT
from customers.models import Customer
from tests.alarm_factories import AlarmFactory
from tests.api_clients import client_of
from tests.factories import PASSWORD, MembershipFactory, StorageUnitFactory, UserFactory

pytestmark = pytest.mark.django_db

SIGNED = {"acknowledge-comment": "On my way", "acknowledge-meaning": "responsible", "acknowledge-password": PASSWORD}


@pytest.fixture
def alarm() -> Alarm:
    """Return an open alarm in a facility in India."""
    return AlarmFactory(storage_unit=StorageUnitFactory(facility__time_zone="Asia/Kolkata"))


@pytest.fixture
def person(alarm: Alarm) -> User:
    user = UserFactory(username="anna", first_name="Anna", last_name="Berg")
    return MembershipFactory(customer=alarm.customer, role="operator", user=user).user


@pytest.fixture
def browser(client: Client, person: User) -> Client:
    client.force_login(person)
    return client


def require_signatures(alarm: Alarm) -> None:
    Customer.objects.filter(pk=alarm.customer_id).update(requires_signatures=True)


def post(browser: Client, alarm: Alarm, action: str, data: dict[str, str]) -> str:
    """Post the form of an action; return the page that follows."""
    return browser.post(reverse(f"alarm-{action}", args=[alarm.public_id]), data, follow=True).content.decode()


def test_a_signature_says_who_when_and_what_it_means_and_is_bound_to_the_record(browser: Client, alarm: Alarm) -> None:
    page = post(browser, alarm, "acknowledge", SIGNED)

    signature = AlarmSignature.objects.get()
    assert (signature.signer_name, signature.signer_user_name) == ("Anna Berg", "anna")
    assert (signature.meaning, signature.method, signature.time_zone) == ("responsible", "password", "Asia/Kolkata")
    assert timezone.now() - signature.signed_at < timedelta(minutes=1)
    assert signature.record_sha256 == leaf_hash(signature.record.encode()).hex()
    record = json.loads(signature.record)
    assert record["alarm"]["id"] == str(alarm.public_id)
    assert record["alarm"]["acknowledgement"] == "On my way"
    assert record["meaning"] == "responsible"
    assert record["signer"]["user_name"] == "anna"
    assert "<strong>Responsible</strong> by Anna Berg (anna)" in page
    assert "Asia/Kolkata: acknowledged" in page
    assert signature.record_sha256 in page


def test_signing_is_a_choice_unless_the_customer_requires_it(browser: Client, alarm: Alarm) -> None:
    post(browser, alarm, "acknowledge", {"acknowledge-comment": "On my way"})

    alarm.refresh_from_db()
    assert alarm.state == "acknowledged"
    assert not AlarmSignature.objects.exists()


def test_a_customer_can_require_signatures(browser: Client, alarm: Alarm) -> None:
    require_signatures(alarm)

    page = post(browser, alarm, "acknowledge", {"acknowledge-comment": "On my way"})

    alarm.refresh_from_db()
    assert alarm.state == "open"
    assert "This customer requires signatures on alarms." in page
    post(browser, alarm, "acknowledge", SIGNED)
    alarm.refresh_from_db()
    assert alarm.state == "acknowledged"


def test_no_way_leads_around_a_required_signature(alarm: Alarm) -> None:
    require_signatures(alarm)

    with pytest.raises(ActionNotAllowed, match="requires an electronic signature"):
        acknowledge(alarm, by="anna", comment="On my way")


@pytest.mark.parametrize(
    ("password", "message"), [("wrong", "The password is wrong."), ("", "Enter your password to sign.")]
)
def test_nothing_happens_without_the_right_password(browser: Client, alarm: Alarm, password: str, message: str) -> None:
    page = post(browser, alarm, "acknowledge", SIGNED | {"acknowledge-password": password})

    alarm.refresh_from_db()
    assert alarm.state == "open"
    assert message in page
    assert not AlarmSignature.objects.exists()
    assert PASSWORD not in page


def test_passwords_can_not_be_tried_out(browser: Client, alarm: Alarm) -> None:
    for _ in range(ATTEMPTS_PER_ACCOUNT):
        post(browser, alarm, "acknowledge", SIGNED | {"acknowledge-password": "wrong"})

    assert "Too many attempts." in post(browser, alarm, "acknowledge", SIGNED)
    assert not AlarmSignature.objects.exists()


def test_closing_is_signed_with_cause_and_corrective_action(browser: Client, alarm: Alarm) -> None:
    Alarm.objects.filter(pk=alarm.pk).update(ended_at=timezone.now())
    data = {"close-cause": "Door left open", "close-corrective_action": "Door closer fitted"}

    page = post(browser, alarm, "close", data | {"close-meaning": "approved", "close-password": PASSWORD})

    signature = AlarmSignature.objects.get()
    assert signature.event.kind == "reviewed"
    record = json.loads(signature.record)["alarm"]
    assert (record["cause"], record["corrective_action"]) == ("Door left open", "Door closer fitted")
    assert "<strong>Approved</strong> by Anna Berg (anna)" in page


def test_a_record_that_was_exchanged_is_pointed_out(browser: Client, alarm: Alarm) -> None:
    post(browser, alarm, "acknowledge", SIGNED)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE alarm_signature SET record = replace(record, 'On my way', 'Nothing to do')")

    page = browser.get(reverse("alarm", args=[alarm.public_id])).content.decode()
    assert "The stored record is not the one that was signed." in page


def test_a_signature_is_an_entry_of_the_audit_trail_without_the_password(browser: Client, alarm: Alarm) -> None:
    post(browser, alarm, "acknowledge", SIGNED)

    entry = AuditEntry.objects.get(model="alarms.alarmsignature")
    assert (entry.action, entry.customer_id, entry.actor_name) == ("created", alarm.customer_id, "anna")
    assert entry.after is not None
    assert entry.after["record_sha256"] == AlarmSignature.objects.get().record_sha256
    assert PASSWORD not in json.dumps(entry.after)


def test_the_export_of_the_trail_contains_signatures(browser: Client, alarm: Alarm) -> None:
    post(browser, alarm, "acknowledge", SIGNED)
    signature = AlarmSignature.objects.get()
    browser.force_login(MembershipFactory(customer=alarm.customer, role="manager").user)

    response = browser.get(reverse("trail-csv"))

    assert isinstance(response, StreamingHttpResponse)
    rows = csv.DictReader(io.StringIO(response.getvalue().decode()))
    (exported,) = (json.loads(row["after"]) for row in rows if row["model"] == "alarms.alarmsignature")
    assert (exported["signer_name"], exported["signer_user_name"]) == ("Anna Berg", "anna")
    assert (exported["meaning"], exported["method"]) == ("responsible", "password")
    assert datetime.fromisoformat(exported["signed_at"]) == signature.signed_at
    assert exported["time_zone"] == "Asia/Kolkata"
    assert leaf_hash(exported["record"].encode()).hex() == exported["record_sha256"] == signature.record_sha256


class TestApi:
    URL = "/api/v1/alarms/{}/acknowledge"

    def test_a_person_signs_and_the_signature_is_listed(self, person: User, alarm: Alarm) -> None:
        api = APIClient()
        api.force_login(person)
        body = {"comment": "On my way", "signature": {"meaning": "reviewed", "password": PASSWORD}}

        response = api.post(self.URL.format(alarm.public_id), body, format="json")

        assert response.status_code == 200
        (signature,) = response.json()["signatures"]
        assert (signature["meaning"], signature["signer_name"], signature["event"]) == (
            "reviewed",
            "Anna Berg",
            "acknowledged",
        )
        assert (signature["time_zone"], signature["method"]) == ("Asia/Kolkata", "password")
        assert leaf_hash(signature["record"].encode()).hex() == signature["record_sha256"]

    def test_a_wrong_password_is_refused(self, person: User, alarm: Alarm) -> None:
        api = APIClient()
        api.force_login(person)
        body = {"comment": "On my way", "signature": {"meaning": "reviewed", "password": "wrong"}}

        response = api.post(self.URL.format(alarm.public_id), body, format="json")

        assert response.status_code == 400
        assert "The password is wrong." in json.dumps(response.json())

    def test_a_token_can_not_sign(self, alarm: Alarm) -> None:
        body = {"comment": "On my way", "signature": {"meaning": "reviewed", "password": PASSWORD}}

        response = client_of(alarm.customer).post(self.URL.format(alarm.public_id), body, format="json")

        assert response.status_code == 400
        assert "Only people can sign." in json.dumps(response.json())

    def test_a_token_can_not_act_where_signatures_are_required(self, alarm: Alarm) -> None:
        require_signatures(alarm)

        response = client_of(alarm.customer).post(
            self.URL.format(alarm.public_id), {"comment": "On my way"}, format="json"
        )

        assert response.status_code == 409
        assert "requires an electronic signature" in response.json()["detail"]
