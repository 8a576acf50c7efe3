"""Excursions, as detected by `alarms.excursions.detector` in a unit's readings."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models.functions import Now

from alarms.models.limits import LimitVersion
from alarms.thresholds import Severity
from core.db.attempts import Attempted
from core.scope import ScopedModel
from customers.models import StorageUnit
from readings.models import UNIT_WAYS

SEVERITIES = [(severity.value, severity.value) for severity in Severity]


def _side_pieces(adjective: str) -> models.JSONField[list[list[float]], list[list[float]]]:
    help_text = (
        f"Of these, the periods that use up the budget for being too {adjective}: furthest temperature, and when."
    )
    return models.JSONField(default=list, blank=True, help_text=help_text)


class Excursion(ScopedModel):
    """A period outside the limits. Written only by `alarms.evaluation.evaluate`.

    All fields but `is_detected_late` and `detected_at` are a function of the unit's readings and limits, in whatever
    order the readings arrived.
    """

    SCOPE = UNIT_WAYS

    class Kind(models.TextChoices):
        TEMPERATURE = "temperature", "temperature"
        BUDGET = "budget", "cumulative time"
        BUDGET_HIGH = "budget_high", "cumulative time too warm"
        BUDGET_LOW = "budget_low", "cumulative time too cold"
        MKT = "mkt", "mean kinetic temperature"

    # The columns that hold periods of it, many of them if it lasts for weeks.
    PIECES = ("outside_pieces", "high_pieces", "low_pieces")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.PROTECT, related_name="excursions", db_index=False)
    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.TEMPERATURE)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="First instant back within the limits. Empty while ongoing.")
    clears_at = models.DateTimeField(null=True, help_text="When the clearing delay ends. Empty while ongoing.")
    last_outside_at = models.DateTimeField(help_text="The newest reading outside the limits.")
    severity = models.CharField(max_length=8, choices=SEVERITIES)
    peak_c = models.FloatField(help_text="The temperature furthest beyond the limits, or the highest MKT.")
    peak_at = models.DateTimeField()
    area_kelvin_minutes = models.FloatField(default=0, help_text="Kelvin beyond the limit × minutes.")
    outside_seconds = models.FloatField(default=0, help_text="Confirmed time outside.")
    gap_seconds = models.FloatField(default=0, help_text="Time without data.")
    mkt_c = models.FloatField(null=True, help_text="Mean kinetic temperature of the time with data.")
    alarm_at = models.DateTimeField(null=True, help_text="The reading that completed the delay. Empty if none did.")
    critical_alarm_at = models.DateTimeField(
        null=True, help_text="The reading that completed the delay beyond a critical limit."
    )
    outside_pieces = models.JSONField(
        default=list,
        blank=True,
        help_text="Start and end of each confirmed period outside, in µs since 1970.",
    )
    high_pieces = _side_pieces("warm")
    low_pieces = _side_pieces("cold")
    progress = models.JSONField(
        null=True,
        blank=True,
        help_text="Detector state, so that the next reading continues from here.",
    )
    limit_version = models.ForeignKey(LimitVersion, on_delete=models.PROTECT, related_name="+", db_index=False)
    is_detected_late = models.BooleanField(
        default=False, help_text="It had ended, or had long begun, when its readings arrived."
    )
    detected_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "excursion"
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["storage_unit", "kind", "started_at"],
                name="excursion_once_a_unit_kind_and_start",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]
        indexes = [
            # Excursions of the affected units that are ongoing or reach into the span.
            models.Index(fields=["storage_unit"], name="excursion_lasting", condition=models.Q(ended_at=None)),
            models.Index(fields=["storage_unit", "clears_at"], name="excursion_clears"),
            # The newest of all units, for lists.
            models.Index(fields=["-started_at"], name="excursion_newest"),
        ]

    def __str__(self) -> str:
        until = "ongoing" if self.ended_at is None else f"to {self.ended_at:%Y-%m-%d %H:%M:%S}"
        return f"{self.kind} {self.started_at:%Y-%m-%d %H:%M:%S} {until}"

    @property
    def alarm_due_at(self) -> datetime:
        """When the alarm opens, with the first reading from then on, unless the temperature returns before.

        The warning delay runs from the start, the critical delay from the crossing of the critical limit.
        """
        limits = self.limit_version.limits
        due_at = self.started_at + limits.warning_delay_of(self.peak_c)
        critical_since = (self.progress or {}).get("critical_since")
        if critical_since is None:
            return due_at
        return min(due_at, datetime.fromisoformat(critical_since) + limits.critical_delay_of(self.peak_c))


class Reevaluation(Attempted):
    """A unit whose readings are to be evaluated again, because of other limits, an update or a retired sensor."""

    class Reason(models.TextChoices):
        LIMITS = "limits", "other limits apply"
        UPDATE = "update", "the definition changed with an update"
        SENSOR = "sensor", "a sensor was retired"

    storage_unit = models.OneToOneField(StorageUnit, on_delete=models.CASCADE, primary_key=True, related_name="+")
    since = models.DateTimeField(help_text="From when on the readings are evaluated again.")
    reason = models.CharField(
        max_length=6, choices=Reason.choices, default=Reason.LIMITS, db_default=Reason.LIMITS.value
    )
    requested_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reevaluation"

    def __str__(self) -> str:
        return f"{self.storage_unit_id} from {self.since:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def request(cls, unit_id: int, since: datetime, reason: Reason) -> None:
        """Request that the unit's readings since then are evaluated again; an earlier request is extended."""
        request, is_new = cls.objects.get_or_create(
            storage_unit_id=unit_id, defaults={"since": since, "reason": reason}
        )
        if not is_new and since < request.since:
            cls.objects.filter(pk=request.pk).update(since=since)


class MktCheck(Attempted):
    """A unit with an MKT limit that got readings, and from when on its windows must be checked."""

    storage_unit = models.OneToOneField(StorageUnit, on_delete=models.CASCADE, primary_key=True, related_name="+")
    since = models.DateTimeField(help_text="The earliest of the new readings.")
    requested_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(null=True, help_text="When the next window is over. Empty: at once.")

    class Meta:
        db_table = "mkt_check"

    def __str__(self) -> str:
        return f"{self.storage_unit_id} from {self.since:%Y-%m-%d %H:%M:%S}"
