"""Who owns what: customers, their facilities, storage units and sensors, their people and their API tokens.

Primary keys are four-byte integers, because every row of the large tables contains them. API and pages use the opaque
`public_id`.
"""

from __future__ import annotations

import uuid
import zoneinfo
from datetime import datetime
from typing import TypeAlias

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now
from typing_extensions import override

from core.crypto.encrypted_field import EncryptedTextField
from core.crypto.hidden_urls import HidesUrlSecrets
from core.crypto.redaction import redact_url
from core.scope import ScopedModel, ScopeWays
from customers.account_models import Invitation as Invitation
from customers.account_models import KnownAddress as KnownAddress
from customers.account_models import KnownDevice as KnownDevice
from customers.account_models import MemberRole
from customers.account_models import SignInTries as SignInTries

CODE_MAX_LENGTH = 100
DEFAULT_INTERVAL_SECONDS = 900
STALENESS_INTERVALS = 3
MAX_INTERVAL_SECONDS = 7 * 86_400
MAX_STALENESS_LIMIT_SECONDS = 30 * 86_400

code_validator = RegexValidator(r"^[^\x00-\x1f\x7f]+$", "A code must be printable text.")


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless `name` is an IANA time zone that is the same on every machine."""
    if name in ("localtime", "posixrules", "Factory") or name.startswith(("posix/", "right/")):
        raise ValidationError(f"“{name}” depends on the machine: enter one such as Europe/London.", code="time_zone")
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValidationError(f"“{name}” is not an IANA time zone such as Europe/London.", code="time_zone") from error


class TemperatureUnit(models.TextChoices):
    """The scales that temperatures are reported in."""

    CELSIUS = "C", "°C"
    FAHRENHEIT = "F", "°F"
    KELVIN = "K", "K"


class Customer(HidesUrlSecrets, ScopedModel):
    """A business whose cold stores are monitored."""

    SCOPE = ScopeWays(customer="id", unit="facilities__units__id")
    HIDDEN_URLS = {"api_url": redact_url}

    class DataSharingMethod(models.TextChoices):
        API = "api", "JSON API"
        CSV = "csv", "CSV download"
        PUSH = "push", "push"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer_code = models.CharField(max_length=CODE_MAX_LENGTH, unique=True, validators=[code_validator])
    name = models.CharField(max_length=200)
    data_sharing_method = models.CharField(
        max_length=4, choices=DataSharingMethod.choices, default=DataSharingMethod.API
    )
    data_frequency_seconds = models.PositiveIntegerField(default=300, validators=[MinValueValidator(1)])
    max_clock_drift_seconds = models.PositiveIntegerField(
        "allowed clock drift, s",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="By how much sensors' clocks may be wrong without an alarm. Leave blank for the system's setting.",
    )
    api_url = models.CharField("API URL", max_length=2000, blank=True)
    api_url_secret = EncryptedTextField(blank=True, db_default="", default="", editable=False)
    is_active = models.BooleanField(
        default=True,
        help_text="Sources of inactive customers are paused, and their people and tokens are denied access.",
    )
    requires_reason = models.BooleanField(
        "require a reason for changes",
        default=False,
        db_default=False,
        help_text="People and tokens must state a reason for changes of limits, for deletions and the like.",
    )
    requires_signatures = models.BooleanField(
        "require signatures on alarms",
        default=False,
        db_default=False,
        help_text="Whoever acknowledges or closes an alarm signs it with their password.",
    )
    requires_second_factor = models.BooleanField(
        default=False,
        db_default=False,
        help_text="People have no access until they have set up an authenticator app or a passkey.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "customer"
        ordering = ["customer_code"]

    def __str__(self) -> str:
        return f"{self.customer_code} · {self.name}"

    @override
    def clean(self) -> None:
        self.check_hidden_urls()

    @property
    def request_api_url(self) -> str:
        """The API URL with its secrets. Raise SecretUnreadable if they can't be decrypted."""
        return self.whole_url("api_url")


