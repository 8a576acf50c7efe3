"""Made-up customers, what they own and what they sent: the objects that tests start from.

A factory makes the smallest valid row, with everything above it. `store_readings` and `store_reading` put readings
through `readings.store`, so that roll-ups and latest readings are as they would be.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.utils import timezone
from factory.django import DjangoModelFactory

from alarms.models import (
    Alarm,
    AlarmEvent,
    Channel,
    Excursion,
    LimitVersion,
    MaintenanceWindow,
    Message,
    Rule,
)
from alarms.notifications.channels.webhook import new_secret
from alarms.trail import record
from customers.models import ApiToken, Customer, Facility, Membership, Sensor, StorageUnit
from customers.tokens import create_token
from ingestion.models import Conflict, Delivery, IngestionType, RejectedRow, Source
from ingestion.reasons import Reason, sentence
from readings.columns import ReadingColumns, ReadingRow
from readings.models import EquipmentStatus
from readings.store import StoreResult, store

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory):
    """A person who can sign in with PASSWORD and is a member of nothing."""

    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    is_staff = False

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("password", PASSWORD)
        return model_class.objects.create_user(*args, **kwargs)


class StaffFactory(UserFactory):
    """A superuser of the operator."""

    username = factory.Sequence(lambda n: f"staff{n}")
    is_staff = True
    is_superuser = True


class CustomerFactory(DjangoModelFactory):
    class Meta:
        model = Customer

    customer_code = factory.Sequence(lambda n: f"CUSTOMER{n}")
    name = factory.LazyAttribute(lambda customer: f"Cold Stores {customer.customer_code} Ltd")


class FacilityFactory(DjangoModelFactory):
    class Meta:
        model = Facility

    customer = factory.SubFactory(CustomerFactory)
    facility_code = factory.Sequence(lambda n: f"facility_{n}")
    name = ""
    city = "Oxford"
    country = "England"
    time_zone = "UTC"


class StorageUnitFactory(DjangoModelFactory):
    """A refrigerator at 5 °C that is read every 15 minutes."""

    class Meta:
        model = StorageUnit

    facility = factory.SubFactory(FacilityFactory)
    unit_code = factory.Sequence(lambda n: f"unit_{n}")
    name = factory.Sequence(lambda n: f"Refrigerator {n}")
    set_temperature = 5.0


class SensorFactory(DjangoModelFactory):
    class Meta:
        model = Sensor

    storage_unit = factory.SubFactory(StorageUnitFactory)
    sensor_code = factory.Sequence(lambda n: f"sensor_{n}")


class MembershipFactory(DjangoModelFactory):
    """A viewer of a customer."""

    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    customer = factory.SubFactory(CustomerFactory)
    role = Membership.Role.VIEWER


class SourceFactory(DjangoModelFactory):
    """A JSON API that is polled every five minutes."""

    class Meta:
        model = Source

    customer = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"source {n}")
    ingestion_type = IngestionType.API
    url = factory.Sequence(lambda n: f"https://customer{n}.example.com/temperature/current?hours={{hours}}")


class DeliveryFactory(DjangoModelFactory):
    """A successful poll of now that brought two readings in half a second."""

    class Meta:
        model = Delivery

    customer = factory.SelfAttribute("source.customer")
    source = factory.SubFactory(SourceFactory)
    ingestion_type = factory.SelfAttribute("source.ingestion_type")
    status = Delivery.Status.SUCCESS
    started_at = factory.LazyFunction(timezone.now)
    ended_at = factory.LazyAttribute(lambda delivery: delivery.started_at + timedelta(seconds=0.5))
    records_stored = 2
    records_processed = factory.LazyAttribute(
        lambda delivery: (
            delivery.records_stored
            + delivery.records_duplicate
            + delivery.records_conflicting
            + delivery.records_rejected
        )
    )
    records_duplicate = 0
    records_conflicting = 0
    records_rejected = 0


class RejectedRowFactory(DjangoModelFactory):
    """A JSON row without a unit that waits for a person."""

    class Meta:
        model = RejectedRow

    delivery = factory.SubFactory(DeliveryFactory, status=Delivery.Status.PARTIAL, records_rejected=1)
    source = factory.SelfAttribute("delivery.source")
    customer = factory.SelfAttribute("delivery.customer")
    row_number = factory.Sequence(lambda n: n + 1)
    reason = Reason.NO_UNIT
    message = sentence(Reason.NO_UNIT)
    raw = factory.Sequence(lambda n: f'{{"temperature": {n}, "timestamp": "2026-11-23T10:11:11"}}')
    fingerprint = factory.LazyAttribute(lambda row: sha256(row.raw.encode()).digest())
    received_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.SelfAttribute("received_at")


class ConflictFactory(DjangoModelFactory):
    """A row of 9 °C that contradicts a stored reading of 5 °C. The stored reading itself is not made."""

    class Meta:
        model = Conflict

    sensor = factory.SubFactory(SensorFactory)
    storage_unit = factory.SelfAttribute("sensor.storage_unit")
    recorded_at = factory.Sequence(lambda n: datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=n))
    temperature_c = 9.0
    scale = "C"
    quality_score = 1.0
    equipment_status_id = EquipmentStatus.NORMAL
    stored_temperature_c = 5.0
    delivery = factory.LazyAttribute(
        lambda conflict: DeliveryFactory(
            source__customer=conflict.storage_unit.facility.customer, records_conflicting=1, status="partial"
        )
    )
    received_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.SelfAttribute("received_at")


class ExcursionFactory(DjangoModelFactory):
    """A warm excursion of ten minutes ago that lasts."""

    class Meta:
        model = Excursion

    storage_unit = factory.SubFactory(StorageUnitFactory)
    started_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=10))
    last_outside_at = factory.SelfAttribute("started_at")
    severity = "critical"
    peak_c = 12.0
    peak_at = factory.SelfAttribute("started_at")
    limit_version = factory.LazyAttribute(lambda excursion: version_of(excursion.storage_unit))


class AlarmFactory(DjangoModelFactory):
    """An open, critical temperature alarm of a unit of its own that began ten minutes ago. Nobody is told of it."""

    class Meta:
        model = Alarm

    storage_unit = factory.SubFactory(StorageUnitFactory)
    customer = factory.SelfAttribute("storage_unit.facility.customer")
    kind = Alarm.Kind.TEMPERATURE
    severity = "critical"
    state = Alarm.State.OPEN
    started_at = factory.LazyFunction(lambda: timezone.now() - timedelta(minutes=10))
    opened_at = factory.LazyFunction(timezone.now)
    temperature_c = 12.0
    recorded_at = factory.SelfAttribute("started_at")


class SourceAlarmFactory(AlarmFactory):
    """An open alarm of a source that is down."""

    customer = factory.SubFactory(CustomerFactory)
    storage_unit = None
    kind = Alarm.Kind.SOURCE_DOWN
    source_key = factory.LazyFunction(uuid.uuid4)
    source_name = "the depot's logger"
    temperature_c = None
    recorded_at = None


class ChannelFactory(DjangoModelFactory):
    """An e-mail channel that takes any number of messages and tells of every flap."""

    class Meta:
        model = Channel

    customer = factory.SubFactory(CustomerFactory)
    kind = Channel.Kind.EMAIL
    name = factory.Sequence(lambda n: f"channel {n}")
    address = factory.Sequence(lambda n: f"shift{n}@example.com")
    messages_a_minute = 1_000
    flap_minutes = 0


class WebhookChannelFactory(ChannelFactory):
    kind = Channel.Kind.WEBHOOK
    address = "https://receiver.example.com/alarms"
    secret = factory.LazyFunction(new_secret)


class RuleFactory(DjangoModelFactory):
    """A rule for all alarms at all hours, with one channel unless `channels` are given."""

    class Meta:
        model = Rule
        skip_postgeneration_save = True

    customer = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"rule {n}")

    @factory.post_generation
    def channels(self, create, extracted, **kwargs):
        self.channels.set([ChannelFactory(customer=self.customer)] if extracted is None else extracted)

    @factory.post_generation
    def escalation_channels(self, create, extracted, **kwargs):
        self.escalation_channels.set(extracted or [])

    @factory.post_generation
    def facilities(self, create, extracted, **kwargs):
        self.facilities.set(extracted or [])

    @factory.post_generation
    def units(self, create, extracted, **kwargs):
        self.units.set(extracted or [])


class MaintenanceWindowFactory(DjangoModelFactory):
    """Work on all of a customer's units from an hour ago for two hours."""

    class Meta:
        model = MaintenanceWindow

    customer = factory.SubFactory(CustomerFactory)
    starts_at = factory.LazyFunction(lambda: timezone.now() - timedelta(hours=1))
    ends_at = factory.LazyAttribute(lambda window: window.starts_at + timedelta(hours=2))
    reason = "defrosting"


