"""The readings as the admin lists them: Django's admin can't register a model with a composite key."""

from __future__ import annotations

from django.db import models

from customers.models import Sensor, StorageUnit
from readings.models import EquipmentStatus, Measurement


class ListedReading(Measurement):
    """A row of a view over `reading` with its key as one text. Ask for one unit's rows, never by the text."""

    id = models.TextField(primary_key=True)
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.DO_NOTHING, related_name="+")
    sensor = models.ForeignKey(Sensor, on_delete=models.DO_NOTHING, related_name="+")
    equipment_status = models.ForeignKey(EquipmentStatus, on_delete=models.DO_NOTHING, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "reading_list"
        verbose_name = "reading"
        # The direction of the key's index, backwards; and told unique, so that the admin sorts by nothing else.
        ordering = ["-storage_unit_id", "-recorded_at", "-sensor_id"]
        constraints = [
            models.UniqueConstraint(fields=["storage_unit", "recorded_at", "sensor"], name="listed_reading_once")
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}"
