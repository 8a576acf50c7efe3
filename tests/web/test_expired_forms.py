"""Forms that are sent after the session has ended, or with the token of an earlier one."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from alarms.models import Alarm
from customers.models import Customer, Membership
from tests.alarm_factories import AlarmFactory
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def alarm() -> Alarm:
    return AlarmFactory.create()


@pytest.fixture
def member(alarm: Alarm) -> Membership:
    return MembershipFactory.create(customer=Customer.objects.get(), role="manager")


def test_a_form_sent_after_the_session_has_ended_leads_back_to_its_page(
    client: Client, alarm: Alarm, member: Membership
) -> None:
    page = f"http://testserver{reverse('alarm', args=[alarm.public_id])}?tab=1"

    response = client.post(
        reverse("alarm-comment", args=[alarm.public_id]),
        {"text": "The door."},
        headers={"Referer": page},
    )

    address = urlsplit(response["Location"])
    assert address.path == reverse("login")
    assert parse_qs(address.query) == {"next": [page]}
    assert "Nothing was saved: sign in" in client.get(response["Location"]).content.decode()
    assert not alarm.events.filter(text="The door.").exists()


def test_htmx_leaves_the_page_for_signing_in(client: Client, member: Membership) -> None:
    page = f"http://testserver{reverse('settings-tokens', args=[member.customer.public_id])}"

    response = client.post(page, headers={"Referer": page, "HX-Request": "true"})

    assert parse_qs(urlsplit(response["HX-Redirect"]).query) == {"next": [page]}
    assert "Nothing was saved: sign in" in client.get(response["HX-Redirect"]).content.decode()


@pytest.mark.parametrize("referer", ["", "https://example.com/alarms"])
def test_without_a_page_of_ours_signing_in_leads_to_the_forms_own_page_or_the_overview(
    client: Client, alarm: Alarm, member: Membership, referer: str
) -> None:
    settings = reverse("settings")
    to_settings = client.post(settings, headers={"Referer": referer})
    to_comment = client.post(reverse("alarm-comment", args=[alarm.public_id]), headers={"Referer": referer})

    assert parse_qs(urlsplit(to_settings["Location"]).query) == {"next": [settings]}
    assert parse_qs(urlsplit(to_comment["Location"]).query) == {"next": [reverse("overview")]}


def test_a_form_with_the_token_of_an_earlier_session_leads_back_to_its_page(alarm: Alarm, member: Membership) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(member.user)
    page = f"http://testserver{reverse('alarm', args=[alarm.public_id])}"
    comment = reverse("alarm-comment", args=[alarm.public_id])

    response = client.post(comment, {"text": "The door."}, headers={"Referer": f"{page}?a=1&b=2"})
    elsewhere = client.post(comment, headers={"Referer": "https://example.com/"})

    assert response.status_code == elsewhere.status_code == 403
    assert "Nothing was saved." in response.content.decode()
    assert f'<a href="{page}?a=1&amp;b=2">Go back to the form</a>' in response.content.decode()
    assert "example.com" not in elsewhere.content.decode()
    assert f'<a href="{reverse("overview")}">Go to the overview</a>' in elsewhere.content.decode()
    assert not alarm.events.filter(text="The door.").exists()
