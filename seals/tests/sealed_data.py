"""Data for tests of sealing: readings that arrived when they should have, and sealed days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.utils import timezone

from customers.models import Customer, StorageUnit
from readings.models import LateReadings, Reading
from readings.storage.closing import start_of
from seals.chain import chain_entries, chain_head
from seals.days import due_day, seal_day
from seals.models import DaySeal, SettledCheckpoint
from seals.verification.findings import Finding
from seals.verification.verify import Verification
from tests.factories import store_readings

DAY = date(2026, 6, 1)
NEXT_DAY = date(2026, 6, 2)
# Sealing began, and the customer was created, on the morning of DAY.
BEGAN_AT = datetime(2026, 6, 1, 9, tzinfo=UTC)


def store_in_time(unit: StorageUnit, temperatures_c: Iterable[float | None], *, start: datetime | None = None) -> None:
    """Store readings every quarter of an hour, from the start of DAY on, as if each had arrived a minute later."""
    store_readings(unit, temperatures_c, start=start or start_of(DAY))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reading SET created_at = recorded_at + interval '1 minute' WHERE storage_unit_id = %s", [unit.pk]
        )
    LateReadings.objects.filter(storage_unit=unit).delete()


def arrive_late(
    unit: StorageUnit, temperatures_c: list[float | None], *, start: datetime, arrived_at: datetime
) -> None:
    """Store readings as if they had arrived at that instant, after their day was closed."""
    store_readings(unit, temperatures_c, start=start)
    registered = LateReadings.objects.filter(storage_unit=unit, arrived_at__gt=timezone.now() - timedelta(minutes=5))
    Reading.objects.filter(storage_unit=unit, created_at__in=registered.values("arrived_at")).update(
        created_at=arrived_at
    )
    registered.update(arrived_at=arrived_at)


def settled_at(instant: datetime) -> SettledCheckpoint:
    """Return a checkpoint at which everything until then is complete."""
    checkpoint, _ = SettledCheckpoint.objects.update_or_create(
        pk=1, defaults={"started_at": BEGAN_AT, "settled_at": instant, "settled_entry_id": last_entry_id()}
    )
    return checkpoint


def seal_until(instant: datetime, customer: Customer | None) -> list[DaySeal]:
    """Chain all entries, and seal the days of the customer (created at BEGAN_AT) that are closed at that instant."""
    if customer is not None:
        Customer.objects.filter(pk=customer.pk).update(created_at=BEGAN_AT)
        customer.refresh_from_db()
    checkpoint = settled_at(instant)
    chain_entries(checkpoint.settled_entry_id)
    seals = []
    while due := due_day(customer, checkpoint):
        seals.append(seal_day(due, chain_head()))
    return seals


def findings_of(customer: Customer | None) -> list[Finding]:
    """Verify the customer (None: nothing but the trail and the system); return what was found."""
    return list(Verification([customer] if customer else []).findings())


def last_entry_id() -> int:
    """Return the id of the newest entry of the trail, 0 if there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM audit_entry")
        newest: int = cursor.fetchone()[0]
    return newest


def allow_tampering() -> None:
    """Disable the trigger that keeps entries, as somebody can who owns the table."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry DISABLE TRIGGER audit_keep_entries")
