"""The limits of storage units: profiles to choose from, what each unit has, and what was in force when."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from alarms.thresholds import Limits, SensorPolicy
from core.scope import ScopedModel
from customers.models import Sensor, StorageUnit
from readings.models import UNIT_WAYS

MAX_DELAY_SECONDS = 30 * 86_400
MAX_WINDOW_SECONDS = 366 * 86_400
ABSOLUTE_ZERO_C, HOTTEST_C = -273.15, 1_000.0
SENSOR_POLICIES = [
    (SensorPolicy.ANY.value, "any sensor outside counts"),
    (SensorPolicy.MEAN.value, "the sensors' mean"),
    (SensorPolicy.NAMED.value, "one sensor speaks for the unit"),
]


def _temperature(name: str, help_text: str = "") -> models.FloatField[float | None, float | None]:
    validators = [MinValueValidator(ABSOLUTE_ZERO_C), MaxValueValidator(HOTTEST_C)]
    return models.FloatField(name, null=True, blank=True, validators=validators, help_text=help_text)


def _seconds(name: str, default: int, most: int, help_text: str = "") -> models.PositiveIntegerField[int, int]:
    return models.PositiveIntegerField(name, default=default, validators=[MaxValueValidator(most)], help_text=help_text)


class LimitValues(models.Model):
    """The columns of `alarms.thresholds.Limits`, under its names, that a person sets."""

    low_critical_c = _temperature("low critical, °C")
    low_warning_c = _temperature("low warning, °C")
    high_warning_c = _temperature("high warning, °C")
    high_critical_c = _temperature("high critical, °C")
    is_inclusive = models.BooleanField(
        "exactly at a limit is outside", default=False, help_text="As the WHO's thresholds are meant."
    )
    high_delay_seconds = _seconds("delay when too warm, s", 1_800, MAX_DELAY_SECONDS)
    low_delay_seconds = _seconds("delay when too cold, s", 1_800, MAX_DELAY_SECONDS)
    clearing_margin_k = models.FloatField(
        "clearing margin, K",
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(50.0)],
        help_text="How far back within the limits the temperature must be before an excursion is over.",
    )
    clearing_delay_seconds = _seconds(
        "clearing delay, s",
        0,
        MAX_DELAY_SECONDS,
        "An excursion that returns sooner than this goes on, and its alarm is reopened.",
    )
    allowed_seconds = models.PositiveIntegerField(
        "allowed outside in all, s",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_WINDOW_SECONDS)],
        help_text="Within the window below; empty: not counted.",
    )
    allowed_window_seconds = _seconds("within any, s", 86_400, MAX_WINDOW_SECONDS)
    mkt_limit_c = _temperature("MKT limit, °C", "Mean kinetic temperature of the window below; empty: no limit.")
    mkt_window_seconds = _seconds("MKT window, s", 86_400, MAX_WINDOW_SECONDS)

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Limits are in order, and a window holds what is allowed in it."""
        named = {name: getattr(self, name) for name in TEMPERATURE_FIELDS if getattr(self, name) is not None}
        if list(named.values()) != sorted(named.values()):
            raise ValidationError(
                "The limits must rise: low critical, low warning, high warning, high critical. Mend the one that"
                f" is out of order: {', '.join(f'{name} {value:g}' for name, value in named.items())}."
            )
        if self.allowed_seconds is not None and self.allowed_seconds > self.allowed_window_seconds:
            raise ValidationError({"allowed_seconds": "More is allowed than the window is long."})


TEMPERATURE_FIELDS = ("low_critical_c", "low_warning_c", "high_warning_c", "high_critical_c")


class ChosenLimits(LimitValues):
    """Limits as a person gives them: in °C, or in kelvin around the unit's set temperature."""

    is_around_set_temperature = models.BooleanField(
        "around the set temperature",
        default=False,
        help_text="The unit's set temperature plus and minus the kelvin below take the place of the limits in °C.",
    )
    warning_deviation_k = models.FloatField(
        "warning beyond, K",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(500.0)],
        help_text="Empty: as max_temperature_deviation says.",
    )
    critical_deviation_k = models.FloatField(
        "critical beyond, K",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(500.0)],
        help_text="Empty: as max_temperature_deviation says.",
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        if self.is_around_set_temperature and any(getattr(self, name) is not None for name in TEMPERATURE_FIELDS):
            raise ValidationError(
                {"is_around_set_temperature": "Limits in °C count only without this: leave out the one or the other."}
            )
        warning, critical = self.warning_deviation_k, self.critical_deviation_k
        if (warning is None) != (critical is None):
            raise ValidationError("Give both deviations, or neither.")
        if warning is not None and critical is not None and critical < warning:
            raise ValidationError({"critical_deviation_k": "It must be no less than the warning's."})


class LimitProfile(ChosenLimits):
    """Limits with a name, shared by all units that have it. The shipped ones are in `alarms.limits.profiles`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    is_default = models.BooleanField(default=False, help_text="For units that have none. There is one at most.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "limit_profile"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_limit_profile",
                violation_error_message="Another profile is the default already.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class UnitLimits(ChosenLimits, ScopedModel):
    """What limits a unit has: those of a profile, or, without one, its own, which are the other columns here."""

    SCOPE = UNIT_WAYS

    storage_unit = models.OneToOneField(
        StorageUnit, on_delete=models.CASCADE, primary_key=True, related_name="chosen_limits"
    )
    profile = models.ForeignKey(LimitProfile, null=True, blank=True, on_delete=models.PROTECT, related_name="units")
    sensor_policy = models.CharField(max_length=5, choices=SENSOR_POLICIES, default=SensorPolicy.ANY.value)
    named_sensor = models.ForeignKey(Sensor, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "unit_limits"
        verbose_name_plural = "unit limits"

    def __str__(self) -> str:
        return f"limits of {self.storage_unit}"

    def clean(self) -> None:
        super().clean()
        is_named = self.sensor_policy == SensorPolicy.NAMED
        if is_named and (self.named_sensor is None or self.named_sensor.storage_unit_id != self.storage_unit_id):
            raise ValidationError({"named_sensor": "Name a sensor of this unit."})


class LimitVersion(LimitValues, ScopedModel):
    """The limits of a unit in force from `valid_from` until its next version; written once, never changed.

    The first version of a unit is valid from FIRST_VALID_FROM, so that whatever was measured is judged by something.
    """

    SCOPE = UNIT_WAYS

    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.CASCADE, related_name="limit_versions")
    valid_from = models.DateTimeField()
    gap_limit_seconds = models.PositiveIntegerField()
    interval_seconds = models.PositiveIntegerField(help_text="How often a reading was expected.")
    sensor_policy = models.CharField(max_length=5, choices=SENSOR_POLICIES, default=SensorPolicy.ANY.value)
    named_sensor_id = models.IntegerField(null=True)
    profile_name = models.CharField(max_length=100, help_text="Where they came from.")
    changed_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "limit_version"
        ordering = ["storage_unit_id", "valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["storage_unit", "valid_from"], name="limit_version_once_an_instant")
        ]

    def __str__(self) -> str:
        return f"{self.profile_name} from {self.valid_from:%Y-%m-%d %H:%M:%S}"

    @property
    def limits(self) -> Limits:
        """These limits as a value."""
        parts: dict[str, Any] = {part.name: getattr(self, part.name) for part in dataclasses.fields(Limits)}
        return Limits(**(parts | {"sensor_policy": SensorPolicy(self.sensor_policy)}))
