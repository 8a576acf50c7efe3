"""Retiring sensors: from a moment on they do not count, because they are broken, removed or replaced.

What a sensor measured before stays, and counts for that time. An excursion that it alone kept open ends, see
`alarms.excursions.detector`; rows with its later readings are rejected, see `ingestion.loading`.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from alarms.limits.versions import EARLIEST_BACKDATED
from alarms.models import UnitLimits
from alarms.models.limit_locks import lock_limits_of_units
from alarms.thresholds import SensorPolicy
from customers.models import Sensor

logger = structlog.get_logger(__name__)


class RetirementError(ValueError):
    """The sensor cannot be retired then; the message says why, and what to do."""


def retire(sensor: Sensor, at: datetime, *, by: str) -> None:
    """Retire the sensor from `at` on, now or in the past; a signal has its unit evaluated again.

    Raise RetirementError.
    """
    if not EARLIEST_BACKDATED <= at <= timezone.now():
        raise RetirementError("A sensor can be retired from a time between 2000 and now.")
    with transaction.atomic():
        # Nobody makes it the reference sensor meanwhile: then nothing would be outside any more.
        lock_limits_of_units([sensor.storage_unit_id])
        is_reference = UnitLimits.objects.filter(
            storage_unit=sensor.storage_unit_id, named_sensor=sensor, sensor_policy=SensorPolicy.NAMED
        ).exists()
        if is_reference:
            raise RetirementError("It is the reference sensor of the unit's limits. Choose another sensor rule first.")
        _save(sensor, at, by)


def return_to_service(sensor: Sensor, *, by: str) -> None:
    """Let a retired sensor count again, also for the time in which it was retired."""
    with transaction.atomic():
        # An evaluation under way would take the request of another one away with its own.
        lock_limits_of_units([sensor.storage_unit_id])
        _save(sensor, None, by)


def _save(sensor: Sensor, retired_at: datetime | None, by: str) -> None:
    sensor.retired_at = retired_at
    # Signals request what follows before the sensor is saved: a task must not find the requests without it.
    with transaction.atomic():
        sensor.save(update_fields=["retired_at"])
    logger.info(
        "sensor retired" if retired_at else "sensor returned to service",
        storage_unit_id=sensor.storage_unit_id,
        sensor_id=sensor.pk,
        retired_at=retired_at and retired_at.isoformat(),
        by=by,
    )
