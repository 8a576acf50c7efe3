"""Excess messages become a digest, and repeated alarms of a flapping unit are counted in one message."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from alarms.lifecycle.transitions import end
from alarms.models import Alarm, Message
from alarms.notifications.outbox import claim_due
from alarms.notifications.reminders import create_due_messages
from alarms.notifications.tests.delivery import deliver_due
from alarms.notifications.throttling import MINUTE, DueMessage, excess_ids, next_digest_at
from tests.alarm_factories import ChannelFactory, MessageFactory, RuleFactory, WebhookChannelFactory, open_alarm
from tests.factories import SensorFactory, StorageUnitFactory
from tests.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
Reason, State = Message.Reason, Message.State

rows = st.lists(
    st.builds(
        DueMessage,
        st.integers(1, 10_000),
        st.booleans(),
        st.integers(0, 100).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    ),
    unique_by=lambda row: row.message_id,
    max_size=40,
)


@given(rows, st.integers(1, 20), st.integers(0, 30))
def test_no_more_messages_are_sent_than_the_limit_allows(waiting: list[DueMessage], limit: int, sent: int) -> None:
    excess = excess_ids(waiting, limit, sent)
    assert len(waiting) - len(excess) == min(len(waiting), max(0, limit - sent))
    assert len(set(excess)) == len(excess)


@given(rows, st.integers(1, 20), st.integers(0, 30))
def test_critical_messages_come_first(waiting: list[DueMessage], limit: int, sent: int) -> None:
    excess = set(excess_ids(waiting, limit, sent))
    if any(row.is_critical for row in waiting if row.message_id in excess):
        assert all(row.is_critical for row in waiting if row.message_id not in excess)


@given(st.none() | st.integers(-1_000, 1_000))
def test_digests_are_a_minute_apart(seconds: int | None) -> None:
    last = None if seconds is None else NOW + timedelta(seconds=seconds)
    due_at = next_digest_at(NOW, last)
    assert due_at >= NOW
    assert last is None or due_at - last >= MINUTE
    assert due_at == NOW or (last is not None and due_at == last + MINUTE)


def test_many_alarms_become_a_few_messages_and_one_digest(receive: Callable[..., WebhookReceiver]) -> None:
    receiver = receive()
    channel = WebhookChannelFactory(address=receiver.url, messages_a_minute=3)
    RuleFactory(customer=channel.customer, channels=[channel])
    unit = StorageUnitFactory(facility__customer=channel.customer)
    alarms = [open_alarm(storage_unit=StorageUnitFactory(facility=unit.facility)) for _ in range(20)]

    deliver_due()
    deliver_due()

    assert [delivery.document["type"] for delivery in receiver.deliveries] == ["alarm.opened"] * 3 + ["alarm.digest"]
    digest = Message.objects.get(reason=Reason.DIGEST)
    assert digest.subject == "17 messages about 17 alarms, 17 critical"
    assert digest.folded.filter(state=State.GROUPED).count() == 17
    listed = receiver.deliveries[-1].document["data"]["messages"]
    notified = {document["data"]["alarm"]["id"] for document in listed}
    notified |= {delivery.document["data"]["alarm"]["id"] for delivery in receiver.deliveries[:3]}
    assert notified == {str(alarm.public_id) for alarm in alarms}


def test_messages_within_the_minute_wait_in_the_next_digest() -> None:
    channel = ChannelFactory(messages_a_minute=1)
    now = timezone.now()
    MessageFactory.create_batch(3, channel=channel, next_attempt_at=now)
    first = claim_due(now)
    MessageFactory.create_batch(2, channel=channel, next_attempt_at=now)
    assert claim_due(now + timedelta(seconds=5)) == []
    MessageFactory(channel=channel, next_attempt_at=now)
    assert claim_due(now + timedelta(seconds=10)) == []
    waiting = Message.objects.get(reason=Reason.DIGEST, claim_id=None)
    assert len(first) == 2
    assert (waiting.folded.count(), waiting.next_attempt_at) == (3, now + MINUTE)
    assert len([claim for claim in claim_due(now + MINUTE) if claim.row_id == waiting.pk]) == 1


def test_after_a_quiet_minute_messages_are_sent_individually_again() -> None:
    channel = ChannelFactory(messages_a_minute=2)
    now = timezone.now()
    MessageFactory.create_batch(2, channel=channel, next_attempt_at=now)
    assert len(claim_due(now)) == 2
    Message.objects.update(state=State.SENT, sent_at=now, claim_id=None, lease_until=None)
    MessageFactory(channel=channel, next_attempt_at=now + 2 * MINUTE)
    assert len(claim_due(now + 2 * MINUTE)) == 1
    assert not Message.objects.filter(reason=Reason.DIGEST).exists()


def test_a_digest_of_one_message_has_its_subject() -> None:
    channel = ChannelFactory(messages_a_minute=1)
    first, second = MessageFactory.create_batch(2, channel=channel)
    claim_due()
    assert Message.objects.get(reason=Reason.DIGEST).subject == second.subject != first.subject


def test_channels_are_throttled_independently() -> None:
    limited, calm = ChannelFactory(messages_a_minute=1), ChannelFactory(messages_a_minute=5)
    MessageFactory.create_batch(4, channel=limited)
    MessageFactory.create_batch(4, channel=calm)
    claim_due()
    assert Message.objects.filter(channel=calm, state=State.GROUPED).count() == 0
    assert Message.objects.filter(channel=limited, state=State.GROUPED).count() == 3


def test_a_test_is_never_held_back() -> None:
    channel = ChannelFactory(messages_a_minute=1)
    MessageFactory.create_batch(3, channel=channel)
    test = MessageFactory(channel=channel, reason=Reason.TEST)
    assert test.pk in {claim.row_id for claim in claim_due()}


class Flapping:
    """A unit whose alarms go to a channel with a flap window of 30 minutes."""

    def __init__(self) -> None:
        self.unit = StorageUnitFactory()
        customer = self.unit.facility.customer
        self.channel = ChannelFactory(customer=customer, flap_minutes=30)
        RuleFactory(customer=customer, channels=[self.channel])

    def alarms(self, **fields: Any) -> Alarm:
        return open_alarm(**({"storage_unit": self.unit} | fields))

    def ends(self, alarm: Alarm) -> None:
        end(alarm, timezone.now(), timezone.now())


@pytest.fixture
def flapping() -> Flapping:
    return Flapping()


def test_a_flapping_unit_notifies_at_once_and_then_with_its_count(flapping: Flapping) -> None:
    for _ in range(4):
        flapping.ends(flapping.alarms())
    notified, counted = Message.objects.exclude(state=State.GROUPED).exclude(reason=Reason.CLOSED).order_by("pk")
    assert (notified.reason, counted.reason) == (Reason.OPENED, Reason.FLAPPING)
    assert "repeated 4 times" in counted.subject
    assert counted.data["data"]["count"] == 4
    assert counted.folded.count() == 3
    assert counted.next_attempt_at == notified.created_at + timedelta(minutes=30)
    assert Message.objects.filter(reason=Reason.CLOSED).count() == 1


def test_ticks_do_not_count_again(flapping: Flapping) -> None:
    flapping.ends(flapping.alarms())
    flapping.alarms()
    for _ in range(3):
        assert create_due_messages(timezone.now()) == 0
    assert Message.objects.get(reason=Reason.FLAPPING).sequence == 2


def test_other_kinds_and_units_are_not_grouped(flapping: Flapping) -> None:
    flapping.alarms()
    flapping.alarms(kind="budget")
    flapping.alarms(storage_unit=StorageUnitFactory(facility=flapping.unit.facility))
    assert not Message.objects.filter(state=State.GROUPED).exists()


def test_faults_of_different_sensors_are_not_grouped(flapping: Flapping) -> None:
    for code in ("door", "ceiling"):
        flapping.alarms(kind="sensor_fault", sensor=SensorFactory(storage_unit=flapping.unit, sensor_code=code))
    assert not Message.objects.filter(state=State.GROUPED).exists()


def test_a_count_says_that_the_last_alarm_has_ended(flapping: Flapping) -> None:
    for _ in range(2):
        flapping.ends(flapping.alarms())
    counted = Message.objects.get(reason=Reason.FLAPPING)
    assert "Ended: " in counted.body
    assert counted.data["data"]["count"] == 2
    assert counted.data["data"]["alarm"]["state"] == Alarm.State.CLOSED
    assert not Message.objects.filter(reason=Reason.CLOSED, alarm=counted.alarm).exists()


def test_who_received_a_count_is_notified_of_the_end_of_its_alarm(flapping: Flapping) -> None:
    flapping.ends(flapping.alarms())
    alarm = flapping.alarms()
    Message.objects.filter(reason=Reason.FLAPPING).update(state=State.SENT, sent_at=timezone.now(), attempt_count=1)
    flapping.ends(alarm)
    assert Message.objects.get(reason=Reason.CLOSED, alarm=alarm).channel == flapping.channel


def test_after_the_window_the_unit_notifies_again(flapping: Flapping) -> None:
    flapping.ends(flapping.alarms())
    Message.objects.update(
        created_at=timezone.now() - timedelta(minutes=31), tried_since=timezone.now() - timedelta(minutes=31)
    )
    flapping.alarms()
    assert Message.objects.filter(reason=Reason.OPENED).exclude(state=State.GROUPED).count() == 2


def test_higher_severities_are_never_held_back(flapping: Flapping) -> None:
    flapping.ends(flapping.alarms(severity="warning"))
    flapping.alarms(severity="critical")
    assert not Message.objects.filter(state=State.GROUPED).exists()


def test_a_sent_count_starts_the_next_window(flapping: Flapping) -> None:
    for _ in range(2):
        flapping.ends(flapping.alarms())
    counted = Message.objects.get(reason=Reason.FLAPPING)
    Message.objects.filter(pk=counted.pk).update(state=State.SENT, sent_at=timezone.now())
    flapping.alarms()
    again = Message.objects.filter(reason=Reason.FLAPPING).latest("pk")
    assert again.next_attempt_at == counted.tried_since + timedelta(minutes=30)


def test_drills_are_never_grouped(flapping: Flapping) -> None:
    flapping.unit.is_synthetic = True
    flapping.unit.save()
    for _ in range(2):
        flapping.ends(flapping.alarms())
    assert not Message.objects.filter(state=State.GROUPED).exists()
