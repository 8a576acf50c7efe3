"""Rows that were not stored and await a decision: rejected rows and conflicts."""

from __future__ import annotations

import uuid

from django.db import models

from core.scope import ScopedModel, ScopeWays
from customers.models import CODE_MAX_LENGTH, Customer, Sensor, StorageUnit, TemperatureUnit
from ingestion.models.delivery import Delivery
from ingestion.models.source import Source
from ingestion.parsing.rejection_reasons import Reason


class RowForReview(ScopedModel):
    """A row that was not stored and awaits a decision. A repeated row is counted, not saved again.

    A row whose import was undone waits again if it is received again.
    """

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    received_at = models.DateTimeField(help_text="When it was first received.")
    seen_count = models.PositiveIntegerField(default=1, help_text="How often it was received.")
    last_seen_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True


class RejectedRow(RowForReview):
    """A row that could not be stored, saved as received."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class State(models.TextChoices):
        """Whether a decision was made, and which."""

        WAITING = "waiting", "Waiting"
        REPLAYED = "replayed", "Replayed"
        DISMISSED = "dismissed", "Dismissed"
        UNDONE = "undone", "Import undone"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="rejected_rows", db_index=False)
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, related_name="rejected_rows")
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="rejected_rows")
    row_number = models.PositiveIntegerField()
    reason = models.CharField(max_length=40, choices=Reason.choices)
    message = models.TextField()
    raw = models.TextField(help_text="The row as received.")
    header = models.TextField(blank=True, help_text="The header line for the row.")
    default_unit_code = models.CharField(max_length=CODE_MAX_LENGTH, blank=True)
    fingerprint = models.BinaryField(max_length=32, editable=False)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)

    class Meta:
        db_table = "rejected_row"
        ordering = ["-received_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["customer", "fingerprint"], name="rejected_row_kept_once")]
        indexes = [
            # For the lists of waiting rows, newest first.
            models.Index(
                fields=["customer", "-received_at"],
                name="rejected_row_waiting",
                condition=models.Q(state="waiting"),
            ),
            models.Index(
                fields=["-received_at"],
                name="rejected_row_waiting_of_all",
                condition=models.Q(state="waiting"),
            ),
        ]

    def __str__(self) -> str:
        return f"Row {self.row_number}: {self.get_reason_display()}"


class Conflict(RowForReview):
    """A row that contradicts a stored reading, which stays until a person accepts the row in its place."""

    SCOPE = ScopeWays(customer="storage_unit__facility__customer_id", unit="storage_unit_id")

    class State(models.TextChoices):
        """Whether a decision was made, and which."""

        WAITING = "waiting", "Waiting"
        ACCEPTED = "accepted", "Accepted"
        DISMISSED = "dismissed", "Dismissed"
        UNDONE = "undone", "Import undone"

    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.PROTECT, related_name="conflicts", db_index=False)
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, related_name="+", db_index=False)
    recorded_at = models.DateTimeField()
    temperature_c = models.FloatField(null=True, help_text="The temperature sent later.")
    scale = models.CharField(max_length=1, choices=TemperatureUnit.choices)
    quality_score = models.FloatField()
    equipment_status_id = models.SmallIntegerField()
    stored_temperature_c = models.FloatField(null=True, help_text="The temperature stored at the time.")
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="conflicts")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)

    class Meta:
        db_table = "reading_conflict"
        ordering = ["-received_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["storage_unit", "recorded_at", "sensor", "temperature_c"],
                nulls_distinct=False,
                name="conflict_kept_once",
            )
        ]
        indexes = [
            # For the list of waiting conflicts, newest first.
            models.Index(fields=["-received_at"], name="conflict_waiting", condition=models.Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit} {self.recorded_at:%Y-%m-%d %H:%M:%S}"
