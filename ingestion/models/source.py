"""Sources: where a customer's readings come from, with schedule, field mapping and state."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from typing_extensions import override

from core.crypto.encrypted_field import EncryptedTextField
from core.crypto.encryption import SecretUnreadable
from core.scope import ScopedModel, ScopeWays
from customers.models import CODE_MAX_LENGTH, Customer, StorageUnit, TemperatureUnit, validate_time_zone
from ingestion.models.source_address import SourceAddress
from ingestion.models.source_request import SourceFiles, SourceRequest, SourceSubscription
from ingestion.models.source_secrets import check_secrets_stay
from ingestion.sources import SettingError
from ingestion.sources.credentials import Credentials, CredentialsKind
from ingestion.sources.mapping import AS_UNITS, FieldMapping
from ingestion.sources.message_formats import FORMATS, with_defaults

MAX_INTERVAL_SECONDS = 7 * 86_400
# A longer period would begin before the first year of the calendar.
MAX_HOURS = 876_000
# A polled source is late after this many intervals and the grace without success.
LATE_INTERVALS = 3
LATE_GRACE = timedelta(seconds=60)


class IngestionType(models.TextChoices):
    """How a source's readings are received."""

    API = "api", "JSON API"
    CSV = "csv", "CSV download"
    PUSH = "push", "Push"
    IMPORT = "import", "File import"
    MQTT = "mqtt", "MQTT"
    FOLDER = "folder", "Folder"
    SFTP = "sftp", "SFTP"
    S3 = "s3", "S3"


def _optional_text(help_text: str, max_length: int = 100) -> models.CharField[str, str]:
    return models.CharField(max_length=max_length, blank=True, help_text=help_text)


class SourceMapping(models.Model):
    """The field mapping of a source: one column per field of `ingestion.sources.mapping.FieldMapping`."""

    readings_path = _optional_text("JSON: dotted path of the list of readings. Leave empty to detect it.", 200)
    delimiter = _optional_text("CSV: one character. Leave empty to detect it.", 1)
    decimal_mark = _optional_text("“.” or “,”. Leave empty to detect it.", 1)
    encoding = _optional_text("Leave empty for UTF-8 with Windows-1252 as fallback.", 40)
    skip_until_header = models.BooleanField(default=False, help_text="CSV: skip lines before the header.")
    facility_field = _optional_text("Field or column of the facility's code; “=text” is a constant.")
    unit_field = _optional_text("Field or column of the unit's code; “=text” is a constant.")
    unit_name_field = _optional_text("Field or column of the unit's name.")
    sensor_field = _optional_text("Field or column of the sensor's code; “=text” is a constant.")
    time_field = _optional_text("Field or column of the time; “=received” uses the time of the response.")
    temperature_field = _optional_text("Field or column of the temperature.")
    scale_field = _optional_text("Field or column of the scale; “=text” is a constant.")
    quality_field = _optional_text("Field or column of the quality score, 0 to 1.")
    status_field = _optional_text("Field or column of the equipment status.")
    set_temperature_field = _optional_text("Field or column of the set temperature.")
    date_field = _optional_text("Field or column of the date, if the time's holds only the time of day.")
    several_temperatures = models.CharField(
        max_length=7,
        blank=True,
        choices=[("", "Sensors of one unit"), (AS_UNITS, "Storage units")],
        help_text="What several temperature columns are.",
    )
    row_filter = _optional_text("Read only some rows, for example: _field = temperature, temp.", 200)
    time_format = _optional_text(
        "For example %d/%m/%Y %H:%M, or excel for a spreadsheet's days. Leave empty for unambiguous common formats."
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="For times without an offset."
    )
    scale = models.CharField(
        max_length=1,
        blank=True,
        choices=TemperatureUnit.choices,
        help_text="If no field or column title gives the scale.",
    )
    factor = models.FloatField(default=1, db_default=1, help_text="Temperatures are multiplied by it.")
    offset = models.FloatField(default=0, db_default=0, help_text="Added to temperatures, on the scale that was sent.")
    null_values = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text="Values that mean “no measurement”, separated by commas.",
    )
    error_values = ArrayField(
        models.CharField(max_length=40),
        default=list,
        db_default=models.Value([], output_field=ArrayField(models.CharField(max_length=40))),
        blank=True,
        help_text="Numbers by which sensors report faults, separated by commas, for example 85, -127, 327.67, 999.9."
        " Rows with them are rejected.",
    )
    skips_without_temperature = models.BooleanField(
        "skip rows without a temperature",
        default=False,
        db_default=False,
        help_text="Otherwise they are readings without a measurement.",
    )
    accepts_old_readings = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Store readings from years ago, which otherwise wait for review: the device's clock may have been"
        " reset.",
    )

    class Meta:
        abstract = True

    @property
    def mapping(self) -> FieldMapping:
        """The field mapping. Raise SettingError if its settings contradict each other."""
        parts = {part.name: getattr(self, part.name) for part in dataclasses.fields(FieldMapping)}
        lists = {"null_values": tuple(self.null_values), "error_values": tuple(self.error_values)}
        return FieldMapping(**(parts | lists))


