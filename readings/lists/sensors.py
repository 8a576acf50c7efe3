"""The sensors of a storage unit, with the drift of their clocks and their readings that are dated ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from customers.models import Sensor, StorageUnit
from readings.models import FutureReading
from readings.units.formatting import drift_text

UNMEASURED_TEXT = "not measured"


@dataclass(frozen=True, slots=True)
class SensorState:
    """A sensor; the drift of its clock and when that was measured are None if it was not."""

    sensor_code: str
    drift_seconds: float | None
    measured_at: datetime | None
    future_reading_count: int

    @property
    def drift_text(self) -> str:
        """The drift of the clock in words."""
        return UNMEASURED_TEXT if self.drift_seconds is None else drift_text(self.drift_seconds)


def with_future_readings(sensors: QuerySet[Sensor]) -> QuerySet[Sensor]:
    """Annotate sensors with the number of their readings that are dated ahead as `future_reading_count`."""
    waiting = FutureReading.objects.filter(storage_unit=OuterRef("storage_unit"), sensor=OuterRef("pk"))
    count = waiting.order_by().values("sensor").annotate(count=Count("*")).values("count")
    return sensors.annotate(future_reading_count=Coalesce(Subquery(count, output_field=IntegerField()), 0))


def sensor_states(unit: StorageUnit) -> list[SensorState]:
    """Return the unit's sensors by code. One query."""
    sensors = with_future_readings(Sensor.objects.filter(storage_unit=unit)).order_by("sensor_code")
    columns = ("sensor_code", "clock__drift_seconds", "clock__measured_at", "future_reading_count")
    return [SensorState(*row) for row in sensors.values_list(*columns)]
