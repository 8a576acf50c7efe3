"""Which channels an alarm event notifies."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from django.utils import timezone

from alarms import drills
from alarms.lifecycle.transitions import record_event
from alarms.models import Alarm, AlarmEvent, Message
from alarms.notifications import channel_admin
from alarms.notifications.outbox import claim_due
from alarms.notifications.reminders import create_due_messages
from customers.models import Customer, StorageUnit
from tests.alarm_factories import (
    AlarmFactory,
    ChannelFactory,
    MaintenanceWindowFactory,
    RuleFactory,
    SourceAlarmFactory,
    open_alarm,
)
from tests.factories import CustomerFactory, FacilityFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db
Kind = AlarmEvent.Kind


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Refrigerator 3", facility__name="Depot")


@pytest.fixture
def customer(unit: StorageUnit) -> Customer:
    return unit.facility.customer


def notified(**filters: object) -> list[str]:
    return list(Message.objects.filter(**filters).order_by("pk").values_list("reason", flat=True))


def happen(alarm: Alarm, kind: AlarmEvent.Kind, **changes: object) -> AlarmEvent:
    for name, value in changes.items():
        setattr(alarm, name, value)
    alarm.save()
    return record_event(alarm, kind, timezone.now())


def test_an_open_alarm_notifies_every_channel_of_its_rules_once(unit: StorageUnit, customer: Customer) -> None:
    shift, boss = ChannelFactory(customer=customer), ChannelFactory(customer=customer)
    RuleFactory(customer=customer, channels=[shift, boss])
    RuleFactory(customer=customer, channels=[shift])

    alarm = open_alarm(storage_unit=unit)

    assert {message.channel for message in Message.objects.all()} == {shift, boss}
    message = Message.objects.filter(channel=shift).get()
    assert message.alarm == alarm
    assert message.subject == "Critical: temperature, Refrigerator 3 in Depot, 12.0 °C"
    assert message.data["type"] == "alarm.opened"
    assert message.data["data"]["alarm"]["id"] == str(alarm.public_id)
    assert message.data["data"]["is_drill"] is False


@pytest.mark.parametrize(
    "quiet",
    [
        {"state": Alarm.State.PENDING, "opened_at": None},
        {"is_detected_late": True},
        {"is_withdrawn": True},
        {"state": Alarm.State.CLOSED},
    ],
    ids=["pending", "detected late", "withdrawn", "closed"],
)
def test_alarms_that_need_no_action_notify_nobody(
    unit: StorageUnit, customer: Customer, quiet: dict[str, object]
) -> None:
    RuleFactory(customer=customer)
    alarm = AlarmFactory(storage_unit=unit, **quiet)
    record_event(alarm, Kind.OPENED, timezone.now())
    assert notified() == []


def test_an_inhibited_alarm_notifies_once_released(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    down = SourceAlarmFactory(customer=customer)
    alarm = open_alarm(storage_unit=unit, kind="no_data", suppressed_by=down)
    assert notified() == []
    happen(alarm, Kind.RELEASED, suppressed_by=None)
    assert notified() == ["released"]


def test_rules_for_single_units_match_a_source_that_is_down(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, units=[unit])
    alarm = SourceAlarmFactory(customer=customer)
    record_event(alarm, Kind.OPENED, timezone.now())
    assert Message.objects.get().subject == "Critical: source down, the depot's logger"


@pytest.mark.parametrize(
    ("rule", "is_notified"),
    [
        ({"kinds": ["source_down"]}, True),
        ({"kinds": ["no_data"]}, True),
        ({"kinds": ["no_data"], "severities": ["warning"]}, True),
        ({"kinds": ["no_data"], "severities": ["critical"]}, False),
        ({"kinds": ["temperature"]}, False),
    ],
)
def test_rules_for_missing_data_match_a_source_that_is_down_since_it_inhibits_that(
    customer: Customer, rule: dict[str, object], is_notified: bool
) -> None:
    RuleFactory(customer=customer, **rule)
    record_event(SourceAlarmFactory(customer=customer), Kind.OPENED, timezone.now())
    assert bool(notified()) is is_notified


@pytest.mark.parametrize(
    ("rule", "is_notified"),
    [
        ({}, True),
        ({"kinds": ["temperature", "mkt"]}, True),
        ({"kinds": ["no_data"]}, False),
        ({"severities": ["critical"]}, True),
        ({"severities": ["warning"]}, False),
        ({"is_enabled": False}, False),
        ({"customer__is_active": False}, False),
    ],
)
def test_a_rule_selects_kinds_and_severities(
    unit: StorageUnit, customer: Customer, rule: dict[str, object], is_notified: bool
) -> None:
    if rule.pop("customer__is_active", True) is False:
        customer.is_active = False
        customer.save()
    RuleFactory(customer=customer, **rule)
    open_alarm(storage_unit=unit)
    assert bool(notified()) is is_notified


def test_a_rule_selects_facilities_and_units(unit: StorageUnit, customer: Customer) -> None:
    beside = StorageUnitFactory(facility=unit.facility)
    elsewhere = StorageUnitFactory(facility=FacilityFactory(customer=customer))
    of_unit = RuleFactory(customer=customer, units=[unit])
    of_both = RuleFactory(customer=customer, units=[unit], facilities=[elsewhere.facility])
    for alarming in (unit, beside, elsewhere):
        open_alarm(storage_unit=alarming)
    assert [message.alarm.storage_unit for message in Message.objects.filter(rule=of_unit)] == [unit]
    assert {message.alarm.storage_unit for message in Message.objects.filter(rule=of_both)} == {unit, elsewhere}


def test_rules_of_other_customers_do_not_apply(unit: StorageUnit) -> None:
    RuleFactory(customer=CustomerFactory())
    open_alarm(storage_unit=unit)
    assert notified() == []


def test_a_rule_does_not_apply_outside_its_hours_at_the_facility(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, from_time=time(8), until_time=time(17))
    unit.facility.time_zone = _zone_where_it_is(20)
    unit.facility.save()
    open_alarm(storage_unit=unit)
    assert notified() == []


@pytest.mark.parametrize("of", ["a drill", "a source"])
def test_hours_of_drills_and_sources_are_local_time_at_the_first_facility(of: str) -> None:
    customer = CustomerFactory()
    virtual = drills.synthetic_unit(customer)
    virtual.facility.time_zone = _zone_where_it_is(20)
    virtual.facility.save()
    FacilityFactory(customer=customer, time_zone=_zone_where_it_is(10))
    RuleFactory(customer=customer, from_time=time(8), until_time=time(17))
    if of == "a drill":
        open_alarm(storage_unit=virtual)
    else:
        record_event(SourceAlarmFactory(customer=customer), Kind.OPENED, timezone.now())
    assert notified() == ["opened"]


def test_a_message_is_due_at_once_also_if_the_clock_of_this_process_is_ahead(
    unit: StorageUnit, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = ChannelFactory(customer=customer)
    RuleFactory(customer=customer, channels=[channel])
    ahead = timezone.now() + timedelta(minutes=10)
    monkeypatch.setattr(timezone, "now", lambda: ahead)

    open_alarm(storage_unit=unit)
    channel_admin.send_test(channel, by="anna")

    assert len(claim_due()) == 2


def _zone_where_it_is(hour: int) -> str:
    """Return a time zone in which it is about this hour now; the signs of Etc zones are inverted."""
    offset = (hour - timezone.now().hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "UTC"


def test_a_disabled_channel_is_not_notified(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer, channels=[ChannelFactory(customer=customer, is_enabled=False)])
    open_alarm(storage_unit=unit)
    assert notified() == []


@pytest.mark.parametrize("of", ["customer", "facility", "storage_unit"])
def test_maintenance_mutes_what_it_covers(unit: StorageUnit, customer: Customer, of: str) -> None:
    RuleFactory(customer=customer)
    location = {"facility": unit.facility, "storage_unit": unit}
    MaintenanceWindowFactory(customer=customer, **({of: location[of]} if of in location else {}))
    beside = StorageUnitFactory(facility=FacilityFactory(customer=customer))
    open_alarm(storage_unit=unit)
    open_alarm(storage_unit=beside)
    assert [message.alarm.storage_unit for message in Message.objects.all()] == ([] if of == "customer" else [beside])


def test_maintenance_that_has_ended_mutes_nothing(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    MaintenanceWindowFactory(customer=customer, starts_at=timezone.now() - timedelta(hours=2))
    open_alarm(storage_unit=unit)
    assert notified() == ["opened"]


def test_worsening_and_reopening_notify(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    alarm = open_alarm(storage_unit=unit, severity="warning")
    happen(alarm, Kind.WORSENED, severity="critical")
    happen(alarm, Kind.ENDED)
    happen(alarm, Kind.REOPENED)
    assert notified() == ["opened", "worsened", "reopened"]
    assert [message.is_critical for message in Message.objects.order_by("pk")] == [False, True, True]


@pytest.mark.parametrize("notifies", [True, False])
def test_closing_notifies_where_the_rule_says_so(unit: StorageUnit, customer: Customer, notifies: bool) -> None:
    RuleFactory(customer=customer, tells_when_closed=notifies)
    alarm = open_alarm(storage_unit=unit)
    happen(alarm, Kind.CLOSED, state=Alarm.State.CLOSED, closed_at=timezone.now())
    assert notified() == (["opened", "closed"] if notifies else ["opened"])


def test_closing_notifies_only_channels_that_received_the_alarm(unit: StorageUnit, customer: Customer) -> None:
    alarm = open_alarm(storage_unit=unit)
    RuleFactory(customer=customer)
    happen(alarm, Kind.CLOSED, state=Alarm.State.CLOSED, closed_at=timezone.now())
    assert notified() == []


def test_closing_notifies_channels_of_rules_for_warnings_also_if_the_alarm_has_become_critical(
    unit: StorageUnit, customer: Customer
) -> None:
    RuleFactory(customer=customer, severities=["warning"])
    alarm = open_alarm(storage_unit=unit, severity="warning")
    happen(alarm, Kind.WORSENED, severity="critical")
    happen(alarm, Kind.CLOSED, state=Alarm.State.CLOSED, closed_at=timezone.now())
    assert notified() == ["opened", "closed"]


def test_closing_notifies_whom_an_escalation_reached_after_the_hours(
    unit: StorageUnit, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift, boss = ChannelFactory.create_batch(2, customer=customer)
    hours = {"from_time": time(8), "until_time": time(17)}
    RuleFactory(customer=customer, channels=[shift], escalate_minutes=60, escalation_channels=[boss], **hours)
    unit.facility.time_zone = _zone_where_it_is(15)
    unit.facility.save()
    alarm = open_alarm(storage_unit=unit)
    later = timezone.now() + timedelta(hours=3)
    monkeypatch.setattr(timezone, "now", lambda: later)

    create_due_messages(later)
    happen(alarm, Kind.CLOSED, state=Alarm.State.CLOSED, closed_at=later)

    assert notified(channel=shift) == ["opened"]
    assert notified(channel=boss) == ["escalated", "closed"]


def test_a_revision_notifies_the_channels_that_received_the_critical_alarm_and_says_why(
    unit: StorageUnit, customer: Customer
) -> None:
    RuleFactory(customer=customer, severities=["critical"])
    RuleFactory(customer=customer, severities=["critical"], tells_when_closed=False)
    alarm = open_alarm(storage_unit=unit)
    RuleFactory(customer=customer, severities=["critical"])
    record_event(alarm, Kind.REVISED, timezone.now(), text="It was shorter. The alarm stays critical.")
    assert notified() == ["opened", "opened", "revised"]
    message = Message.objects.get(reason="revised")
    assert message.subject == "Critical: revised: temperature, Refrigerator 3 in Depot, 12.0 °C"
    assert "\n\nIt was shorter. The alarm stays critical.\n\nCustomer: " in message.body
    assert message.data["type"] == "alarm.revised"


def test_a_withdrawn_alarm_sends_one_withdrawal_and_no_closing(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    alarm = open_alarm(storage_unit=unit)
    happen(alarm, Kind.WITHDRAWN, is_withdrawn=True, state=Alarm.State.CLOSED, closed_at=timezone.now())
    happen(alarm, Kind.CLOSED)
    assert notified() == ["opened", "withdrawn"]


def test_names_cannot_break_the_line_of_a_subject(unit: StorageUnit, customer: Customer) -> None:
    RuleFactory(customer=customer)
    unit.name = "Fridge\r\nBcc: everyone@example.com"
    unit.save()
    open_alarm(storage_unit=unit)
    assert "\n" not in Message.objects.get().subject
