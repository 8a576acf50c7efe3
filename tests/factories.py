"""Factories of customers, what they own and what they send.

A factory creates the smallest valid row, with everything above it. `store_readings` and `store_reading` store readings
through `readings.storage.store`, so that roll-ups and latest readings are consistent.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import factory
from django.contrib.auth.models import User
from django.utils import timezone
from factory.django import DjangoModelFactory

from alarms.models import CustomerLimits, LimitProfile
from customers.access.tokens import create_token
from customers.models import ApiToken, Customer, Facility, Invitation, Membership, Sensor, StorageUnit
from ingestion.models import Conflict, Delivery, FileImport, ImportFile, IngestionType, RejectedRow, Source, SourceSetup
from ingestion.parsing.rejection_reasons import Reason, message_for
from readings.models import EquipmentStatus, Reading
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.revisions import withdraw
from readings.storage.store import StoredSpan, StoreResult, store

PASSWORD = "correct horse battery staple"

Row = TypeVar("Row")


class ModelFactory(DjangoModelFactory[Row]):
    """A factory whose call is typed as the row that it returns."""

    if TYPE_CHECKING:

        def __new__(cls, **fields: Any) -> Row: ...  # type: ignore[misc]  # factory's metaclass returns the row


class UserFactory(ModelFactory[User]):
    """A person who can sign in with PASSWORD and is a member of nothing."""

    class Meta:
        model = User
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


class CustomerLimitsFactory(ModelFactory[CustomerLimits]):
    """A customer's choice of the default profile for its units."""

    class Meta:
        model = CustomerLimits

    profile = factory.LazyFunction(lambda: LimitProfile.objects.get(is_default=True))


class CustomerFactory(ModelFactory[Customer]):
    """A customer that has chosen the default profile for its units, unless `has_limits` is False."""

    class Meta:
        model = Customer
        skip_postgeneration_save = True

    class Params:
        has_limits = True

    customer_code = factory.Sequence(lambda n: f"CUSTOMER{n}")
    name = factory.LazyAttribute(lambda customer: f"Cold Stores {customer.customer_code} Ltd")
    limits = factory.Maybe("has_limits", factory.RelatedFactory(CustomerLimitsFactory, factory_related_name="customer"))


class FacilityFactory(ModelFactory[Facility]):
    class Meta:
        model = Facility

    customer = factory.SubFactory(CustomerFactory)
    facility_code = factory.Sequence(lambda n: f"facility_{n}")
    name = ""
    city = "Oxford"
    country = "England"
    time_zone = "UTC"


class StorageUnitFactory(ModelFactory[StorageUnit]):
    """A refrigerator at 5 °C that is read every 15 minutes."""

    class Meta:
        model = StorageUnit

    facility = factory.SubFactory(FacilityFactory)
    unit_code = factory.Sequence(lambda n: f"unit_{n}")
    name = factory.Sequence(lambda n: f"Refrigerator {n}")
    set_temperature = 5.0


class SensorFactory(ModelFactory[Sensor]):
    class Meta:
        model = Sensor

    storage_unit = factory.SubFactory(StorageUnitFactory)
    sensor_code = factory.Sequence(lambda n: f"sensor_{n}")


class MembershipFactory(ModelFactory[Membership]):
    """A viewer of a customer."""

    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    customer = factory.SubFactory(CustomerFactory)
    role = Membership.Role.VIEWER


class InvitationFactory(ModelFactory[Invitation]):
    """An open invitation to become a viewer, whose link nobody knows."""

    class Meta:
        model = Invitation

    customer = factory.SubFactory(CustomerFactory)
    email = factory.Sequence(lambda n: f"invited{n}@example.com")
    secret_hash = factory.Sequence(lambda n: f"{n:064x}")
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))


class SourceFactory(ModelFactory[Source]):
    """A JSON API that is polled every five minutes."""

    class Meta:
        model = Source

    customer = factory.SubFactory(CustomerFactory)
    name = factory.Sequence(lambda n: f"source {n}")
    ingestion_type = IngestionType.API
    url = factory.Sequence(lambda n: f"https://customer{n}.example.com/temperature/current?hours={{hours}}")


class PushSourceFactory(SourceFactory):
    """A source that accepts pushes."""

    ingestion_type = IngestionType.PUSH
    url = ""  # type: ignore[assignment]  # a sequence in the base class


class DeliveryFactory(ModelFactory[Delivery]):
    """A successful poll, just now, with two readings in half a second."""

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


