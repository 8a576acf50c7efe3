"""The operator learns that messages of a kind reach nobody, but not of one customer's wrong address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alarms.models import Attempt, Channel, Message
from alarms.notifications.undelivered import WaitingMessages, delivery_problem, waiting_messages
from tests.alarm_factories import ChannelFactory, MessageFactory, WebhookChannelFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)
REFUSED_ADDRESS = 550


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def failed(channel: Channel, minutes: float, status_code: int | None = REFUSED_ADDRESS) -> Message:
    """Return a message of this channel that has been failing for some minutes."""
    message = MessageFactory.create(channel=channel, tried_since=minutes_ago(minutes), attempt_count=1)
    message.attempts.create(at=NOW, duration_seconds=1.0, outcome=Attempt.Outcome.FAILED, status_code=status_code)
    return message


def test_messages_to_several_customers_that_all_fail_are_a_problem() -> None:
    failed(WebhookChannelFactory.create(), 6, None)
    failed(WebhookChannelFactory.create(), 3, None)
    assert delivery_problem(NOW) == (
        "Webhook: nothing delivered since 2026-11-28 13:54 UTC, 2 messages of 2 channels failed"
    )


def test_a_failure_of_a_few_minutes_is_not_a_problem_yet() -> None:
    for _ in range(2):
        failed(WebhookChannelFactory.create(), 4.9)
    assert delivery_problem(NOW) == ""


@pytest.mark.parametrize("factory", [ChannelFactory, WebhookChannelFactory])
def test_wrong_addresses_of_one_customer_are_not_a_problem(factory: type[ChannelFactory]) -> None:
    first = factory.create()
    failed(first, 60)
    failed(factory.create(customer=first.customer), 60)
    assert delivery_problem(NOW) == ""


@pytest.mark.parametrize("status_code", [None, 421, 535], ids=["no answer", "not available", "not signed in"])
def test_a_mail_server_that_serves_nobody_is_a_problem_with_the_first_message(status_code: int | None) -> None:
    failed(ChannelFactory.create(), 6, status_code)
    assert delivery_problem(NOW).startswith("E-mail: nothing delivered since 2026-11-28 13:54 UTC, 1 message of 1 ")


def test_one_webhook_that_does_not_answer_is_its_customers_problem() -> None:
    failed(WebhookChannelFactory.create(), 60, None)
    assert delivery_problem(NOW) == ""


def test_channels_that_failed_before_the_newest_delivery_have_causes_of_their_own() -> None:
    for _ in range(2):
        failed(ChannelFactory.create(), 60)
    assert delivery_problem(NOW) != ""

    works = ChannelFactory.create(last_success_at=minutes_ago(30))
    assert delivery_problem(NOW) == ""

    failed(works, 20)
    assert delivery_problem(NOW) == ""

    failed(ChannelFactory.create(), 10)
    assert delivery_problem(NOW).startswith("E-mail: nothing delivered since 2026-11-28 13:40 UTC, 2 messages of 2 ")


def test_a_mail_server_that_fails_again_soon_is_a_problem_again() -> None:
    failed(ChannelFactory.create(), 60, None)
    ChannelFactory.create(last_success_at=minutes_ago(20))
    assert delivery_problem(NOW).startswith("E-mail: nothing delivered since 2026-11-28 13:40 UTC, 1 message of 1 ")


def test_deliveries_of_another_kind_do_not_count() -> None:
    WebhookChannelFactory.create(last_success_at=NOW)
    failed(ChannelFactory.create(), 6, None)
    assert delivery_problem(NOW) != ""


@pytest.mark.parametrize("state", [{"is_enabled": False}, {"customer__is_active": False}], ids=["disabled", "inactive"])
def test_messages_that_are_not_sent_now_do_not_count(state: dict[str, object]) -> None:
    failed(ChannelFactory.create(**state), 60, None)
    assert delivery_problem(NOW) == ""
    assert waiting_messages()["email"] == WaitingMessages(0, 0)


def test_waiting_and_failing_messages_are_counted_by_kind() -> None:
    MessageFactory.create()
    failed(ChannelFactory.create(), 1)
    MessageFactory.create(state=Message.State.SENT, sent_at=NOW)
    assert waiting_messages() == {
        "email": WaitingMessages(2, 1),
        "webhook": WaitingMessages(0, 0),
        "apprise": WaitingMessages(0, 0),
    }
