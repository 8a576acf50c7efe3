"""Deliveries: the log of polls, pushes and imports."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.scope import ScopedModel, ScopeWays
from customers.models import Customer
from ingestion.models.source import IngestionType, Source
from ingestion.parsing.rejection_reasons import Reason

_LABELS = dict(Reason.choices) | {
    "http_status": "HTTP error",
    "invalid_url": "Invalid URL",
    "tls_failed": "TLS failed",
}

EXCERPT_LENGTH = 300


def reason_label(reason: str) -> str:
    """Return the text that presents a stored reason code to people."""
    return _LABELS.get(reason) or reason.replace("_", " ").capitalize()


class DeletedDeliveries(models.Model):
    """The totals of the deliveries of one type and status whose retention is over."""

    ingestion_type = models.CharField(max_length=6, choices=IngestionType.choices)
    status = models.CharField(max_length=7)
    deliveries = models.BigIntegerField()
    stored = models.BigIntegerField()
    duplicate = models.BigIntegerField()
    conflicting = models.BigIntegerField()
    rejected = models.BigIntegerField()
    store_seconds = models.FloatField()

    class Meta:
        db_table = "deleted_deliveries"
        constraints = [
            models.UniqueConstraint(fields=["ingestion_type", "status"], name="deleted_deliveries_once_a_status")
        ]

    def __str__(self) -> str:
        return f"{self.deliveries:,} deleted deliveries, {self.ingestion_type} {self.status}"


class Delivery(ScopedModel):
    """The log entry of one poll, push or import. Each of its rows is counted exactly once."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class Status(models.TextChoices):
        """The outcome: PARTIAL if anything is missing."""

        SUCCESS = "success", "Success"
        PARTIAL = "partial", "Partial"
        FAILURE = "failure", "Failure"

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, related_name="deliveries", db_index=False)
    ingestion_type = models.CharField(max_length=6, choices=IngestionType.choices)
    status = models.CharField(max_length=7, choices=Status.choices)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    since = models.DateTimeField(null=True, help_text="Start of the requested period.")
    until = models.DateTimeField(null=True, help_text="End of the requested period.")
    records_processed = models.PositiveIntegerField(default=0)
    records_stored = models.PositiveIntegerField(default=0)
    records_duplicate = models.PositiveIntegerField(default=0)
    records_conflicting = models.PositiveIntegerField(default=0)
    records_rejected = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)
    store_seconds = models.FloatField(default=0, db_default=0, help_text="Time taken to store the readings.")
    content_hash = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="SHA-256 of a body that need not be loaded again; empty if its times are those of receipt.",
    )
    source_url = models.TextField(blank=True, help_text="The URL without secrets, or the file name.")
    error_reason = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    response_excerpt = models.CharField(
        max_length=EXCERPT_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text="The beginning of the response to a failed poll, without secrets.",
    )
    notes = ArrayField(
        models.TextField(),
        default=list,
        db_default=models.Value([], output_field=ArrayField(models.TextField())),
        blank=True,
        help_text="How the data was understood: what was assumed, passed over or looks suspicious.",
    )
    understood = models.JSONField(
        default=list,
        db_default=models.Value([], output_field=models.JSONField()),
        blank=True,
        help_text="The first, a middle and the last row as they were understood.",
    )

    class Meta:
        db_table = "delivery"
        verbose_name_plural = "deliveries"
        ordering = ["-started_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    records_processed=models.F("records_stored")
                    + models.F("records_duplicate")
                    + models.F("records_conflicting")
                    + models.F("records_rejected")
                ),
                name="delivery_counts_every_row_once",
            )
        ]
        indexes = [
            models.Index(fields=["customer", "-started_at"], name="delivery_of_customer"),
            models.Index(fields=["source", "-started_at"], name="delivery_of_source"),
            models.Index(fields=["-started_at"], name="delivery_newest"),
            models.Index(
                fields=["source", "content_hash"], name="delivery_of_content", condition=~models.Q(content_hash="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_ingestion_type_display()}, {self.started_at:%Y-%m-%d %H:%M:%S}: {self.get_status_display()}"

    @property
    def outcome(self) -> str:
        """A one-line summary of the delivery."""
        if self.status == self.Status.FAILURE:
            return f"{self.get_status_display()} ({self.error_label}): {self.error_message}"
        if not self.records_processed:
            return f"{self.get_status_display()}: no readings received. {self.error_message}".rstrip()
        counts = (
            f"{self.records_stored} stored, {self.records_duplicate} duplicate, "
            f"{self.records_conflicting} conflicting, {self.records_rejected} rejected"
        )
        return f"{self.get_status_display()}: {counts} in {self.duration_seconds:.2f} s. {self.error_message}".rstrip()

    @property
    def error_label(self) -> str:
        """The label of `error_reason`."""
        return reason_label(self.error_reason)

    @property
    def duration_seconds(self) -> float:
        """The time from start to end."""
        return (self.ended_at - self.started_at).total_seconds()
