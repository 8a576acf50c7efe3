"""Replacing and withdrawing stored readings, on record.

Sealed readings do not change unnoticed: whoever replaces or withdraws one writes what it was as a ReadingRevision, from
which the sealed state can be shown again. A change made in any other way is reported by `manage.py verify_trail`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from customers.models import StorageUnit
from readings.models import FutureReading, Reading, ReadingRevision
from readings.storage.archive.reading import recall
from readings.storage.rollups import recount
from readings.storage.store import StoredSpan, lock_units

# The instants at which a unit's readings were stored tell them from others in the same time.
_WHERE = """storage_unit_id = %(unit_id)s AND recorded_at BETWEEN %(first)s AND %(last)s
    AND created_at = ANY(%(stored_at)s::timestamptz[])"""
# Before the readings are deleted: a deletion with a record is not recorded again, see `audit.declarations`.
_RECORD = """
INSERT INTO reading_revision (storage_unit_id, sensor_id, recorded_at, arrived_at, before_temperature_c,
    before_quality_score, before_equipment_status_id, before_scale, after_scale, revised_at, by, reason)
SELECT storage_unit_id, sensor_id, recorded_at, created_at, temperature_c, quality_score, equipment_status_id, scale,
    '', statement_timestamp(), %(by)s, %(reason)s
"""
RECORD = f"{_RECORD} FROM reading WHERE {_WHERE} ORDER BY recorded_at, sensor_id"
# Those dated ahead were no readings yet, but what replaced one is on record, and what became of it must be, too.
RECORD_REVISED_FUTURE = f"""{_RECORD} FROM future_reading AS future WHERE {_WHERE} AND EXISTS (
    SELECT FROM reading_revision AS earlier WHERE earlier.storage_unit_id = future.storage_unit_id
        AND earlier.recorded_at = future.recorded_at AND earlier.sensor_id = future.sensor_id
        AND earlier.arrived_at = future.created_at
) ORDER BY recorded_at, sensor_id
"""
WITHDRAW = f"DELETE FROM reading WHERE {_WHERE}"  # noqa: S608  constants only
FORGET_FUTURE = f"DELETE FROM future_reading WHERE {_WHERE}"  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class NewMeasurement:
    """What replaces a stored measurement."""

    temperature_c: float | None
    scale: str
    quality_score: float
    equipment_status_id: int


@transaction.atomic
def replace_measurement(
    unit: StorageUnit, sensor_id: int, recorded_at: datetime, new: NewMeasurement, *, by: str, reason: str
) -> float | None:
    """Replace the stored measurement of (unit, sensor, time); return the temperature before.

    Roll-ups and the latest reading follow; a future reading affects neither. Raises FutureReading.DoesNotExist if
    neither a reading nor a future one is stored.
    """
    lock_units([unit.pk])
    recall([unit.pk], recorded_at, recorded_at)
    key: dict[str, object] = {"storage_unit": unit, "sensor_id": sensor_id, "recorded_at": recorded_at}
    stored = Reading.objects.filter(**key).first() or FutureReading.objects.get(**key)
    before: float | None = stored.temperature_c
    _record_replacement(stored, new, by, reason)
    stored.temperature_c, stored.scale = new.temperature_c, new.scale
    stored.quality_score, stored.equipment_status_id = new.quality_score, new.equipment_status_id
    stored.save(update_fields=["temperature_c", "scale", "quality_score", "equipment_status"])
    if isinstance(stored, Reading):
        recount(unit, sensor_id, recorded_at)
    return before


@transaction.atomic
def withdraw(unit: StorageUnit, spans: Sequence[StoredSpan], *, by: str, reason: str) -> int:
    """Remove the readings of `unit` that were stored in these spans, with a few statements; return their number.

    What they were stays on record. Those dated ahead, which are counted too, were no readings yet and are forgotten,
    unless they were replaced before.
    The caller rebuilds the unit's roll-ups and evaluates it again.
    """
    if not spans:
        return 0
    lock_units([unit.pk])
    recall([unit.pk], min(span.first for span in spans), max(span.last for span in spans))
    parameters: dict[str, int | str | datetime | list[datetime]] = {
        "unit_id": unit.pk,
        "stored_at": sorted({span.stored_at for span in spans}),
        "first": min(span.first for span in spans),
        "last": max(span.last for span in spans),
        "by": by,
        "reason": reason,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECORD_REVISED_FUTURE, parameters)
        cursor.execute(FORGET_FUTURE, parameters)
        withdrawn: int = cursor.rowcount
        cursor.execute(RECORD, parameters)
        cursor.execute(WITHDRAW, parameters)
        withdrawn += cursor.rowcount
    return withdrawn


def _record_replacement(stored: Reading | FutureReading, new: NewMeasurement, by: str, reason: str) -> None:
    ReadingRevision.objects.create(
        storage_unit_id=stored.storage_unit_id,
        sensor_id=stored.sensor_id,
        recorded_at=stored.recorded_at,
        arrived_at=stored.created_at,
        before_temperature_c=stored.temperature_c,
        before_quality_score=stored.quality_score,
        before_equipment_status_id=stored.equipment_status_id,
        before_scale=stored.scale,
        after_temperature_c=new.temperature_c,
        after_quality_score=new.quality_score,
        after_equipment_status_id=new.equipment_status_id,
        after_scale=new.scale,
        by=by,
        reason=reason,
    )
