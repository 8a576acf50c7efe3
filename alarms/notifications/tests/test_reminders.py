"""Messages that become due with time while an alarm is live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from alarms.lifecycle import actions
from alarms.lifecycle.transitions import record_event
from alarms.models import Alarm, AlarmEvent, Channel, Message, Rule
from alarms.notifications.reminders import create_due_messages, is_escalation_due, reminders_due
from customers.models import Customer, Facility, StorageUnit
from tests.alarm_factories import ChannelFactory, MaintenanceWindowFactory, RuleFactory, open_alarm
from tests.factories import StorageUnitFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory()


@pytest.fixture
def customer(unit: StorageUnit) -> Customer:
    return unit.facility.customer


def reasons() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("reason", flat=True))


def tick_every_minute(start: datetime, minutes: int) -> int:
    """Run a tick every minute."""
    return sum(create_due_messages(start + number * MINUTE) for number in range(minutes + 1))


def test_an_open_alarm_sends_reminders_until_it_is_acknowledged(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, repeat_minutes=5)
    alarm = open_alarm(storage_unit=unit)
    start = timezone.now()
    assert tick_every_minute(start, 16) == 3
    actions.acknowledge(alarm, by="anna", comment="on my way")
    assert tick_every_minute(start + 17 * MINUTE, 30) == 0
    assert reasons() == ["opened", "reminder", "reminder", "reminder"]
    assert [message.sequence for message in Message.objects.order_by("pk")] == [0, 1, 2, 3]


def test_concurrent_ticks_create_no_duplicates(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(
        customer=customer, repeat_minutes=5, escalate_minutes=5, escalation_channels=[ChannelFactory(customer=customer)]
    )
    open_alarm(storage_unit=unit)
    later = timezone.now() + 6 * MINUTE
    assert create_due_messages(later) == 2
    assert create_due_messages(later) == 0
    assert sorted(reasons()) == ["escalated", "opened", "reminder"]


def test_a_channel_of_several_rules_is_reminded_as_often_as_the_most_frequent_says(
    unit: StorageUnit, customer: Customer
) -> None:
    shared, other = ChannelFactory(customer=customer), ChannelFactory(customer=customer)
    RuleFactory(customer=customer, channels=[shared, other], repeat_minutes=10)
    for _ in range(2):
        RuleFactory(customer=customer, channels=[shared], repeat_minutes=5)
    open_alarm(storage_unit=unit)
    tick_every_minute(timezone.now(), 20)
    reminders = Message.objects.filter(reason="reminder")
    assert [reminders.filter(channel=channel).count() for channel in (shared, other)] == [4, 2]


def test_missed_reminders_are_skipped(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, repeat_minutes=5)
    open_alarm(storage_unit=unit)
    assert create_due_messages(timezone.now() + 61 * MINUTE) == 1
    assert Message.objects.get(reason="reminder").sequence == 12


def test_a_closed_alarm_sends_no_reminders(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, repeat_minutes=5)
    alarm = open_alarm(storage_unit=unit)
    Alarm.objects.filter(pk=alarm.pk).update(state=Alarm.State.CLOSED, closed_at=timezone.now())
    assert create_due_messages(timezone.now() + 6 * MINUTE) == 0


def test_an_unacknowledged_alarm_is_escalated_once(unit: StorageUnit, customer: Customer) -> None:
    boss = ChannelFactory(customer=customer)
    RuleFactory(customer=customer, escalate_minutes=15, escalation_channels=[boss])
    open_alarm(storage_unit=unit)
    start = timezone.now()
    assert tick_every_minute(start, 14) == 0
    assert tick_every_minute(start + 15 * MINUTE, 60) == 1
    assert Message.objects.get(reason="escalated").channel == boss


def test_worsening_does_not_postpone_the_escalation(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, escalate_minutes=15, escalation_channels=[ChannelFactory(customer=customer)])
    start = timezone.now()
    alarm = open_alarm(storage_unit=unit, severity="warning")
    record_event(alarm, AlarmEvent.Kind.WORSENED, start + 14 * MINUTE)
    assert create_due_messages(start + 16 * MINUTE) == 1
    assert reasons() == ["opened", "worsened", "escalated"]


def test_an_acknowledged_alarm_is_not_escalated(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, escalate_minutes=15, escalation_channels=[ChannelFactory(customer=customer)])
    actions.acknowledge(open_alarm(storage_unit=unit), by="anna", comment="on my way")
    assert create_due_messages(timezone.now() + 60 * MINUTE) == 0


def test_an_alarm_opened_during_maintenance_notifies_afterwards(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(
        customer=customer,
        repeat_minutes=30,
        escalate_minutes=15,
        escalation_channels=[ChannelFactory(customer=customer)],
    )
    window = MaintenanceWindowFactory(customer=customer, ends_at=timezone.now() + 60 * MINUTE)
    open_alarm(storage_unit=unit)
    assert tick_every_minute(timezone.now(), 59) == 0
    over = window.ends_at
    assert create_due_messages(over) == 1
    assert create_due_messages(over + MINUTE) == 0
    assert reasons() == ["opened"]
    assert Message.objects.get().created_at == over
    # The escalation counts from the first notification.
    assert create_due_messages(over + 14 * MINUTE) == 0
    assert create_due_messages(over + 15 * MINUTE) == 1


def test_an_alarm_opened_outside_a_rules_hours_notifies_when_they_begin(unit: StorageUnit, customer: Customer) -> None:
    opens = timezone.now() + 60 * MINUTE
    begins, ends = opens.time().replace(microsecond=0), (opens + 60 * MINUTE).time().replace(microsecond=0)
    RuleFactory(customer=customer, from_time=begins, until_time=ends)
    open_alarm(storage_unit=unit)
    assert create_due_messages(opens - 2 * MINUTE) == 0
    assert create_due_messages(opens + MINUTE) == 1
    assert create_due_messages(opens + 2 * MINUTE) == 0


def office_hours(unit: StorageUnit, **kwargs: Any) -> Rule:
    """Return a rule from 08:00 to 17:00 that escalates after half an hour."""
    Facility.objects.update(time_zone="UTC")
    customer = unit.facility.customer
    boss = ChannelFactory(customer=customer)
    hours = {"from_time": "08:00", "until_time": "17:00"}
    return RuleFactory(customer=customer, escalate_minutes=30, escalation_channels=[boss], **hours, **kwargs)


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-25T{clock}Z")


@pytest.mark.parametrize("channels", [None, []], ids=["notifies", "only escalates"])
def test_an_alarm_that_began_within_a_rules_hours_is_escalated_after_them(unit: StorageUnit, channels: Any) -> None:
    open_alarm(at("16:59"), storage_unit=unit)
    office_hours(unit, repeat_minutes=5, channels=channels)
    create_due_messages(at("16:59"))
    assert create_due_messages(at("17:28")) == 0
    assert create_due_messages(at("17:29")) == 1
    assert create_due_messages(at("17:35")) == 0
    assert reasons()[-1] == "escalated"


@pytest.mark.parametrize("channels", [None, []], ids=["notifies", "only escalates"])
def test_an_alarm_that_began_outside_a_rules_hours_is_escalated_within_them(unit: StorageUnit, channels: Any) -> None:
    open_alarm(at("05:00"), storage_unit=unit)
    office_hours(unit, channels=channels)
    assert create_due_messages(at("07:59")) == 0
    create_due_messages(at("08:00"))
    create_due_messages(at("08:30"))
    assert reasons()[-1] == "escalated"


def test_no_alarm_is_escalated_during_maintenance(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, escalate_minutes=15, escalation_channels=[ChannelFactory(customer=customer)])
    open_alarm(storage_unit=unit)
    window = MaintenanceWindowFactory(customer=customer, ends_at=timezone.now() + 60 * MINUTE)
    assert create_due_messages(timezone.now() + 30 * MINUTE) == 0
    assert create_due_messages(window.ends_at) == 1
    assert reasons() == ["opened", "escalated"]


def test_a_rule_that_repeats_less_often_from_now_on_goes_on_repeating(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, repeat_minutes=5)
    open_alarm(storage_unit=unit)
    start = timezone.now()
    assert create_due_messages(start + 120 * MINUTE) == 1
    Rule.objects.update(repeat_minutes=60)
    assert create_due_messages(start + 179 * MINUTE) == 0
    assert create_due_messages(start + 180 * MINUTE) == 1
    assert create_due_messages(start + 239 * MINUTE) == 0
    assert create_due_messages(start + 240 * MINUTE) == 1
    assert list(Message.objects.order_by("pk").values_list("sequence", flat=True)) == [0, 24, 25, 26]


def test_a_channel_is_not_reminded_at_once_when_another_of_its_rules_applies(
    unit: StorageUnit, customer: Customer
) -> None:
    channel = ChannelFactory(customer=customer)
    often = RuleFactory(customer=customer, channels=[channel], repeat_minutes=10)
    RuleFactory(customer=customer, channels=[channel], repeat_minutes=60)
    open_alarm(storage_unit=unit)
    start = timezone.now()
    assert create_due_messages(start + 91 * MINUTE) == 1
    Rule.objects.filter(pk=often.pk).update(is_enabled=False)
    assert create_due_messages(start + 92 * MINUTE) == 0
    assert create_due_messages(start + 120 * MINUTE) == 1


def test_an_alarm_closed_meanwhile_notifies_nobody(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    MaintenanceWindowFactory(customer=customer)
    alarm = open_alarm(storage_unit=unit)
    Alarm.objects.filter(pk=alarm.pk).update(state=Alarm.State.CLOSED, closed_at=timezone.now())
    assert create_due_messages(timezone.now() + 120 * MINUTE) == 0


def test_an_acknowledged_alarm_is_not_caught_up_on_unless_it_worsened(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    window = MaintenanceWindowFactory(customer=customer)
    alarm = actions.acknowledge(open_alarm(storage_unit=unit, severity="warning"), by="anna", comment="at work")
    assert create_due_messages(window.ends_at) == 0
    record_event(alarm, AlarmEvent.Kind.WORSENED, timezone.now())
    assert create_due_messages(window.ends_at) == 1
    assert reasons() == ["worsened"]


def test_what_worsened_before_it_arrived_is_caught_up_on_if_that_was_after_the_acknowledgement(
    unit: StorageUnit, customer: Customer
) -> None:
    RuleFactory(customer=customer)
    window = MaintenanceWindowFactory(customer=customer)
    alarm = actions.acknowledge(open_alarm(storage_unit=unit, severity="warning"), by="anna", comment="at work")
    record_event(alarm, AlarmEvent.Kind.WORSENED, timezone.now() - MINUTE)
    assert create_due_messages(window.ends_at) == 1
    assert reasons() == ["worsened"]


def test_new_rules_and_re_enabled_channels_catch_up_on_live_alarms(unit: StorageUnit, customer: Customer) -> None:
    channel = ChannelFactory(customer=customer, is_enabled=False)
    RuleFactory(customer=customer, channels=[channel])
    open_alarm(storage_unit=unit)
    assert create_due_messages(timezone.now()) == 0
    Channel.objects.update(is_enabled=True)
    assert create_due_messages(timezone.now()) == 1
    RuleFactory(customer=customer)
    assert create_due_messages(timezone.now()) == 1
    assert create_due_messages(timezone.now()) == 0


@pytest.mark.parametrize("quiet", [{"is_detected_late": True}, {"is_withdrawn": True}])
def test_alarms_that_need_no_action_are_not_caught_up_on(
    unit: StorageUnit, customer: Customer, quiet: dict[str, Any]
) -> None:
    open_alarm(storage_unit=unit, **quiet)
    RuleFactory(customer=customer, repeat_minutes=1)
    assert create_due_messages(timezone.now() + 10 * MINUTE) == 0


def test_queries_do_not_grow_with_the_alarms(
    customer: Customer, unit: StorageUnit, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    RuleFactory(customer=customer)
    for _ in range(5):
        open_alarm(storage_unit=StorageUnitFactory(facility=unit.facility))
    with django_assert_max_num_queries(12):
        assert create_due_messages(timezone.now()) == 0


@given(st.integers(1, 10_080), st.integers(0, 100_000))
def test_the_number_of_a_reminder_counts_elapsed_periods(every: int, minutes: int) -> None:
    assert reminders_due(every, NOW, NOW + minutes * MINUTE) == minutes // every


@given(st.integers(1, 10_080), st.integers(-100, 100_000))
def test_an_escalation_is_due_when_its_time_has_passed_and_not_before(after: int, minutes: int) -> None:
    assert is_escalation_due(after, NOW, NOW + minutes * MINUTE) == (minutes >= after)


def test_without_times_there_are_no_reminders_or_escalations() -> None:
    assert reminders_due(None, NOW, NOW + 100 * MINUTE) == 0
    assert reminders_due(5, None, NOW) == 0
    assert not is_escalation_due(None, NOW, NOW + 100 * MINUTE)
