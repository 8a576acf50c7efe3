"""Messages are claimed by one worker at a time and sent at least once; failures back off, and end after three days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from kombu.exceptions import OperationalError
from pytest_django import Settings

from alarms import tasks
from alarms.models import Attempt, Message
from alarms.models.channels import GONE_REASON
from alarms.notifications.deliver import deliver
from alarms.notifications.outbox import (
    GIVE_UP_AFTER,
    claim_due,
    give_up,
    message_leases,
    message_of,
    next_attempt,
    send_again,
)
from alarms.notifications.tests.delivery import deliver_due
from core.leases import WORKING_LEASE, Claim, ClaimLost
from tests.alarm_factories import ChannelFactory, MessageFactory, WebhookChannelFactory
from tests.webhook_receiver import Answer, Delivery, WebhookReceiver

pytestmark = pytest.mark.django_db
State = Message.State


def refuse(_: Delivery) -> Answer:
    return Answer(status=503, body=b"later")


def waiting_for(receiver: WebhookReceiver, **fields: object) -> Message:
    return MessageFactory(channel=WebhookChannelFactory(address=receiver.url), **fields)


def after_lease(settings: Settings) -> datetime:
    return timezone.now() + timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS + 1)


def test_a_due_message_is_claimed_once() -> None:
    message = MessageFactory()
    (claim,) = claim_due()
    assert claim.row_id == message.pk
    assert claim_due() == []


def test_the_lease_of_a_dead_worker_expires(settings: Settings) -> None:
    MessageFactory()
    (old,) = claim_due()
    (new,) = claim_due(after_lease(settings))
    assert new.claim_id != old.claim_id
    late: list[Callable[[], object]] = [message_leases.work(old).__enter__, message_leases.hold(old).__enter__]
    for lost in late:
        with pytest.raises(ClaimLost):
            lost()
    with message_leases.hold(new) as message:
        assert message.pk == new.row_id


def test_an_expired_claim_is_not_sent(receive: Callable[..., WebhookReceiver], settings: Settings) -> None:
    receiver = receive()
    waiting_for(receiver)
    (claim,) = claim_due(timezone.now() - timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS + 1)) or claim_due(
        timezone.now()
    )
    Message.objects.update(lease_until=timezone.now())
    with pytest.raises(ClaimLost):
        deliver(claim)
    assert receiver.deliveries == []


def test_a_message_that_is_being_delivered_has_a_short_lease() -> None:
    MessageFactory()
    (claim,) = claim_due()
    Message.objects.update(lease_until=timezone.now() + timedelta(seconds=1))
    with message_leases.work(claim):
        pass
    lease_until = Message.objects.get().lease_until
    assert lease_until is not None
    left = lease_until - timezone.now()
    assert WORKING_LEASE - timedelta(seconds=5) < left <= WORKING_LEASE


def test_a_lost_claim_stores_nothing(receive: Callable[..., WebhookReceiver], settings: Settings) -> None:
    def lose_claim(_: None) -> Answer:
        Message.objects.update(claim_id=None)
        return Answer()

    message = waiting_for(receive())
    (claim,) = claim_due()
    with pytest.MonkeyPatch.context() as patch:
        original = message_of

        def begin_and_lose(claim: Claim) -> Message:
            begun = original(claim)
            lose_claim(None)
            return begun

        patch.setattr("alarms.notifications.deliver.message_of", begin_and_lose)
        with pytest.raises(ClaimLost):
            deliver(claim)
    message.refresh_from_db()
    assert message.state == State.WAITING
    assert not message.attempts.exists()


@pytest.mark.parametrize(
    "quiet",
    [
        {"next_attempt_at": timezone.now() + timedelta(hours=1)},
        {"channel__is_enabled": False},
        {"channel__customer__is_active": False},
        {"state": State.DEAD},
        {"state": State.GROUPED},
        {"state": State.SENT, "sent_at": timezone.now()},
    ],
    ids=["not due", "channel disabled", "customer inactive", "dead", "grouped", "sent"],
)
def test_messages_that_are_not_due_are_not_claimed(quiet: dict[str, object]) -> None:
    MessageFactory(**quiet)
    assert claim_due() == []


def test_the_longest_overdue_come_first_and_the_rest_at_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alarms.notifications.outbox.CLAIMS_PER_TICK", 2)
    now = timezone.now()
    messages = [MessageFactory(next_attempt_at=now - timedelta(minutes=minutes)) for minutes in (1, 3, 2)]
    assert {claim.row_id for claim in claim_due()} == {messages[1].pk, messages[2].pk}
    assert [claim.row_id for claim in claim_due()] == [messages[0].pk]


@pytest.fixture
def sent_tasks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the ids of the messages for which a task is sent."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.send_message, "apply_async", lambda arguments, **_: sent.append(arguments[0]))
    return sent


@pytest.mark.parametrize("state", [{"failures_in_a_row": 1}, {"last_duration_seconds": 3.0}])
def test_few_messages_of_failing_and_slow_channels_are_sent_at_once(
    state: dict[str, float], sent_tasks: list[int], settings: Settings
) -> None:
    settings.NOTIFICATION_SLOW_AT_ONCE = 2
    slow = [MessageFactory(channel=ChannelFactory(**state)) for _ in range(3)]
    quick = MessageFactory.create_batch(3)
    tasks.send_due_messages()
    tasks.send_due_messages()
    assert set(sent_tasks) == {message.pk for message in [*slow[:2], *quick]}


def test_the_next_message_of_a_slow_channel_follows_at_once(
    receive: Callable[..., WebhookReceiver], sent_tasks: list[int], settings: Settings
) -> None:
    settings.NOTIFICATION_SLOW_AT_ONCE = 1
    channel = WebhookChannelFactory(address=receive(refuse).url, failures_in_a_row=1)
    first, second = (MessageFactory(channel=channel) for _ in range(2))
    (claim,) = claim_due()
    assert claim.row_id == first.pk

    tasks.send_message(claim.row_id, str(claim.claim_id))

    assert sent_tasks == [second.pk]


def test_slow_messages_that_no_worker_received_are_claimed_again(settings: Settings) -> None:
    settings.NOTIFICATION_SLOW_AT_ONCE = 1
    MessageFactory.create_batch(2, channel=ChannelFactory(failures_in_a_row=1))
    (lost,) = claim_due()
    assert claim_due() == []
    (again,) = claim_due(after_lease(settings))
    assert again.claim_id != lost.claim_id


def test_messages_whose_task_cannot_be_sent_are_due_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broker_is_down(*_: object, **__: object) -> None:
        raise OperationalError("The broker is down.")

    monkeypatch.setattr(tasks.send_message, "apply_async", broker_is_down)
    MessageFactory.create_batch(2)
    with pytest.raises(OperationalError):
        tasks.send_due_messages()
    assert len(claim_due()) == 2


def test_a_lost_claim_does_not_fail_the_task() -> None:
    MessageFactory()
    (claim,) = claim_due()
    tasks.send_message(claim.row_id, "00000000-0000-0000-0000-000000000000")
    assert not Attempt.objects.exists()


def test_a_failure_is_stored_and_retried_later(receive: Callable[..., WebhookReceiver]) -> None:
    message = waiting_for(receive(refuse))
    before = timezone.now()
    (attempt,) = deliver_due()
    message.refresh_from_db()
    assert (attempt.outcome, attempt.status_code, attempt.answer) == ("failed", 503, "later")
    assert (message.state, message.attempt_count, message.claim_id, message.lease_until) == (
        State.WAITING,
        1,
        None,
        None,
    )
    assert timedelta(seconds=11) < message.next_attempt_at - before < timedelta(seconds=20)
    message.channel.refresh_from_db()
    assert (message.channel.failures_in_a_row, message.channel.last_error) == (1, "later")


def test_retry_after_is_honoured(receive: Callable[..., WebhookReceiver]) -> None:
    message = waiting_for(receive(lambda _: Answer(status=429, headers={"Retry-After": "900"})))
    before = timezone.now()
    deliver_due()
    message.refresh_from_db()
    assert message.next_attempt_at - before >= timedelta(seconds=900)


def test_after_three_days_a_message_is_dead_and_can_be_sent_again_manually(
    receive: Callable[..., WebhookReceiver],
) -> None:
    answers = [Answer(status=503)]
    receiver = receive(lambda _: answers[-1])
    message = waiting_for(receiver, tried_since=timezone.now() - GIVE_UP_AFTER)
    deliver_due()
    message.refresh_from_db()
    assert message.state == State.DEAD
    assert deliver_due() == []

    answers.append(Answer())
    assert send_again(Message.objects.all()) == 1
    deliver_due()

    message.refresh_from_db()
    assert message.state == State.SENT
    assert receiver.counts == {str(message.public_id): 2}


def test_only_dead_messages_are_sent_again(receive: Callable[..., WebhookReceiver]) -> None:
    receiver = receive()
    waiting_for(receiver)
    deliver_due()
    assert send_again(Message.objects.all()) == 0
    assert deliver_due() == []


def test_a_gone_channel_is_disabled_with_its_reason_and_its_messages_wait(
    receive: Callable[..., WebhookReceiver],
) -> None:
    message = waiting_for(receive(lambda _: Answer(status=410)))
    (attempt,) = deliver_due()
    message.refresh_from_db()
    channel = message.channel
    channel.refresh_from_db()
    assert attempt.outcome == Attempt.Outcome.GONE
    assert (channel.is_enabled, channel.disabled_reason) == (False, GONE_REASON)
    assert message.state == State.WAITING
    assert claim_due(timezone.now() + timedelta(hours=2)) == []


@pytest.mark.parametrize("waits_for", ["channel__is_enabled", "channel__customer__is_active"])
def test_messages_of_disabled_channels_and_inactive_customers_are_given_up_after_three_days(waits_for: str) -> None:
    old = MessageFactory(**{waits_for: False}, tried_since=timezone.now() - GIVE_UP_AFTER)
    MessageFactory(**{waits_for: False})
    MessageFactory(tried_since=timezone.now() - GIVE_UP_AFTER)
    assert give_up(timezone.now()) == 1
    assert list(Message.objects.filter(state=State.DEAD)) == [old]


def test_a_recovered_channel_gets_waiting_messages_at_once(receive: Callable[..., WebhookReceiver]) -> None:
    answers = [Answer(status=503)]
    receiver = receive(lambda _: answers[-1])
    channel = WebhookChannelFactory(address=receiver.url)
    _, second = MessageFactory.create_batch(2, channel=channel)
    deliver_due()
    Message.objects.filter(pk=second.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    answers.append(Answer())
    deliver_due(timezone.now() + timedelta(minutes=1))
    deliver_due()
    assert {message.state for message in Message.objects.all()} == {State.SENT}
    channel.refresh_from_db()
    assert (channel.failures_in_a_row, channel.last_error) == (0, "")


def test_a_programming_error_is_stored_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    message = MessageFactory()
    (claim,) = claim_due()

    def fail(*_: object) -> None:
        raise KeyError("a programming error")

    monkeypatch.setattr("alarms.notifications.channels.email.send", fail)
    with pytest.raises(KeyError):
        deliver(claim)
    message.refresh_from_db()
    assert message.attempts.get().answer == "Internal error (KeyError)."
    assert message.state == State.WAITING


@given(st.integers(0, 1_000_000))
def test_attempts_go_on_for_three_days_and_then_end(seed: int) -> None:
    random, start, attempts = Random(seed), timezone.now(), 0
    due_at: datetime | None = start
    while due_at is not None:
        attempts, last = attempts + 1, due_at
        due_at = next_attempt(attempts, due_at, start, random=random)
    assert start + GIVE_UP_AFTER - timedelta(hours=1.25) <= last <= start + GIVE_UP_AFTER
    assert 65 <= attempts <= 100
