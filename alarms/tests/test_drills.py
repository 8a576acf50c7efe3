"""Drills trigger a test alarm on a virtual unit and time its notifications."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from alarms import drills
from alarms.lifecycle.transitions import close_cleared
from alarms.models import Alarm, Channel, Drill, Message
from alarms.notifications.tests.delivery import deliver_due
from core.scope import Scope
from customers.models import Customer
from readings.models import Reading
from readings.units.unit_refs import visible_unit_refs
from readings.web.facilities import list_facilities
from readings.web.overview import overview
from tests.alarm_factories import RuleFactory, WebhookChannelFactory
from tests.factories import CustomerFactory, FacilityFactory
from tests.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


def channel_at(receiver: WebhookReceiver, customer: Customer, **fields: object) -> Channel:
    channel = WebhookChannelFactory(customer=customer, address=receiver.url, **fields)
    RuleFactory(customer=customer, channels=[channel])
    return channel


def test_a_drill_sends_notifications_and_measures_their_time(
    receive: Callable[..., WebhookReceiver], customer: Customer
) -> None:
    receiver = receive()
    channel = channel_at(receiver, customer)
    drill = drills.start(customer, by="anna")
    assert drills.finish_drills(timezone.now()) == 0
    deliver_due()
    assert drills.finish_drills(timezone.now()) == 1

    (result,) = drills.results(drill)
    assert (result.channel, result.reason, result.state) == (channel.name, "opened", "sent")
    assert result.seconds is not None
    assert 0 < result.seconds < 60
    (delivery,) = receiver.deliveries
    assert delivery.document["data"]["is_drill"] is True
    message = Message.objects.get(reason="opened")
    assert message.subject.startswith("DRILL: Critical: temperature, Alarm drill")
    assert "This is a drill. No goods are affected." in message.body
    assert drill.alarm is not None
    assert drill.alarm.storage_unit is not None
    assert drill.alarm.storage_unit.is_synthetic
    close_cleared()
    drill.alarm.refresh_from_db()
    assert drill.alarm.state == Alarm.State.CLOSED


def test_a_drill_uses_every_rule_regardless_of_its_filters(
    customer: Customer, receive: Callable[..., WebhookReceiver]
) -> None:
    receiver = receive()
    channel = WebhookChannelFactory(customer=customer, address=receiver.url)
    RuleFactory(
        customer=customer,
        channels=[channel],
        kinds=["no_data"],
        severities=["warning"],
        facilities=[FacilityFactory(customer=customer)],
    )
    drills.start(customer, by="anna")
    assert Message.objects.get().channel == channel


def test_only_one_drill_per_customer_runs_at_a_time(customer: Customer) -> None:
    drills.start(customer, by="anna")
    with pytest.raises(drills.DrillInProgress, match="already running"):
        drills.start(customer, by="bert")
    drills.start(CustomerFactory(), by="bert")
    assert Drill.objects.filter(customer=customer).count() == 1
    assert Reading.objects.filter(storage_unit__facility__customer=customer).count() == 1


def test_a_drill_ends_after_five_minutes_in_any_case(
    customer: Customer, receive: Callable[..., WebhookReceiver]
) -> None:
    channel_at(receive(), customer)
    drill = drills.start(customer, by="anna")
    assert drills.finish_drills(drill.started_at + timedelta(minutes=4)) == 0
    assert drills.finish_drills(drill.started_at + timedelta(minutes=5)) == 1
    (result,) = drills.results(drill)
    assert (result.state, result.seconds) == ("waiting", None)


def test_a_drill_without_messages_ends_early(customer: Customer) -> None:
    drill = drills.start(customer, by="anna")
    assert drills.finish_drills(drill.started_at + timedelta(seconds=10)) == 0
    assert drills.finish_drills(drill.started_at + timedelta(seconds=31)) == 1
    assert drills.results(drill) == []


def test_scheduled_drills_start_once_each(customer: Customer) -> None:
    now = timezone.now()
    drills.set_schedule(customer, 7, now)
    assert drills.start_due(now) == 0
    due = now + timedelta(days=7)
    assert drills.start_due(due) == 1
    assert drills.start_due(due) == 0
    drills.finish_drills(due + timedelta(minutes=5))
    assert drills.start_due(due + timedelta(days=7)) == 1
    drills.set_schedule(customer, None, now)
    assert drills.start_due(due + timedelta(days=100)) == 0
    assert Drill.objects.filter(started_by="").count() == 2


def test_overviews_and_statistics_exclude_the_virtual_unit(customer: Customer) -> None:
    drills.start(customer, by="anna")
    scope = Scope.of_customer(customer.pk)
    assert overview(scope, timezone.now()).units == []
    assert visible_unit_refs(scope) == {}
    assert list(list_facilities(scope, "")) == []


def test_the_command_waits_and_reports(
    customer: Customer,
    receive: Callable[..., WebhookReceiver],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = channel_at(receive(), customer)
    monkeypatch.setattr("time.sleep", lambda _: deliver_due())
    call_command("drill", customer.customer_code)
    printed = capsys.readouterr().out
    assert channel.name in printed
    assert "sent" in printed


def test_the_command_reports_errors(customer: Customer) -> None:
    with pytest.raises(CommandError, match="There is no customer"):
        call_command("drill", "NOBODY")
    for seconds in ("nan", "-1"):
        with pytest.raises(CommandError, match="--seconds must not be negative"):
            call_command("drill", customer.customer_code, "--seconds", seconds)
    with pytest.raises(CommandError, match="no rule notifies anyone"):
        call_command("drill", customer.customer_code, "--seconds", "0")
    with pytest.raises(CommandError, match=r"already running\. It ends by \d\d:\d\d UTC; start another after that\."):
        call_command("drill", customer.customer_code)


def test_a_drill_that_nothing_ends_is_explained(customer: Customer) -> None:
    started = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)
    drills.start(customer, by="anna", now=started)
    with pytest.raises(drills.DrillInProgress, match="should have ended by 14:05 UTC: are beat and a worker"):
        drills.start(customer, by="bert", now=started + drills.MAX_DURATION)