class MessageFactory(DjangoModelFactory):
    """A message that is due, about nothing in particular."""

    class Meta:
        model = Message

    channel = factory.SubFactory(ChannelFactory)
    reason = Message.Reason.OPENED
    subject = factory.Sequence(lambda n: f"Critical: temperature, refrigerator {n}")
    body = factory.SelfAttribute("subject")
    data = factory.LazyAttribute(
        lambda message: {"type": "alarm.opened", "timestamp": "2026-11-25T10:00:00Z", "data": {"is_drill": False}}
    )


def open_alarm(at: datetime | None = None, **kwargs: Any) -> Alarm:
    """An alarm that opens now, or at `at`; whom it concerns is told."""
    at = at or timezone.now()
    alarm = AlarmFactory(**({"started_at": at, "opened_at": at} | kwargs))
    record(alarm, AlarmEvent.Kind.OPENED, at)
    return alarm


def version_of(unit: StorageUnit) -> LimitVersion:
    """The limits in force for `unit`."""
    return unit.limit_versions.order_by("-valid_from").first()


def make_token(customer: Customer | None = None, **kwargs: Any) -> tuple[ApiToken, str]:
    """A token of `customer` (a new one when None) that may read and write, with its text."""
    permissions = kwargs.pop("permissions", ["read", "write"])
    return create_token(customer or CustomerFactory(), kwargs.pop("token_name", "a token"), permissions, **kwargs)


def sensor_of(unit: StorageUnit) -> Sensor:
    """The first sensor of `unit`; made where there is none."""
    return unit.sensors.order_by("id").first() or SensorFactory(storage_unit=unit)


def store_readings(
    unit: StorageUnit,
    temperatures_c: Iterable[float | None],
    *,
    start: datetime,
    every: timedelta = timedelta(minutes=15),
    sensor: Sensor | None = None,
    scale: str = "C",
    **kwargs: Any,
) -> StoreResult:
    """Store one reading after the other of `unit`, `every` apart from `start` on. `kwargs`: fields of ReadingRow."""
    sensor_id = (sensor or sensor_of(unit)).pk
    return store(
        ReadingColumns.of_rows(
            ReadingRow(unit.pk, sensor_id, start + number * every, temperature_c, scale, **kwargs)
            for number, temperature_c in enumerate(temperatures_c)
        )
    )


def store_reading(
    unit: StorageUnit, temperature_c: float | None = 5.0, recorded_at: datetime | None = None, **kwargs: Any
) -> StoreResult:
    """Store one reading of `unit`, of now when no time is given."""
    return store_readings(unit, [temperature_c], start=recorded_at or timezone.now(), **kwargs)
