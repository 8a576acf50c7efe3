"""The admin of notifications."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from alarms.models import Channel, Message
from tests.alarm_factories import MessageFactory, RuleFactory, WebhookChannelFactory
from tests.factories import StaffFactory
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def act(client: Client, model: str, action: str, *rows: Message | Channel) -> PageResponse:
    url = reverse(f"admin:alarms_{model}_changelist")
    return client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


@pytest.mark.parametrize("model", ["channel", "rule", "message", "drill"])
def test_every_list_is_rendered(staff: Client, model: str) -> None:
    message = MessageFactory(channel=WebhookChannelFactory())
    RuleFactory(customer=message.channel.customer, channels=[message.channel])
    assert staff.get(reverse(f"admin:alarms_{model}_changelist")).status_code == 200


def test_channels_and_messages_show_no_secret(staff: Client) -> None:
    message = MessageFactory(channel=WebhookChannelFactory())
    for name, row in [("channel", message.channel), ("message", message)]:
        page = staff.get(reverse(f"admin:alarms_{name}_change", args=[row.pk])).content.decode()
        assert message.channel.secret.reveal() not in page


def test_dead_messages_are_sent_again(staff: Client) -> None:
    dead, sent = MessageFactory(state="dead"), MessageFactory()
    response = act(staff, "message", "send_again", dead, sent)
    assert "Messages queued again: 1." in response.content.decode()
    assert set(Message.objects.values_list("state", flat=True)) == {"waiting"}


def test_channels_are_tested_disabled_and_enabled(staff: Client) -> None:
    channel = WebhookChannelFactory()
    act(staff, "channel", "send_test", channel)
    assert Message.objects.get().reason == "test"
    act(staff, "channel", "disable", channel)
    channel.refresh_from_db()
    assert not channel.is_enabled
    act(staff, "channel", "enable", channel)
    channel.refresh_from_db()
    assert channel.is_enabled
