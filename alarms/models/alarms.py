"""Alarms, their events, sensor faults and maintenance windows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now
from typing_extensions import override

from alarms.models.excursions import SEVERITIES, Excursion
from core.scope import ScopedModel, ScopeWays
from customers.models import Customer, Facility, Sensor, StorageUnit
from readings.models import UNIT_WAYS

# Outside of this time an instant may not exist in every time zone, and Python could not read it from the database.
EARLIEST_MAINTENANCE, LATEST_MAINTENANCE = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Alarm(ScopedModel):
    """An alarm: pending while its delay runs, then open, acknowledged and closed.

    The condition holds from `started_at` to `ended_at`; the alarm closes automatically once it has been over for the
    clearing delay. Cause and corrective action may be added at any time after, see `alarms.lifecycle.actions`. Written
    only by `alarms.lifecycle.transitions` and `alarms.lifecycle.actions`.
    """

    SCOPE = ScopeWays(customer="customer_id", unit="storage_unit_id")

    class Kind(models.TextChoices):
        TEMPERATURE = "temperature", "temperature"
        NO_DATA = "no_data", "no data"
        SENSOR_FAULT = "sensor_fault", "sensor fault"
        CLOCK_DRIFT = "clock_drift", "clock drift"
        SOURCE_DOWN = "source_down", "source down"
        BUDGET = "budget", "cumulative time outside"
        BUDGET_HIGH = "budget_high", "cumulative time too warm"
        BUDGET_LOW = "budget_low", "cumulative time too cold"
        MKT = "mkt", "mean kinetic temperature"

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        OPEN = "open", "open"
        ACKNOWLEDGED = "acknowledged", "acknowledged"
        CLOSED = "closed", "closed"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="alarms", db_index=False)
    storage_unit = models.ForeignKey(
        StorageUnit, null=True, on_delete=models.PROTECT, related_name="alarms", db_index=False
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    severity = models.CharField(max_length=8, choices=SEVERITIES)
    state = models.CharField(max_length=12, choices=State.choices)
    excursion = models.ForeignKey(Excursion, null=True, on_delete=models.SET_NULL, related_name="alarms")
    sensor = models.ForeignKey(Sensor, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    source_key = models.UUIDField(null=True, help_text="The source that is down, by its public id.")
    source_name = models.CharField(max_length=300, blank=True)
    suppressed_by = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="suppressed",
        help_text="The alarm that inhibits this one.",
    )

    started_at = models.DateTimeField(help_text="When the condition began.")
    ended_at = models.DateTimeField(null=True, help_text="When the condition ended. Empty while it is active.")
    temperature_c = models.FloatField(null=True, help_text="The peak so far.")
    recorded_at = models.DateTimeField(null=True, help_text="When the peak was measured.")
    is_detected_late = models.BooleanField(
        default=False, help_text="The condition had ended when it was detected; no notifications are sent."
    )
    is_withdrawn = models.BooleanField(default=False, help_text="Later readings show that the condition did not exist.")
    reopened_count = models.PositiveIntegerField(default=0)

    opened_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=200, blank=True)
    acknowledgement = models.TextField("acknowledgement comment", blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True, help_text="Empty if closed automatically.")
    cause = models.TextField(blank=True)
    corrective_action = models.TextField(blank=True)
    reviewed_at = models.DateTimeField(null=True, help_text="When cause and corrective action were recorded.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "alarm"
        ordering = ["-started_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="source_down", storage_unit=None, source_key__isnull=False)
                | (~models.Q(kind="source_down") & models.Q(storage_unit__isnull=False)),
                name="alarm_is_of_a_unit_or_a_source",
            ),
            models.CheckConstraint(
                condition=models.Q(state="pending", opened_at=None) | ~models.Q(state="pending"),
                name="alarm_pending_is_not_opened",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="acknowledged") | models.Q(acknowledged_at__isnull=False),
                name="alarm_acknowledged_says_when",
            ),
            # One condition, one alarm: concurrent ticks cannot both open it.
            models.UniqueConstraint(
                fields=["storage_unit", "kind", "sensor"],
                nulls_distinct=False,
                condition=models.Q(kind__in=["no_data", "sensor_fault", "clock_drift"]) & ~models.Q(state="closed"),
                name="one_live_alarm_a_unit_and_kind",
            ),
            models.UniqueConstraint(
                fields=["source_key"],
                condition=models.Q(kind="source_down") & ~models.Q(state="closed"),
                name="one_live_alarm_a_source",
            ),
            models.UniqueConstraint(
                fields=["excursion"], condition=models.Q(is_withdrawn=False), name="one_alarm_an_excursion"
            ),
        ]
        indexes = [
            # Lists of a customer and of a unit, newest first.
            models.Index(fields=["customer", "-started_at"], name="alarm_of_customer"),
            models.Index(fields=["storage_unit", "-started_at"], name="alarm_of_unit"),
            models.Index(fields=["-started_at"], name="alarm_newest"),
            # For ticks and the count on every page.
            models.Index(fields=["customer", "kind"], name="alarm_live", condition=~models.Q(state="closed")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.severity}) of {self.storage_unit or self.source_name}: {self.state}"

    @property
    def is_drill(self) -> bool:
        """Whether the alarm is about a synthetic unit, which holds no goods."""
        return self.storage_unit is not None and self.storage_unit.is_synthetic

    @property
    def is_live(self) -> bool:
        """Whether the alarm is open or acknowledged."""
        return self.state in (self.State.OPEN, self.State.ACKNOWLEDGED)


class AlarmEvent(ScopedModel):
    """An entry in the append-only timeline of an alarm."""

    SCOPE = ScopeWays(customer="alarm__customer_id", unit="alarm__storage_unit_id")

    class Kind(models.TextChoices):
        OPENED = "opened", "opened"
        WORSENED = "worsened", "became critical"
        REVISED = "revised", "revised"
        ENDED = "ended", "back within limits"
        REOPENED = "reopened", "reopened"
        ACKNOWLEDGED = "acknowledged", "acknowledged"
        COMMENTED = "commented", "commented"
        CLOSED = "closed", "closed"
        REVIEWED = "reviewed", "cause and corrective action recorded"
        SUPPRESSED = "suppressed", "inhibited by another alarm"
        RELEASED = "released", "no longer inhibited"
        WITHDRAWN = "withdrawn", "withdrawn"

    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    happened_at = models.DateTimeField()
    by = models.CharField(max_length=200, blank=True, help_text="Empty for the system.")
    text = models.TextField(blank=True)

    class Meta:
        db_table = "alarm_event"
        ordering = ["alarm_id", "happened_at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.happened_at:%Y-%m-%d %H:%M:%S}"


class SensorFault(ScopedModel):
    """A sensor whose newest readings have no measurement.

    Written only by `alarms.excursions.sensor_faults`.
    """

    SCOPE = UNIT_WAYS

    sensor = models.OneToOneField(Sensor, on_delete=models.CASCADE, primary_key=True, related_name="fault")
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.CASCADE, related_name="sensor_faults")
    since = models.DateTimeField(help_text="The first reading without a measurement after the last valid one.")
    last_at = models.DateTimeField(help_text="The newest reading.")

    class Meta:
        db_table = "sensor_fault"

    def __str__(self) -> str:
        return f"{self.sensor_id} since {self.since:%Y-%m-%d %H:%M:%S}"


class MaintenanceWindow(ScopedModel):
    """A period without notifications for a unit, a facility or a customer. Alarms are still opened and listed."""

    SCOPE = ScopeWays(customer="customer_id", unit=None)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="maintenance_windows")
    facility = models.ForeignKey(Facility, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    storage_unit = models.ForeignKey(StorageUnit, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=500)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "maintenance_window"
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="maintenance_ends_after_it_starts",
                violation_error_message="The end must be after the start.",
            )
        ]
        # For the windows in effect, which every list of units looks up.
        indexes = [models.Index(fields=["ends_at"], name="maintenance_by_end")]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} to {self.ends_at:%Y-%m-%d %H:%M}: {self.reason}"

    @property
    def is_for_customer(self) -> bool:
        """Whether the window covers all facilities of the customer."""
        return self.facility_id is None and self.storage_unit_id is None

    def covers(self, unit: StorageUnit | None) -> bool:
        """Return whether it covers this unit of its customer; a source, None, only if it covers all facilities."""
        if self.storage_unit_id is not None:
            return unit is not None and self.storage_unit_id == unit.pk
        if self.facility_id is not None:
            return unit is not None and self.facility_id == unit.facility_id
        return True

    def end_now(self, now: datetime) -> bool:
        """End a window in progress, or delete one that has not started; return False if it is over.

        Conditional statements leave a window alone that ends in the meantime.
        """
        windows = MaintenanceWindow.objects.filter(pk=self.pk)
        if windows.filter(starts_at__lt=now, ends_at__gt=now).update(ends_at=now):
            return True
        deleted, _ = windows.filter(starts_at__gte=now).delete()
        return bool(deleted)

    @override
    def clean(self) -> None:
        if self.facility is not None and self.facility.customer_id != self.customer_id:
            raise ValidationError({"facility": "This facility belongs to another customer."})
        if self.storage_unit is not None and self.storage_unit.facility.customer_id != self.customer_id:
            raise ValidationError({"storage_unit": "This storage unit belongs to another customer."})
        for name in ("starts_at", "ends_at"):
            instant = getattr(self, name)
            if instant is not None and not EARLIEST_MAINTENANCE <= instant <= LATEST_MAINTENANCE:
                raise ValidationError({name: "Enter a time between 2000 and 2100."})