# Its readings, alarms and seals are records of the customer, and what depends on the customer refers to it.
KEEPS_ITS_CUSTOMER = "Storage units stay with their customer. Add the unit to the other customer as a new one."


class Facility(ScopedModel):
    """A customer's site. Its time zone determines when its days begin and end."""

    SCOPE = ScopeWays(customer="customer_id", unit="units__id")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="facilities")
    facility_code = models.CharField(max_length=CODE_MAX_LENGTH, validators=[code_validator])
    name = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=200, blank=True)
    latitude = models.FloatField(null=True, blank=True, validators=[MinValueValidator(-90), MaxValueValidator(90)])
    longitude = models.FloatField(null=True, blank=True, validators=[MinValueValidator(-180), MaxValueValidator(180)])
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="IANA name, such as Europe/London."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # What the save in progress changes, see `customers.signals`.
    changed_attributes: frozenset[str] = frozenset()

    class Meta:
        db_table = "facility"
        ordering = ["customer_id", "facility_code"]
        verbose_name_plural = "facilities"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "facility_code"],
                name="facility_code_once_a_customer",
                violation_error_message="This customer already has a facility with this code.",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.facility_code

    @override
    def clean(self) -> None:
        own = Facility.objects.filter(pk=self.pk, units__isnull=False)
        if own.exclude(customer=self.customer_id).exists():
            raise ValidationError({"customer": KEEPS_ITS_CUSTOMER})

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)


class StorageUnit(ScopedModel):
    """A freezer, refrigerator or room that holds goods at a set temperature."""

    SCOPE = ScopeWays(customer="facility__customer_id", unit="id")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="units")
    unit_code = models.CharField(max_length=CODE_MAX_LENGTH, validators=[code_validator])
    name = models.CharField(max_length=200, blank=True)
    size_value = models.FloatField(null=True, blank=True)
    size_unit = models.CharField(max_length=20, blank=True)
    set_temperature = models.FloatField(null=True, blank=True, help_text="In the unit's own scale.")
    temperature_unit = models.CharField(
        max_length=1, choices=TemperatureUnit.choices, default=TemperatureUnit.CELSIUS, verbose_name="scale"
    )
    equipment_type = models.CharField(max_length=100, blank=True)
    interval_seconds = models.PositiveIntegerField(
        default=DEFAULT_INTERVAL_SECONDS,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_INTERVAL_SECONDS)],
        help_text="How often a reading is expected.",
    )
    gap_limit_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_STALENESS_LIMIT_SECONDS)],
        help_text="How long a reading is valid if no other follows. Leave blank for three intervals.",
    )
    # The limits in force now, in °C, for states and charts. `alarms.limits.versions` alone writes them.
    low_critical_c = models.FloatField(null=True, editable=False)
    low_warning_c = models.FloatField(null=True, editable=False)
    high_warning_c = models.FloatField(null=True, editable=False)
    high_critical_c = models.FloatField(null=True, editable=False)
    is_limit_outside = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="A temperature exactly at a limit is outside."
    )
    is_low_critical_limit_outside = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="A temperature exactly at the low critical limit is."
    )
    has_provisional_limits = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Nobody has chosen limits, so nobody is alerted."
    )
    is_synthetic = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Made for alarm drills; it holds no goods."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # What the save in progress changes, see `customers.signals`.
    changed_attributes: frozenset[str] = frozenset()

    class Meta:
        db_table = "storage_unit"
        ordering = ["facility_id", "unit_code"]
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "unit_code"],
                name="unit_code_once_a_facility",
                violation_error_message="This facility already has a storage unit with this code.",
            ),
            models.CheckConstraint(
                condition=models.Q(interval_seconds__range=(1, MAX_INTERVAL_SECONDS))
                & (
                    models.Q(gap_limit_seconds__isnull=True)
                    | models.Q(gap_limit_seconds__range=(1, MAX_STALENESS_LIMIT_SECONDS))
                ),
                name="unit_interval_and_gap_limit_in_range",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.unit_code

    @override
    def clean(self) -> None:
        of_others = StorageUnit.objects.filter(pk=self.pk).exclude(facility__customer__facilities=self.facility_id)
        if self.facility_id is not None and of_others.exists():
            raise ValidationError({"facility": KEEPS_ITS_CUSTOMER})

    @property
    def effective_staleness_limit_seconds(self) -> int:
        """How long a reading of this unit is valid if no other follows."""
        return self.gap_limit_seconds or STALENESS_INTERVALS * self.interval_seconds


class Sensor(ScopedModel):
    """A sensor in a storage unit. The code is the customer's, empty if their system names none."""

    SCOPE = ScopeWays(customer="storage_unit__facility__customer_id", unit="storage_unit_id")

    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.PROTECT, related_name="sensors")
    sensor_code = models.CharField(max_length=CODE_MAX_LENGTH, blank=True)
    retired_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="From when on the sensor does not count. Empty while it does."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "sensor"
        ordering = ["storage_unit_id", "sensor_code"]
        constraints = [
            models.UniqueConstraint(
                fields=["storage_unit", "sensor_code"],
                name="sensor_code_once_a_unit",
                violation_error_message="This storage unit already has a sensor with this code.",
            ),
        ]

    def __str__(self) -> str:
        return self.sensor_code or "(unnamed sensor)"


