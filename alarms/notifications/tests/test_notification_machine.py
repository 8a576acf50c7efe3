"""Whatever happens to alarms, rules, channels and maintenance: after a tick, those who are to know are notified."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from alarms.lifecycle import actions, transitions
from alarms.models import Alarm, AlarmEvent, Channel, MaintenanceWindow, Message, Rule
from alarms.notifications.reminders import create_due_messages
from alarms.notifications.throttling import group_excess_messages
from customers.models import StorageUnit
from tests.alarm_factories import ChannelFactory, MaintenanceWindowFactory, RuleFactory, open_alarm
from tests.factories import CustomerFactory, FacilityFactory, StorageUnitFactory
from tests.state_machines import DatabaseMachine, run_machine

# About five seconds of CPU time.
EXAMPLES, STEPS = 10, 20
START = datetime(2026, 3, 2, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACTIONABLE = ("opened", "worsened", "reopened", "released")
STARTING = ("opened", "reopened", "released")
SEVERITIES = ("warning", "critical")
numbers = st.integers(0, 1)


def _is_within_hours(each: Rule, instant: datetime) -> bool:
    return each.from_time is None or each.until_time is None or each.from_time <= instant.time() < each.until_time


class Notifications(DatabaseMachine):
    """Two units, a rule for all alarms, and one for critical alarms in the morning, which are escalated."""

    def __init__(self) -> None:
        super().__init__(START)
        self.customer = customer = CustomerFactory()
        facility = FacilityFactory(customer=customer, time_zone="UTC")
        self.units: list[StorageUnit] = StorageUnitFactory.create_batch(2, facility=facility)
        self.channels: list[Channel] = [
            ChannelFactory(customer=customer, messages_a_minute=rate, flap_minutes=flap)
            for rate, flap in ((2, 30), (1_000, 0), (1_000, 0))
        ]
        everything, critical, boss = self.channels
        self.routing: list[Rule] = [
            RuleFactory(customer=customer, channels=[everything], repeat_minutes=10),
            RuleFactory(
                customer=customer,
                severities=["critical"],
                from_time="07:20",
                until_time="11:00",
                channels=[critical, everything],
                escalate_minutes=20,
                escalation_channels=[boss],
            ),
        ]

    @rule(minutes=st.sampled_from([1, 7, 25, 45]))
    def wait(self, minutes: int) -> None:
        self.pass_time(minutes * MINUTE)
        self._tick()

    @rule(unit=numbers, severity=st.sampled_from(SEVERITIES))
    def open_alarm(self, unit: int, severity: str) -> None:
        # Excursions of a unit begin at different instants.
        at = self.now + Alarm.objects.count() * timedelta(microseconds=1)
        open_alarm(at, storage_unit=self.units[unit], severity=severity)

    def _live(self) -> Iterator[Alarm]:
        alarms = Alarm.objects.filter(state__in=["open", "acknowledged"]).order_by("pk")
        yield from alarms.select_related("storage_unit__facility", "customer", "excursion")

    @precondition(lambda self: any(self._live()))
    @rule(data=st.data(), ago=st.integers(0, 10), is_acknowledged=st.booleans())
    def worsen(self, data: st.DataObject, ago: int, is_acknowledged: bool) -> None:
        alarm = data.draw(st.sampled_from(list(self._live())))
        if is_acknowledged and alarm.state == "open":
            alarm = actions.acknowledge(alarm, by="ann", comment="I close the door.")
        if alarm.severity == "warning":
            alarm.severity = "critical"
            alarm.save()
            transitions.record_event(alarm, AlarmEvent.Kind.WORSENED, self.now - ago * MINUTE)

    @precondition(lambda self: any(self._live()))
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        alarm = data.draw(st.sampled_from(list(self._live())))
        if alarm.state == "open":
            actions.acknowledge(alarm, by="ann", comment="I close the door.")

    @precondition(lambda self: any(self._live()))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        transitions.end(data.draw(st.sampled_from(list(self._live()))), self.now, self.now)

    @precondition(lambda self: Alarm.objects.filter(state="closed").exists())
    @rule(data=st.data(), ago=st.integers(0, 10))
    def reopen(self, data: st.DataObject, ago: int) -> None:
        closed = Alarm.objects.filter(state="closed").select_related("storage_unit__facility", "customer")
        transitions.reopen(data.draw(st.sampled_from(list(closed.order_by("pk")))), self.now - ago * MINUTE)

    @rule(unit=st.none() | numbers, minutes=st.sampled_from([10, 60]))
    def begin_maintenance(self, unit: int | None, minutes: int) -> None:
        MaintenanceWindowFactory(
            customer=self.customer,
            storage_unit=None if unit is None else self.units[unit],
            starts_at=self.now,
            ends_at=self.now + minutes * MINUTE,
        )

    @rule(model=st.sampled_from([Rule, Channel]), number=st.integers(0, 2), is_enabled=st.booleans())
    def switch(self, model: type[Rule | Channel], number: int, is_enabled: bool) -> None:
        ids = [each.pk for each in (self.routing if model is Rule else self.channels)]
        model.objects.filter(pk=ids[number % len(ids)]).update(is_enabled=is_enabled)

    @rule()
    def deliver(self) -> None:
        group_excess_messages(self.now)
        due = Message.objects.filter(state="waiting", next_attempt_at__lte=self.now, channel__is_enabled=True)
        due.update(state="sent", claimed_at=self.now, sent_at=self.now, attempt_count=1)

    def _tick(self) -> None:
        create_due_messages(self.now)
        assert create_due_messages(self.now) == 0
        for alarm in self._live():
            events = list(alarm.events.order_by("pk"))
            kinds = [str(event.kind) for event in events]
            newest = max(number for number, kind in enumerate(kinds) if kind in ACTIONABLE)
            start = max(number for number, kind in enumerate(kinds) if kind in STARTING)
            is_open = alarm.state == "open"
            for each in self._rules_for(alarm):
                if is_open or "acknowledged" not in kinds[newest:]:
                    for channel in each.channels.filter(is_enabled=True):
                        assert Message.objects.filter(event=events[newest], channel=channel, sequence=0).exists()
            for each in self._matching_rules(alarm) if is_open else ():
                self._check_what_is_due(each, events[start], events[newest])

    def _rules_for(self, alarm: Alarm) -> Iterator[Rule]:
        return (each for each in self._matching_rules(alarm) if _is_within_hours(each, self.now))

    def _matching_rules(self, alarm: Alarm) -> Iterator[Rule]:
        windows = MaintenanceWindow.objects.filter(starts_at__lte=self.now, ends_at__gt=self.now)
        if any(window.storage_unit_id in (None, alarm.storage_unit_id) for window in windows):
            return
        yield from (
            each for each in Rule.objects.filter(is_enabled=True) if alarm.severity in (each.severities or SEVERITIES)
        )

    def _check_what_is_due(self, each: Rule, start: AlarmEvent, newest: AlarmEvent) -> None:
        channels = list(each.channels.filter(is_enabled=True))
        told = Message.objects.filter(event__in=[start, newest], channel__in=channels).order_by("created_at").first()
        if told is None:
            return
        waited = self.now - told.created_at
        if not any(_is_within_hours(each, instant) for instant in (told.created_at, self.now)):
            return
        if each.repeat_minutes and waited >= each.repeat_minutes * MINUTE:
            number = waited // (each.repeat_minutes * MINUTE)
            for channel in channels:
                reminders = Message.objects.filter(event=start, channel=channel, reason="reminder")
                assert reminders.filter(sequence__gte=number).exists()
        if each.escalate_minutes and waited >= each.escalate_minutes * MINUTE:
            for channel in each.escalation_channels.filter(is_enabled=True):
                assert Message.objects.filter(event=start, channel=channel, reason="escalated").exists()

    @invariant()
    def nobody_is_notified_during_maintenance(self) -> None:
        connection.check_constraints()
        windows = MaintenanceWindow.objects.filter(starts_at__lt=self.now)
        for window in windows:
            silenced = Message.objects.filter(created_at__gt=window.starts_at, created_at__lt=window.ends_at)
            silenced = silenced.exclude(reason="digest")
            if window.storage_unit_id is not None:
                silenced = silenced.filter(alarm__storage_unit=window.storage_unit_id)
            assert not silenced.exists()

    @invariant()
    def what_is_grouped_is_told_by_another_message(self) -> None:
        for message in Message.objects.filter(state="folded").select_related("folded_into__folded_into"):
            teller = message.folded_into
            while teller is not None and teller.state == "folded":
                teller = teller.folded_into
            assert teller is not None
            assert teller.state in ("waiting", "sent")
            assert not message.is_critical or teller.is_critical


@pytest.mark.django_db
def test_after_a_tick_all_channels_that_rules_name_are_notified() -> None:
    run_machine(Notifications, examples=EXAMPLES, steps=STEPS)