class Source(SourceMapping, SourceAddress, SourceRequest, SourceSubscription, SourceFiles, ScopedModel):
    """An origin of a customer's readings, with its own schedule, field mapping and state.

    A source with a URL is polled; one without a URL accepts pushes and imports. `claim_id` and `lease_until` belong
    to the running poll: only the holder of the claim may write the state fields below them.
    """

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="sources")
    name = models.CharField(max_length=200)
    ingestion_type = models.CharField(max_length=6, choices=IngestionType.choices, default=IngestionType.API)
    is_paused = models.BooleanField(default=False)
    message_format = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        choices=[(name, known.label) for name, known in FORMATS.items()],
        help_text="Messages of a LoRaWAN network server. Its field mapping applies where none is set below.",
    )

    credentials_kind = models.CharField(
        max_length=6, choices=[(kind.value, kind.value) for kind in CredentialsKind], default=CredentialsKind.NONE
    )
    credentials_name = _optional_text("Name of the user, header or query parameter, or the client's id.", 200)
    credentials_secret = EncryptedTextField(blank=True)

    interval_seconds = models.PositiveIntegerField(
        default=300, validators=[MinValueValidator(1), MaxValueValidator(MAX_INTERVAL_SECONDS)]
    )
    overlap_seconds = models.PositiveIntegerField(
        default=900, help_text="How far before the cursor each poll starts, to catch late rows."
    )
    max_hours = models.PositiveIntegerField(
        default=168, validators=[MinValueValidator(1)], help_text="The longest period the source returns per request."
    )
    first_hours = models.PositiveIntegerField(default=24, help_text="The period requested by the first poll.")

    registers_units = models.BooleanField(
        "register new units",
        default=True,
        help_text="Register unknown facilities, units and sensors; otherwise their rows are rejected.",
    )
    default_facility_code = _optional_text("For rows without a facility.")
    default_unit_code = _optional_text("For rows without a unit.")
    unit_codes = ArrayField(
        models.CharField(max_length=CODE_MAX_LENGTH),
        default=list,
        blank=True,
        help_text="The values of {unit} in the URL, separated by commas.",
    )
    facility_time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="For facilities registered by this source.",
    )

    next_due_at = models.DateTimeField(db_default=Now(), editable=False)
    claim_id = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    cursor_at = models.DateTimeField(null=True, editable=False, help_text="Everything up to this instant is stored.")
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    polls_begun = models.PositiveSmallIntegerField(
        default=0, db_default=0, editable=False, help_text="In a row, since one ended or failed."
    )
    last_polled_at = models.DateTimeField(null=True, editable=False)
    last_duration_seconds = models.FloatField(default=0, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    structure_read_at = models.DateTimeField(null=True, editable=False)
    looked_back_at = models.DateTimeField(
        null=True, editable=False, help_text="When the whole first period was last requested again."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "source"
        ordering = ["customer_id", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "name"],
                name="source_name_once_a_customer",
                violation_error_message="This customer already has a source with this name.",
            ),
            models.CheckConstraint(
                condition=models.Q(interval_seconds__range=(1, MAX_INTERVAL_SECONDS)) & models.Q(max_hours__gte=1),
                name="source_interval_in_range",
            ),
        ]
        indexes = [
            # Claiming due sources reads this index from its start.
            models.Index(
                fields=["next_due_at"],
                name="source_due",
                condition=models.Q(is_paused=False) & ~models.Q(url=""),
            )
        ]

    def __str__(self) -> str:
        return f"{self.customer.customer_code} · {self.name}"

    @override
    def clean(self) -> None:
        stored = Source.objects.filter(pk=self.pk).first()
        self.check_addresses(stored)
        self._clean_request()
        self._clean_spans()
        try:
            self.mapping  # noqa: B018  building the mapping validates it
        except SettingError as error:
            raise ValidationError({error.field: str(error)}) from error
        if stored:
            check_secrets_stay(self, stored)

    def _clean_spans(self) -> None:
        for name in ("max_hours", "first_hours"):
            hours = getattr(self, name)
            if isinstance(hours, int) and hours > MAX_HOURS:
                raise ValidationError({name: f"{name} must be at most {MAX_HOURS:,}, which is a hundred years."})

    def _clean_request(self) -> None:
        kind = CredentialsKind(self.credentials_kind)
        if kind == CredentialsKind.OAUTH2 and not self.token_url.startswith(("https://", "http://")):
            raise ValidationError({"token_url": "token_url must be the URL that issues access tokens."})
        try:
            self.check_subscription(kind, is_subscribed=self.ingestion_type == IngestionType.MQTT, url=self.url)
            self.check_files(kind, self.ingestion_type, self.request_url)
            self.check_request(kind, self.credentials_name, self.request_body)
        except SettingError as error:
            raise ValidationError({error.field: str(error)}) from error
        except SecretUnreadable as error:
            raise ValidationError({"request_headers": str(error)}) from error

    @property
    @override
    def mapping(self) -> FieldMapping:
        """The field mapping, with that of the message format. Raise SettingError if settings contradict each other."""
        return with_defaults(super().mapping, self.message_format)

    @property
    def credentials(self) -> Credentials:
        """The source's credentials. Raise SecretUnreadable if the secret can't be decrypted."""
        further = [value for _, value in self.headers]
        if self.access_token:
            further.append(self.access_token.reveal())
        kind = CredentialsKind(self.credentials_kind)
        return Credentials(kind, self.credentials_name, self.credentials_secret.reveal(), tuple(further))

    @property
    def is_requested_by_unit(self) -> bool:
        """Whether there is a request for each of its unit codes."""
        return "{unit}" in self.url or "{unit}" in self.request_body

    @property
    def is_polled(self) -> bool:
        """Whether the source has a URL to poll."""
        return bool(self.url)

    def is_polling_at(self, instant: datetime) -> bool:
        """Return whether a poll holds an unexpired claim."""
        return self.lease_until is not None and self.lease_until > instant

    def is_late_at(self, instant: datetime) -> bool:
        """Return whether a polled source has had no success for LATE_INTERVALS intervals and LATE_GRACE."""
        if self.is_paused or not self.is_polled:
            return False
        since = self.last_success_at or self.created_at
        return instant - since > timedelta(seconds=LATE_INTERVALS * self.interval_seconds) + LATE_GRACE


