"""How readings arrive: the sources, what each delivery brought, and what could not be stored."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from core.crypto.encrypted_field import EncryptedTextField
from core.scope import ScopedModel, ScopeWays
from customers.models import CODE_MAX_LENGTH, Customer, Sensor, StorageUnit, TemperatureUnit, validate_time_zone
from ingestion.parsing.rejection_reasons import Reason
from ingestion.sources.credentials import Credentials, CredentialsKind
from ingestion.sources.mapping import FieldMapping, MappingError
from ingestion.sources.url_template import TemplateError, parse_placeholders

MAX_INTERVAL_SECONDS = 7 * 86_400


class IngestionType(models.TextChoices):
    """The ways in which readings arrive."""

    API = "api", "JSON API"
    CSV = "csv", "CSV download"
    PUSH = "push", "push"
    IMPORT = "import", "file import"


def _mapped(help_text: str, max_length: int = 100) -> models.CharField[str, str]:
    return models.CharField(max_length=max_length, blank=True, help_text=help_text)


class SourceMapping(models.Model):
    """The field mapping of a source: a column for each field of `ingestion.sources.mapping.FieldMapping`."""

    readings_path = _mapped("JSON: dotted path of the list of readings; found by itself when empty.", 200)
    delimiter = _mapped("CSV: one character; detected when empty.", 1)
    decimal_mark = _mapped("“.” or “,”; detected when empty.", 1)
    encoding = _mapped("UTF-8, or else Windows-1252, when empty.", 40)
    skip_until_header = models.BooleanField(default=False, help_text="CSV: pass over lines before the header.")
    facility_field = _mapped("Field or column of the facility's code; “=text” is a constant.")
    unit_field = _mapped("Field or column of the unit's code; “=text” is a constant.")
    unit_name_field = _mapped("Field or column of the unit's name.")
    sensor_field = _mapped("Field or column of the sensor's code; “=text” is a constant.")
    time_field = _mapped("Field or column of the time; “=received” takes the time of the response.")
    temperature_field = _mapped("Field or column of the temperature.")
    scale_field = _mapped("Field or column of the scale; “=text” is a constant.")
    quality_field = _mapped("Field or column of the quality score, 0 to 1.")
    status_field = _mapped("Field or column of the equipment status.")
    set_temperature_field = _mapped("Field or column of the set temperature.")
    time_format = _mapped("Such as %d/%m/%Y %H:%M; ISO 8601 and unambiguous common forms when empty.")
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="Of times without an offset."
    )
    scale = models.CharField(
        max_length=1, blank=True, choices=TemperatureUnit.choices, help_text="When no field or title tells it."
    )
    null_values = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="Texts that mean “no measurement”, separated by commas.",
    )

    class Meta:
        abstract = True

    @property
    def mapping(self) -> FieldMapping:
        """This source's mapping. Raises MappingError where its parts contradict each other."""
        parts = {part.name: getattr(self, part.name) for part in dataclasses.fields(FieldMapping)}
        return FieldMapping(**(parts | {"null_values": tuple(self.null_values)}))