class FileImportFactory(ModelFactory[FileImport]):
    """A draft of an import."""

    class Meta:
        model = FileImport

    customer = factory.SubFactory(CustomerFactory)
    created_by = "anna"


class ImportFileFactory(ModelFactory[ImportFile]):
    """A file with two readings and a remark of each, which waits to be stored."""

    class Meta:
        model = ImportFile

    file_import = factory.SubFactory(FileImportFactory)
    name = "fridge.csv"
    content = gzip.compress(b"time,temp,remark\n2026-11-20 10:00,4.5,a\n2026-11-20 10:10,4.6,b\n")
    size_bytes = 63


class SourceSetupFactory(ModelFactory[SourceSetup]):
    """A setup whose source was tested and has sent the readings of two units; only the limits are missing."""

    class Meta:
        model = SourceSetup

    customer = factory.SelfAttribute("source.customer")
    source = factory.SubFactory(SourceFactory, is_paused=True, ingestion_type=IngestionType.CSV)
    step = SourceSetup.Step.UNITS
    sample = gzip.compress(b"time,unit_id,temp\n2026-11-20 10:00,fridge 1,4.5\n2026-11-20 10:00,fridge 2,4.6\n")
    sample_content_type = "text/csv"
    sample_received_at = factory.LazyFunction(timezone.now)
    created_by = "anna"


class RejectedRowFactory(ModelFactory[RejectedRow]):
    """A JSON row without a unit that waits for a person."""

    class Meta:
        model = RejectedRow

    delivery = factory.SubFactory(DeliveryFactory, status=Delivery.Status.PARTIAL, records_rejected=1)
    source = factory.SelfAttribute("delivery.source")
    customer = factory.SelfAttribute("delivery.customer")
    row_number = factory.Sequence(lambda n: n + 1)
    reason = Reason.NO_UNIT
    message = message_for(Reason.NO_UNIT)
    raw = factory.Sequence(lambda n: f'{{"temperature": {n}, "timestamp": "2026-11-23T10:11:11"}}')
    fingerprint = factory.LazyAttribute(lambda row: sha256(row.raw.encode()).digest())
    received_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.SelfAttribute("received_at")


class ConflictFactory(ModelFactory[Conflict]):
    """A row of 9 °C that contradicts a stored reading of 5 °C. The stored reading itself is not created."""

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


def make_token(customer: Customer | None = None, **kwargs: Any) -> tuple[ApiToken, str]:
    """Create a token with read and write of `customer` (a new one if None); return it with its text."""
    permissions = kwargs.pop("permissions", ["read", "write", "manage"])
    return create_token(customer or CustomerFactory(), kwargs.pop("token_name", "a token"), permissions, **kwargs)


def sensor_of(unit: StorageUnit) -> Sensor:
    """Return the first sensor of `unit`, creating one if needed."""
    return unit.sensors.order_by("id").first() or SensorFactory(storage_unit=unit)


def store_readings(
    unit: StorageUnit,
    temperatures_c: Iterable[float | None],
    *,
    start: datetime,
    every: timedelta = timedelta(minutes=15),
    sensor: Sensor | None = None,
    scale: str = "C",
    received_at: datetime | None = None,
    **kwargs: Any,
) -> StoreResult:
    """Store one reading after the other of `unit`, `every` apart from `start` on. `kwargs`: fields of ReadingRow.

    Those dated after `received_at` are future readings, if it is given.
    """
    sensor_id = (sensor or sensor_of(unit)).pk
    return store(
        ReadingBatch.of_rows(
            ReadingRow(unit.pk, sensor_id, start + number * every, temperature_c, scale, **kwargs)
            for number, temperature_c in enumerate(temperatures_c)
        ),
        received_at,
    )


def store_reading(
    unit: StorageUnit, temperature_c: float | None = 5.0, recorded_at: datetime | None = None, **kwargs: Any
) -> StoreResult:
    """Store one reading of `unit`, by default of now."""
    return store_readings(unit, [temperature_c], start=recorded_at or timezone.now(), **kwargs)


def withdraw_readings(unit: StorageUnit, first: datetime, last: datetime | None = None) -> int:
    """Withdraw the readings of `unit` from `first` to `last`, or at `first` alone; return their number."""
    last = last or first
    stored = Reading.objects.filter(storage_unit=unit, recorded_at__range=(first, last))
    spans = [StoredSpan(at, unit.pk, first, last) for at in stored.values_list("created_at", flat=True)]
    return withdraw(unit, spans, by="anna", reason="A wrong file.")
