"""Putting another measurement in the place of a stored one, when a person has decided so."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from customers.models import StorageUnit
from readings.models import Reading
from readings.storage.rollups import recount
from readings.storage.store import lock_units


@transaction.atomic
def replace(
    unit: StorageUnit,
    sensor_id: int,
    recorded_at: datetime,
    *,
    temperature_c: float | None,
    scale: str,
    quality_score: float,
    equipment_status_id: int,
) -> float | None:
    """Replace the stored measurement of (unit, sensor, time); return the temperature that stood there.

    Roll-ups and the latest reading follow. Raises Reading.DoesNotExist.
    """
    lock_units([unit.pk])
    stored = Reading.objects.filter(storage_unit=unit, sensor_id=sensor_id, recorded_at=recorded_at)
    before = stored.get().temperature_c
    stored.update(
        temperature_c=temperature_c,
        scale=scale,
        quality_score=quality_score,
        equipment_status_id=equipment_status_id,
    )
    recount(unit, sensor_id, recorded_at)
    return before