class Source(SourceMapping, ScopedModel):
    """One place that a customer's readings come from, with its own schedule, mapping and state.

    A source with a URL is polled; one without waits for pushes and imports. `claim_id` and `lease_until` belong to
    the poll that is under way: only the holder of the claim may write the state below it.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="sources")
    name = models.CharField(max_length=200)
    ingestion_type = models.CharField(max_length=6, choices=IngestionType.choices, default=IngestionType.API)
    is_paused = models.BooleanField(default=False)

    url = models.CharField(
        "URL",
        max_length=2000,
        blank=True,
        help_text="May hold {hours}, {since}, {until} and {unit}; empty for pushes and imports.",
    )
    structure_url = models.CharField(
        "structure URL", max_length=2000, blank=True, help_text="Where the customer's facilities and units are listed."
    )
    credentials_kind = models.CharField(
        max_length=6, choices=[(kind.value, kind.value) for kind in CredentialsKind], default=CredentialsKind.NONE
    )
    credentials_name = _mapped("User, header or query parameter.", 200)
    credentials_secret = EncryptedTextField(blank=True)

    interval_seconds = models.PositiveIntegerField(
        default=300, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTERVAL_SECONDS)]
    )
    overlap_seconds = models.PositiveIntegerField(
        default=900, help_text="How far before its cursor a poll asks again, for rows that came late."
    )
    max_hours = models.PositiveIntegerField(
        default=168, validators=[MinValueValidator(1)], help_text="The longest span the source gives at once."
    )
    first_hours = models.PositiveIntegerField(default=24, help_text="The span that the first poll asks for.")

    registers_units = models.BooleanField(
        "registers what it meets",
        default=True,
        help_text="Registers unseen facilities, units and sensors; else their rows are rejected.",
    )
    default_facility_code = _mapped("For rows that name no facility.")
    default_unit_code = _mapped("For rows that name no unit.")
    unit_codes = ArrayField(
        models.CharField(max_length=CODE_MAX_LENGTH),
        default=list,
        blank=True,
        help_text="The units that {unit} in the URL stands for, separated by commas.",
    )
    facility_time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="For facilities it registers."
    )

    next_due_at = models.DateTimeField(db_default=Now(), editable=False)
    claim_id = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    cursor_at = models.DateTimeField(
        null=True, editable=False, help_text="The newest instant up to which everything is stored."
    )
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    last_polled_at = models.DateTimeField(null=True, editable=False)
    last_duration_seconds = models.FloatField(default=0, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    structure_read_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "source"
        ordering = ["customer_id", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "name"],
                name="source_name_once_a_customer",
                violation_error_message="This customer already has a source of this name.",
            ),
            models.CheckConstraint(
                condition=models.Q(interval_seconds__range=(1, MAX_INTERVAL_SECONDS)) & models.Q(max_hours__gte=1),
                name="source_interval_in_range",
            ),
        ]
        indexes = [
            # The tick that claims what is due reads this from its beginning.
            models.Index(
                fields=["next_due_at"],
                name="source_due",
                condition=models.Q(is_paused=False) & ~models.Q(url=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.customer.customer_code} · {self.name}"

    def clean(self) -> None:
        for field in ("url", "structure_url"):
            try:
                parse_placeholders(getattr(self, field).replace("{unit}", ""))
            except TemplateError as error:
                raise ValidationError({field: str(error)}) from error
        try:
            self.mapping  # noqa: B018  building it checks it
        except MappingError as error:
            raise ValidationError({error.field: str(error)}) from error

    @property
    def credentials(self) -> Credentials:
        """What the source authenticates with. Raises SecretUnreadable."""
        return Credentials(
            CredentialsKind(self.credentials_kind), self.credentials_name, self.credentials_secret.reveal()
        )

    @property
    def is_polled(self) -> bool:
        return bool(self.url)

    def is_polling_at(self, instant: datetime) -> bool:
        """Does a poll hold an unexpired claim?"""
        return self.lease_until is not None and self.lease_until > instant

    def is_late_at(self, instant: datetime) -> bool:
        """Has a source that should be polled had no success for three of its intervals and a minute of grace?"""
        if self.is_paused or not self.is_polled:
            return False
        since = self.last_success_at or self.created_at
        return instant - since > timedelta(seconds=3 * self.interval_seconds + 60)


class SourceUnit(models.Model):
    """A unit that a source has brought readings of: whose silence the source's failing explains."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "source_unit"
        constraints = [models.UniqueConstraint(fields=["source", "storage_unit"], name="source_unit_once")]

    def __str__(self) -> str:
        return f"{self.source_id} brings {self.storage_unit_id}"


