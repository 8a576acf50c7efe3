"""Webhooks as a receiver gets them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from alarms.models import Attempt, Message
from alarms.notifications.channels.webhook import new_secret, settings_error, signing_key
from alarms.notifications.tests.delivery import deliver_due
from tests.alarm_factories import MessageFactory, RuleFactory, WebhookChannelFactory, open_alarm
from tests.webhook_receiver import Answer, Delivery, WebhookReceiver

pytestmark = pytest.mark.django_db


def waiting_for(receiver: WebhookReceiver, **channel: object) -> Message:
    return MessageFactory(channel=WebhookChannelFactory(address=receiver.url, **channel))


def test_an_alarm_arrives_as_a_signed_document(receive: Callable[..., WebhookReceiver]) -> None:
    receiver = receive()
    channel = WebhookChannelFactory(address=receiver.url)
    RuleFactory(customer=channel.customer, channels=[channel])
    alarm = open_alarm(storage_unit__facility__customer=channel.customer)

    (attempt,) = deliver_due()

    (delivery,) = receiver.deliveries
    message = Message.objects.get()
    assert delivery.id == str(message.public_id)
    assert delivery.is_signed_with(channel.secret.reveal())
    assert delivery.headers["content-type"] == "application/json"
    assert delivery.document["type"] == "alarm.opened"
    assert delivery.document["data"]["alarm"]["id"] == str(alarm.public_id)
    assert alarm.storage_unit is not None
    assert delivery.document["data"]["alarm"]["unit"]["id"] == str(alarm.storage_unit.public_id)
    assert abs(int(delivery.headers["webhook-timestamp"]) - timezone.now().timestamp()) < 30
    assert (attempt.outcome, attempt.status_code) == (Attempt.Outcome.DELIVERED, 204)
    assert message.state == Message.State.SENT


def test_a_repeat_has_the_same_id_and_the_same_body(receive: Callable[..., WebhookReceiver]) -> None:
    receiver = receive(lambda _: Answer(status=500))
    message = waiting_for(receiver)
    deliver_due()
    deliver_due(timezone.now() + timedelta(minutes=1))
    first, second = receiver.deliveries
    assert first.id == second.id == str(message.public_id)
    assert first.body == second.body


def test_both_secrets_are_valid_during_rotation(receive: Callable[..., WebhookReceiver]) -> None:
    receiver, old, new = receive(), new_secret(), new_secret()
    waiting_for(receiver, secret=new, previous_secret=old, previous_secret_until=timezone.now() + timedelta(hours=1))
    deliver_due()
    assert receiver.deliveries[0].is_signed_with(old)
    assert receiver.deliveries[0].is_signed_with(new)


def test_only_the_new_secret_is_valid_after_rotation(receive: Callable[..., WebhookReceiver]) -> None:
    receiver, old, new = receive(), new_secret(), new_secret()
    waiting_for(receiver, secret=new, previous_secret=old, previous_secret_until=timezone.now())
    deliver_due()
    assert not receiver.deliveries[0].is_signed_with(old)
    assert receiver.deliveries[0].is_signed_with(new)


def test_a_redirect_is_not_followed(receive: Callable[..., WebhookReceiver]) -> None:
    elsewhere = receive()
    receiver = receive(lambda _: Answer(status=307, headers={"Location": elsewhere.url}))
    waiting_for(receiver)
    (attempt,) = deliver_due()
    assert (attempt.outcome, attempt.status_code) == (Attempt.Outcome.FAILED, 307)
    assert elsewhere.deliveries == []


def test_a_private_address_is_not_connected_to_unless_it_is_allowed(
    receive: Callable[..., WebhookReceiver], settings: Settings
) -> None:
    receiver = receive()
    settings.NOTIFICATION_ALLOWED_NETWORKS = []
    waiting_for(receiver)
    (attempt,) = deliver_due()
    assert attempt.answer == "127.0.0.1 has no public address."
    assert receiver.deliveries == []


def test_the_resolved_address_is_checked(
    receive: Callable[..., WebhookReceiver], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = receive()
    settings.NOTIFICATION_ALLOWED_NETWORKS = []
    loopback = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [loopback])
    MessageFactory(channel=WebhookChannelFactory(address="http://innocent.example.com/"))
    (attempt,) = deliver_due()
    assert attempt.answer == "innocent.example.com has no public address."
    assert receiver.deliveries == []


def test_a_stored_answer_is_short_and_without_secrets(receive: Callable[..., WebhookReceiver]) -> None:
    def echo(delivery: Delivery) -> Answer:
        return Answer(status=400, body=b"token=open-sesame \x1b[31m" + b"x" * 10_000)

    channel = WebhookChannelFactory(address=f"{receive(echo).url}?token=open-sesame")
    MessageFactory(channel=channel)
    (attempt,) = deliver_due()
    assert attempt.answer.startswith("*** [31mxxx")
    assert len(attempt.answer) == 500
    channel.refresh_from_db()
    assert "sesame" not in channel.last_error


def test_an_unreadable_secret_is_a_failure_with_instructions(
    receive: Callable[..., WebhookReceiver], settings: Settings
) -> None:
    settings.SOURCE_CREDENTIALS_KEYS = ["a lost key"]
    waiting_for(receive())
    settings.SOURCE_CREDENTIALS_KEYS = ["another key"]
    (attempt,) = deliver_due()
    assert attempt.outcome == Attempt.Outcome.FAILED
    assert "SOURCE_CREDENTIALS_KEYS" in attempt.answer


GOOD_SECRET = "whsec_" + "A" * 44


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("ftp://example.com/", GOOD_SECRET),
        ("https://user:password@example.com/", GOOD_SECRET),
        ("example.com", GOOD_SECRET),
        ("https://example.com/", ""),
        ("https://example.com/", "whsec_"),
        ("https://example.com/", "whsec_AAAA"),
        ("https://example.com/", "whsec_" + "ä" * 32),
        ("https://example.com/", GOOD_SECRET.removeprefix("whsec_")),
    ],
    ids=["scheme", "user", "no scheme", "no secret", "no bytes", "few bytes", "no base64", "no prefix"],
)
def test_invalid_settings_are_rejected(address: str, secret: str) -> None:
    assert settings_error(address, secret).endswith(".")


def test_a_new_secret_is_valid() -> None:
    assert len(signing_key(new_secret())) == 32
    assert settings_error("https://example.com/hook?x=1", new_secret()) == ""
