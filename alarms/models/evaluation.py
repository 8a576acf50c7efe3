"""Units whose readings could not be evaluated."""

from __future__ import annotations

from django.db import models
from django.db.models import F, QuerySet

from core.scope import ScopedModel
from customers.models import StorageUnit
from readings.models import UNIT_WAYS


class EvaluationFailure(ScopedModel):
    """A part of a unit's evaluation that failed, kept until a retry succeeds. Its readings are stored.

    Written only by `alarms.evaluation.isolation`. New readings extend the time that is to be evaluated.
    """

    SCOPE = UNIT_WAYS

    class Part(models.TextChoices):
        TEMPERATURE = "temperature", "temperature excursions"
        BUDGET = "budget", "cumulative time outside"
        MKT = "mkt", "mean kinetic temperature"
        SENSOR_FAULT = "sensor_fault", "sensor faults"

    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.CASCADE, related_name="evaluation_failures", db_index=False
    )
    part = models.CharField(max_length=12, choices=Part.choices)
    first_at = models.DateTimeField(help_text="The first reading that is not evaluated.")
    last_at = models.DateTimeField(help_text="The last reading that is not evaluated.")
    failed_at = models.DateTimeField(help_text="When it failed first.")
    attempts = models.PositiveIntegerField(default=0)
    last_attempt_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    reason = models.CharField(max_length=500, help_text="The error of the last attempt in one line.")
    error = models.TextField(help_text="The traceback of the last attempt.")

    class Meta:
        db_table = "evaluation_failure"
        ordering = ["failed_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["storage_unit", "part"], name="evaluation_failure_once_a_unit_and_part")
        ]

    def __str__(self) -> str:
        return f"{self.get_part_display()} of {self.storage_unit}"

    @classmethod
    def retry_soon(cls, failures: QuerySet[EvaluationFailure]) -> int:
        """Make these failures due at once, as after a correction; return their number."""
        return failures.update(next_attempt_at=F("last_attempt_at"))