class Delivery(ScopedModel):
    """One poll, push or import: what it brought and what became of it. Every row of it is counted exactly once."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class Status(models.TextChoices):
        SUCCESS = "success", "success"
        PARTIAL = "partial", "partial"
        FAILURE = "failure", "failure"

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, related_name="deliveries", db_index=False)
    ingestion_type = models.CharField(max_length=6, choices=IngestionType.choices)
    status = models.CharField(max_length=7, choices=Status.choices)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    since = models.DateTimeField(null=True, help_text="The beginning of the span that was asked for.")
    until = models.DateTimeField(null=True, help_text="The end of the span that was asked for.")
    records_processed = models.PositiveIntegerField(default=0)
    records_stored = models.PositiveIntegerField(default=0)
    records_duplicate = models.PositiveIntegerField(default=0)
    records_conflicting = models.PositiveIntegerField(default=0)
    records_rejected = models.PositiveIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)
    store_seconds = models.FloatField(default=0, db_default=0, help_text="How long storing its readings took.")
    source_url = models.TextField(blank=True, help_text="Where it came from, without secrets; a file's name.")
    error_reason = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)

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
            # The newest deliveries of a customer, of a source, and of all.
            models.Index(fields=["customer", "-started_at"], name="delivery_of_customer"),
            models.Index(fields=["source", "-started_at"], name="delivery_of_source"),
            models.Index(fields=["-started_at"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.ingestion_type} of {self.started_at:%Y-%m-%d %H:%M:%S}: {self.status}"

    @property
    def outcome(self) -> str:
        """What became of the delivery, on one line for people."""
        if self.status == self.Status.FAILURE:
            return f"failure ({self.error_reason}): {self.error_message}"
        counts = (
            f"{self.records_stored} stored, {self.records_duplicate} duplicate, "
            f"{self.records_conflicting} conflicting, {self.records_rejected} rejected"
        )
        return f"{self.status}: {counts} in {self.duration_seconds:.2f} s. {self.error_message}".rstrip()

    @property
    def duration_seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


class SetAside(ScopedModel):
    """A row that was not stored and waits for a person's decision. Sent again it is counted, not kept again."""

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    received_at = models.DateTimeField(help_text="When it was first sent.")
    seen_count = models.PositiveIntegerField(default=1, help_text="How often it was sent.")
    last_seen_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True


class RejectedRow(SetAside):
    """A row that could not be stored, kept as it was sent."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        REPLAYED = "replayed", "replayed"
        DISMISSED = "dismissed", "dismissed"

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="rejected_rows", db_index=False)
    source = models.ForeignKey(Source, null=True, on_delete=models.SET_NULL, related_name="rejected_rows")
    delivery = models.ForeignKey(Delivery, null=True, on_delete=models.SET_NULL, related_name="rejected_rows")
    row_number = models.PositiveIntegerField()
    reason = models.CharField(max_length=40, choices=Reason.choices)
    message = models.TextField()
    raw = models.TextField(help_text="The row as it was sent.")
    header = models.TextField(blank=True, help_text="The header line that names the row's columns.")
    default_unit_code = models.CharField(max_length=CODE_MAX_LENGTH, blank=True)
    fingerprint = models.BinaryField(max_length=32, editable=False)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)

    class Meta:
        db_table = "rejected_row"
        ordering = ["-received_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["customer", "fingerprint"], name="rejected_row_kept_once")]
        indexes = [
            # What waits for a person, newest first: of a customer, and of all.
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
        return f"row {self.row_number}: {self.reason}"


class Conflict(SetAside):
    """A row that contradicts a stored reading. The stored one stays until a person accepts this one in its place."""

    SCOPE = ScopeWays(customer="storage_unit__facility__customer_id", unit="storage_unit_id")

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        ACCEPTED = "accepted", "accepted"
        DISMISSED = "dismissed", "dismissed"

    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.PROTECT, related_name="conflicts", db_index=False)
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, related_name="+", db_index=False)
    recorded_at = models.DateTimeField()
    temperature_c = models.FloatField(null=True, help_text="What was sent later.")
    scale = models.CharField(max_length=1, choices=TemperatureUnit.choices)
    quality_score = models.FloatField()
    equipment_status_id = models.SmallIntegerField()
    stored_temperature_c = models.FloatField(null=True, help_text="What was stored when it came.")
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
            # What waits for a person, newest first.
            models.Index(fields=["-received_at"], name="conflict_waiting", condition=models.Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit} {self.recorded_at:%Y-%m-%d %H:%M:%S}"
