"""Imports of files by people: the files until they are stored, the mapping, and what was stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.db.models.functions import Now

from core.scope import ScopedModel, ScopeWays
from customers.models import CODE_MAX_LENGTH, Customer
from ingestion.models.delivery import Delivery
from ingestion.models.source import SourceMapping
from readings.storage.store import StoredSpan


class SavedMapping(SourceMapping, ScopedModel):
    """The mapping of a customer's files with one header, which is recognised in its next files."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="saved_mappings", db_index=False)
    name = models.CharField(max_length=200)
    header_digest = models.CharField(max_length=64, editable=False, help_text="The digest of the header's titles.")
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "saved_mapping"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "header_digest"], name="saved_mapping_once_a_header")
        ]

    def __str__(self) -> str:
        return self.name


class FileImport(ScopedModel):
    """Files that a person imports together. `claim_id` and `lease_until` belong to the worker that stores them.

    A worker that is killed loses its lease, and the next one continues with the file that was not stored.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class State(models.TextChoices):
        """What happens to the files next."""

        DRAFT = "draft", "Not stored yet"
        STORING = "storing", "Storing"
        STORED = "stored", "Stored"
        UNDOING = "undoing", "Undoing"
        UNDONE = "undone", "Undone"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="file_imports", db_index=False)
    state = models.CharField(max_length=7, choices=State.choices, default=State.DRAFT)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=200)
    undone_at = models.DateTimeField(null=True, editable=False)
    undone_by = models.CharField(max_length=200, blank=True)
    undo_reason = models.TextField(blank=True)
    # Since when a draft waits for its person, or from when on a worker stores or undoes the import.
    due_at = models.DateTimeField(db_default=Now(), editable=False)
    claim_id = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "file_import"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["customer", "-created_at"], name="file_import_of_customer"),
            # Claiming due imports reads this index from its start.
            models.Index(
                fields=["due_at"], name="file_import_due", condition=models.Q(state__in=["storing", "undoing"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer.customer_code} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_running(self) -> bool:
        """Whether a worker stores or undoes it, or is about to."""
        return self.state in (self.State.STORING, self.State.UNDOING)


class ImportFile(SourceMapping, ScopedModel):
    """A file of an import with its mapping, its content until it is stored, and what it stored, for undoing.

    `header_digest` and `header_titles` are those of the header as it was uploaded: files with the same columns are
    mapped together. A waiting file with an `error_message` cannot be stored with its mapping.
    """

    SCOPE = ScopeWays(customer="file_import__customer_id", unit=None)

    class State(models.TextChoices):
        """What became of the file."""

        WAITING = "waiting", "Waiting"
        STORED = "stored", "Stored"
        FAILED = "failed", "Failed"
        UNDONE = "undone", "Undone"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    file_import = models.ForeignKey(FileImport, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=200)
    size_bytes = models.PositiveBigIntegerField()
    content = models.BinaryField(help_text="Compressed by gzip; empty once it is stored.")
    unit_code = models.CharField(
        max_length=CODE_MAX_LENGTH, blank=True, help_text="The unit of rows without one; empty for the file's name."
    )
    header_digest = models.CharField(max_length=64, blank=True, db_default="", default="", editable=False)
    header_titles = models.CharField(max_length=200, blank=True, db_default="", default="", editable=False)
    mapping_origin = models.CharField(
        max_length=200, blank=True, db_default="", default="", help_text="The template or saved mapping in use."
    )
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    read_bytes = models.PositiveBigIntegerField(default=0, help_text="How much of it has been stored, or undone.")
    error_message = models.TextField(blank=True)
    delivery = models.OneToOneField(Delivery, null=True, on_delete=models.SET_NULL, related_name="import_file")
    spans = models.JSONField(default=list, help_text="When rows were stored, and their spans by unit.")

    class Meta:
        db_table = "import_file"
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def stored_spans(self) -> list[StoredSpan]:
        """What was stored of it, also by replays of its rejected rows."""
        return [
            StoredSpan(datetime.fromisoformat(at), unit_id, *map(datetime.fromisoformat, ends))
            for at, unit_id, *ends in self.spans
        ]

    def note_stored(self, spans: Iterable[StoredSpan]) -> None:
        """Add what was stored."""
        self.spans += [
            [span.stored_at.isoformat(), span.unit_id, span.first.isoformat(), span.last.isoformat()] for span in spans
        ]