class Membership(ScopedModel):
    """A person's role in a customer: viewers read, operators acknowledge and resolve, managers change settings."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    Role: TypeAlias = MemberRole

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "membership"
        ordering = ["customer_id", "user_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "customer"],
                name="membership_once_a_customer",
                violation_error_message="This person is already a member of this customer.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role} of {self.customer.customer_code}"


class ApiToken(ScopedModel):
    """A customer's key to the REST API, stored as a keyed hash; see `customers.access.tokens`."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    class Permission(models.TextChoices):
        READ = "read", "read"
        WRITE = "write", "write"
        MANAGE = "manage", "manage"
        ADMIN = "admin", "admin"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="tokens")
    token_name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, editable=False, help_text="The first characters, for recognition.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    permissions = ArrayField(models.CharField(max_length=6, choices=Permission.choices))
    accessible_units = models.ManyToManyField(
        StorageUnit, blank=True, related_name="+", help_text="The only units this token may see. Leave empty for all."
    )
    # Stored in addition to the list, which loses deleted units: an empty list must not then mean all units.
    is_limited_to_units = models.BooleanField(default=False, editable=False)
    # Sources are described above this app, so it only knows their ids.
    source_public_id = models.UUIDField(
        "source", null=True, blank=True, editable=False, help_text="The only source it may push to; nothing else."
    )
    rate_limit_per_hour = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_by_token = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.CASCADE, related_name="created_tokens"
    )

    class Meta:
        db_table = "api_token"
        ordering = ["customer_id", "-created_at"]
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(permissions__contained_by=["read", "write", "manage", "admin"])
                & models.Q(permissions__len__gte=1),
                name="token_permissions_known",
                violation_error_message="A token needs at least one of read, write, manage and admin.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.token_name} ({self.prefix}…)"

    def is_usable_at(self, instant: datetime) -> bool:
        """Return whether it is neither revoked nor expired at `instant`."""
        return self.revoked_at is None and (self.expires_at is None or instant < self.expires_at)


class TokenUse(models.Model):
    """The use of a rate-limited token within the hour; see `customers.access.authentication`."""

    token = models.OneToOneField(ApiToken, on_delete=models.CASCADE, primary_key=True, related_name="+")
    hour = models.DateTimeField()
    request_count = models.PositiveIntegerField()

    class Meta:
        db_table = "token_use"

    def __str__(self) -> str:
        return f"{self.token_id}: {self.request_count} since {self.hour:%H:%M}"


class Submission(models.Model):
    """A form or request that was carried out, so that it is not a second time; see `customers.access.submissions`."""

    key = models.UUIDField(primary_key=True)
    submitted_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "submission"
        # Finds expired rows to delete.
        indexes = [models.Index(fields=["submitted_at"], name="submission_over")]

    def __str__(self) -> str:
        return str(self.key)
