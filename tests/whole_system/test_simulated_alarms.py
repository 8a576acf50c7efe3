"""The faults of a simulated customer lead to exactly the expected alarms and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from alarms.models import Alarm, Channel, Excursion, Message
from alarms.notifications.reminders import create_due_messages
from alarms.notifications.tests.delivery import deliver_due
from ingestion.models import Source
from ingestion.polling.tests.polling import polled
from ingestion.watchdog import run_watchdogs
from simulator.base.clock import SetClock
from simulator.model.faults import make_fault
from simulator.model.fleet import Fleet
from simulator.model.fleet_file import load_fleet
from simulator.model.simulation import Simulation
from simulator.model.transport import TransportSettings
from simulator.server.run import served_in_thread
from tests.alarm_factories import ChannelFactory, RuleFactory, WebhookChannelFactory
from tests.factories import CustomerFactory, SourceFactory
from tests.mail_receiver import MailReceiver
from tests.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.django_db

# In the future, because the database's own clock, which records when a reading arrived, cannot be set.
NOON = datetime(2099, 11, 23, 12, tzinfo=UTC)
STEP = timedelta(minutes=2)


class Day:
    """A customer with nine freezers that is polled, monitored and notified by webhook and e-mail."""

    def __init__(self, clock: time_machine.Traveller, simulation: Simulation, source: Source) -> None:
        assert isinstance(simulation.clock, SetClock)
        self.clock, self.simulated_clock, self.source = clock, simulation.clock, source
        self.freezers = simulation.customers["A"]
        self.now = NOON

    def schedule_fault(self, kind: str, unit: str, after_minutes: float, minutes: float) -> None:
        """Schedule a fault of a unit."""
        start = NOON + timedelta(minutes=after_minutes)
        assert self.freezers.schedule(make_fault(unit, kind, start, minutes))

    def run_until(self, minutes: float) -> None:
        while self.now < NOON + timedelta(minutes=minutes):
            self.now += STEP
            self.clock.move_to(self.now)
            self.simulated_clock.set(self.now)
            polled(self.source)
            run_watchdogs()
            create_due_messages(self.now)
            deliver_due()


@pytest.fixture
def webhooks(settings: Settings) -> Iterator[WebhookReceiver]:
    settings.NOTIFICATION_ALLOWED_NETWORKS = settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def mails(settings: Settings) -> Iterator[MailReceiver]:
    with MailReceiver() as receiver:
        receiver.configure(settings)
        yield receiver


@pytest.fixture
def day(webhooks: WebhookReceiver, mails: MailReceiver) -> Iterator[Day]:
    customer = CustomerFactory(customer_code="A", data_frequency_seconds=60)
    channels = [
        WebhookChannelFactory(customer=customer, address=webhooks.url),
        ChannelFactory(customer=customer, address="shift@example.com"),
    ]
    RuleFactory(customer=customer, channels=channels)
    fleet = Fleet(tuple(each for each in load_fleet("default").customers if each.code == "A"))
    simulation = Simulation(fleet, seed=7, clock=SetClock(NOON))
    with time_machine.travel(NOON, tick=False) as clock, served_in_thread(simulation) as urls:
        source = SourceFactory(
            customer=customer,
            name="freezers",
            interval_seconds=60,
            url=urls["A"] + "/temperature/current?since={since}&until={until}",
            structure_url=urls["A"] + "/facilities",
        )
        yield Day(clock, simulation, source)


def notified(webhooks: WebhookReceiver) -> list[tuple[str, str, str, str]]:
    """Return the type, alarm kind, severity and subject of each webhook delivery."""
    return [
        (document["type"], alarm["kind"], alarm["severity"], alarm["unit"]["code"] if alarm["unit"] else "freezers")
        for document in (delivery.document for delivery in webhooks.deliveries)
        for alarm in [document["data"]["alarm"]]
    ]


def test_each_fault_leads_to_exactly_its_alarms_and_messages(
    day: Day, webhooks: WebhookReceiver, mails: MailReceiver
) -> None:
    day.schedule_fault("compressor_failure", "unit_A_1_1", 60, 180)
    day.schedule_fault("door_open", "unit_A_1_2", 60, 3)
    day.schedule_fault("sensor_dead", "unit_A_1_3", 60, 120)
    day.schedule_fault("power_cut", "unit_A_2_1", 60, 120)
    day.run_until(440)
    day.freezers.transport = TransportSettings(error_500=1.0)
    day.run_until(480)
    day.freezers.transport = TransportSettings()
    day.run_until(500)

    freezer, dead, dark = "unit_A_1_1", "unit_A_1_3", "unit_A_2_1"
    assert notified(webhooks) == [
        ("alarm.opened", "no_data", "warning", dark),
        ("alarm.opened", "sensor_fault", "warning", dead),
        ("alarm.opened", "temperature", "critical", freezer),
        ("alarm.closed", "sensor_fault", "warning", dead),
        ("alarm.closed", "no_data", "warning", dark),
        ("alarm.closed", "temperature", "critical", freezer),
        ("alarm.opened", "source_down", "critical", "freezers"),
        ("alarm.closed", "source_down", "critical", "freezers"),
    ]
    secret = Channel.objects.get(kind=Channel.Kind.WEBHOOK).secret.reveal()
    assert all(delivery.is_signed_with(secret) for delivery in webhooks.deliveries)
    assert len(webhooks.counts) == len(webhooks.deliveries)
    assert [re.sub(r", −.*", "", subject) for subject in mails.subjects] == [
        "Warning: no data, Ultra-Low Freezer 1 in Pharma Facility 2",
        "Warning: sensor fault, Ultra-Low Freezer 3 in Pharma Facility 1",
        "Critical: temperature, Ultra-Low Freezer 1 in Pharma Facility 1",
        "Warning: closed: sensor fault, Ultra-Low Freezer 3 in Pharma Facility 1",
        "Warning: closed: no data, Ultra-Low Freezer 1 in Pharma Facility 2",
        "Critical: closed: temperature, Ultra-Low Freezer 1 in Pharma Facility 1",
        "Critical: source down, A · freezers",
        "Critical: closed: source down, A · freezers",
    ]

    alarms = Alarm.objects.filter(suppressed_by=None)
    assert sorted(alarms.values_list("kind", "storage_unit__unit_code", "state")) == [
        ("no_data", dark, "closed"),
        ("sensor_fault", dead, "closed"),
        ("source_down", None, "closed"),
        ("temperature", freezer, "closed"),
    ]
    down = Alarm.objects.get(kind=Alarm.Kind.SOURCE_DOWN)
    assert down.suppressed.count() == Alarm.objects.filter(kind="no_data").count() - 1 == 9
    doors = Excursion.objects.filter(storage_unit__unit_code="unit_A_1_2")
    assert [each.alarm_at for each in doors if each.ended_at is not None] == [None] * doors.count() != []
    assert not Message.objects.exclude(state=Message.State.SENT).exists()
