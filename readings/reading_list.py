"""Readings as the admin lists them: Django's admin cannot register a model with a composite key."""

from __future__ import annotations

from django.db import models

from customers.models import Sensor, StorageUnit
from readings.models import EquipmentStatus, Measurement


class ListedReading(Measurement):
    """A row of a view over `reading` with its key as one text. Query it by unit, never by that text."""

    id = models.TextField(primary_key=True)
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.DO_NOTHING, related_name="+")
    sensor = models.ForeignKey(Sensor, on_delete=models.DO_NOTHING, related_name="+")
    equipment_status = models.ForeignKey(EquipmentStatus, on_delete=models.DO_NOTHING, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "reading_list"
        verbose_name = "reading"
        # The reverse of the key's index; declared unique so that the admin adds no further sorting.
        ordering = ["-storage_unit_id", "-recorded_at", "-sensor_id"]
        constraints = [
            models.UniqueConstraint(fields=["storage_unit", "recorded_at", "sensor"], name="listed_reading_once")
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}"