class SourceSchedule(Source):
    """A source as an entry of the polling schedule, for the admin."""

    class Meta:
        proxy = True
        verbose_name = "polling schedule"


class SourceUnit(models.Model):
    """A storage unit a source delivers readings of; if the source fails, it explains the unit's missing data.

    `complete_until`, `looked_at` and `ahead_since` belong to `ingestion.polling.progress`: up to where the unit's
    readings are stored without a gap, when they were last looked for, and since when there are rows after a gap.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.CASCADE, related_name="+")
    complete_until = models.DateTimeField(null=True, editable=False)
    looked_at = models.DateTimeField(null=True, editable=False)
    ahead_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "source_unit"
        constraints = [models.UniqueConstraint(fields=["source", "storage_unit"], name="source_unit_once")]

    def __str__(self) -> str:
        return f"source {self.source_id}, storage unit {self.storage_unit_id}"


class ReceivedMessage(models.Model):
    """A message that was stored, kept for a while so that a copy of it is recognised."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.BinaryField(max_length=32)
    received_at = models.DateTimeField()

    class Meta:
        db_table = "received_message"
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="received_message_once")]

    def __str__(self) -> str:
        return f"source {self.source_id}, {self.received_at:%Y-%m-%d %H:%M:%S}"


class SourceFile(models.Model):
    """A file at the place of a source, as a poll last saw it."""

    class State(models.TextChoices):
        """What became of it. SEEN: it may still be written. LEFT: it has ended its worker several times."""

        SEEN = "seen", "Seen"
        LOADED = "loaded", "Loaded"
        FAILED = "failed", "Failed"
        LEFT = "left", "Left out"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    path = models.CharField(max_length=1000)
    size_bytes = models.PositiveBigIntegerField()
    modified_at = models.DateTimeField()
    content_hash = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of what was loaded.")
    state = models.CharField(max_length=6, choices=State.choices)
    failures_in_a_row = models.PositiveIntegerField(default=0)
    reads_begun = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="In a row, since one ended or failed."
    )
    retry_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "source_file"
        constraints = [models.UniqueConstraint(fields=["source", "path"], name="source_file_once")]

    def __str__(self) -> str:
        return self.path
