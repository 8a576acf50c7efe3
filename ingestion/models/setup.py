"""The guided setup of a source: which step a person has reached, and what the source sent when it was tested."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now

from core.scope import ScopedModel, ScopeWays
from customers.models import Customer
from ingestion.models.source import Source


class SourceSetup(ScopedModel):
    """An unfinished setup. Its source is paused until the setup is finished, and then the setup is deleted."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class Step(models.TextChoices):
        """The steps in their order."""

        CONNECTION = "connection", "Connection"
        DATA = "data", "Data"
        SCHEDULE = "schedule", "Schedule"
        UNITS = "units", "Storage units"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="source_setups")
    source = models.OneToOneField(Source, null=True, on_delete=models.CASCADE, related_name="setup")
    step = models.CharField(max_length=10, choices=Step.choices, default=Step.CONNECTION, help_text="The furthest one.")
    sample = models.BinaryField(default=b"", help_text="The response to the last test, compressed by gzip.")
    sample_content_type = models.CharField(max_length=200, blank=True)
    sample_received_at = models.DateTimeField(null=True)
    test_reason = models.CharField(max_length=40, blank=True, help_text="Why the last test failed, if it did.")
    test_message = models.TextField(blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "source_setup"
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.customer.customer_code} · {self.source.name if self.source else 'new source'}"

    def has_reached(self, step: str) -> bool:
        """Return whether the person may open this step."""
        order = list(self.Step)
        return order.index(self.Step(step)) <= order.index(self.Step(self.step))

    def reach(self, step: Step) -> None:
        """Note that the person may open this step; the caller saves it."""
        if not self.has_reached(step):
            self.step = step
