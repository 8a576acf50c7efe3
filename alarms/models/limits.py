"""The limits of storage units: profiles, the choice of each unit, and the versions in force over time."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime
from typing import ClassVar, NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models.functions import Now
from typing_extensions import override

from alarms.models.limit_locks import lock_limits_of_customer, lock_limits_of_units, lock_shared_limits
from alarms.thresholds import Limits, SensorPolicy
from core.scope import ScopedModel, ScopedQuerySet
from customers.models import Customer, Sensor, StorageUnit
from readings.models import UNIT_WAYS

MAX_DELAY_SECONDS = 30 * 86_400
MAX_WINDOW_SECONDS = 366 * 86_400
ABSOLUTE_ZERO_C, HOTTEST_C = -273.15, 1_000.0
CRITICAL_DELAY_HELP = "Since the critical limit was crossed. The warning delay applies if it ends sooner."
SENSOR_POLICIES = [
    (SensorPolicy.ANY.value, "Any sensor outside limits"),
    (SensorPolicy.MEAN.value, "Mean of the sensors"),
    (SensorPolicy.NAMED.value, "One reference sensor"),
]


def _temperature(name: str, help_text: str = "") -> models.FloatField[float | None, float | None]:
    validators = [MinValueValidator(ABSOLUTE_ZERO_C), MaxValueValidator(HOTTEST_C)]
    return models.FloatField(name, null=True, blank=True, validators=validators, help_text=help_text)


def _seconds(name: str, default: int, most: int, help_text: str = "") -> models.PositiveIntegerField[int, int]:
    return models.PositiveIntegerField(name, default=default, validators=[MaxValueValidator(most)], help_text=help_text)


def _allowed_seconds(name: str, help_text: str) -> models.PositiveIntegerField[int | None, int | None]:
    return models.PositiveIntegerField(
        name,
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_WINDOW_SECONDS)],
        help_text=f"{help_text} Leave empty for no budget.",
    )


class LimitValues(models.Model):
    """The columns of `alarms.thresholds.Limits`, under its names, that a person sets."""

    low_critical_c = _temperature("low critical, °C")
    low_warning_c = _temperature("low warning, °C")
    high_warning_c = _temperature("high warning, °C")
    high_critical_c = _temperature("high critical, °C")
    is_inclusive = models.BooleanField(
        "treat a reading at the limit as outside", default=False, help_text="Of every limit."
    )
    is_low_critical_inclusive = models.BooleanField(
        "treat a reading at the low critical limit as beyond it",
        default=False,
        help_text="As in the WHO's limit of −0.5 °C. Requires a low warning limit above it.",
    )
    high_delay_seconds = _seconds("high warning delay, s", 1_800, MAX_DELAY_SECONDS)
    low_delay_seconds = _seconds("low warning delay, s", 1_800, MAX_DELAY_SECONDS)
    high_critical_delay_seconds = _seconds("high critical delay, s", 300, MAX_DELAY_SECONDS, CRITICAL_DELAY_HELP)
    low_critical_delay_seconds = _seconds("low critical delay, s", 300, MAX_DELAY_SECONDS, CRITICAL_DELAY_HELP)
    clearing_margin_k = models.FloatField(
        "clearing margin, K",
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(50.0)],
        help_text="How far within the limits the temperature must return before an excursion ends.",
    )
    clearing_delay_seconds = _seconds(
        "clearing delay, s",
        0,
        MAX_DELAY_SECONDS,
        "An excursion that recurs sooner than this continues, and its alarm is reopened.",
    )
    allowed_seconds = _allowed_seconds("allowed time outside, s", "Total within the window below.")
    allowed_window_seconds = _seconds("budget window, s", 86_400, MAX_WINDOW_SECONDS)
    high_allowed_seconds = _allowed_seconds("allowed time too warm, s", "As above, for being too warm alone.")
    high_allowed_window_seconds = _seconds("budget window too warm, s", 86_400, MAX_WINDOW_SECONDS)
    high_allowed_c = _temperature("count as too warm only above, °C", "Leave empty for the lowest high limit.")
    low_allowed_seconds = _allowed_seconds("allowed time too cold, s", "As above, for being too cold alone.")
    low_allowed_window_seconds = _seconds("budget window too cold, s", 86_400, MAX_WINDOW_SECONDS)
    low_allowed_c = _temperature("count as too cold only below, °C", "Leave empty for the highest low limit.")
    mkt_limit_c = _temperature("MKT limit, °C", "Of the window below. Leave empty for no limit.")
    mkt_window_seconds = _seconds("MKT window, s", 86_400, MAX_WINDOW_SECONDS)

    class Meta:
        abstract = True

    @override
    def clean(self) -> None:
        named = {name: getattr(self, name) for name in TEMPERATURE_FIELDS if getattr(self, name) is not None}
        if list(named.values()) != sorted(named.values()):
            raise ValidationError("Limits must increase from low critical to high critical.")
        low_c, warning_c = self.low_critical_c, self.low_warning_c
        if self.is_low_critical_inclusive and (low_c is None or warning_c is None or low_c >= warning_c):
            raise ValidationError(
                {"is_low_critical_inclusive": "It requires a low critical limit and a low warning limit above it."}
            )
        for budget in BUDGETS:
            allowed_seconds = getattr(self, budget.seconds)
            if allowed_seconds is not None and allowed_seconds > getattr(self, budget.window):
                raise ValidationError({budget.seconds: "The allowed time cannot exceed the window."})
        self._clean_budget_temperatures()

    def _clean_budget_temperatures(self) -> None:
        """Require that the temperatures of budgets belong to one, and that the time beyond them is outside."""
        high_c = self.high_critical_c if self.high_warning_c is None else self.high_warning_c
        low_c = self.low_critical_c if self.low_warning_c is None else self.low_warning_c
        is_within = {
            "high_allowed_c": _is_below(self.high_allowed_c, high_c),
            "low_allowed_c": _is_below(low_c, self.low_allowed_c),
        }
        for budget in BUDGETS[1:]:
            if getattr(self, budget.temperature) is not None and getattr(self, budget.seconds) is None:
                raise ValidationError({budget.temperature: "It only applies together with an allowed time."})
            if is_within[budget.temperature]:
                raise ValidationError({budget.temperature: "It is within the limits, where no time counts as outside."})


def _is_below(lower_c: float | None, upper_c: float | None) -> bool:
    return lower_c is not None and upper_c is not None and lower_c < upper_c


class BudgetFields(NamedTuple):
    """The fields of a budget: its allowed time, its window, and beyond which temperature it counts."""

    seconds: str
    window: str
    temperature: str = ""


BUDGETS = (
    BudgetFields("allowed_seconds", "allowed_window_seconds"),
    BudgetFields("high_allowed_seconds", "high_allowed_window_seconds", "high_allowed_c"),
    BudgetFields("low_allowed_seconds", "low_allowed_window_seconds", "low_allowed_c"),
)
TEMPERATURE_FIELDS = ("low_critical_c", "low_warning_c", "high_warning_c", "high_critical_c")


class ChosenLimits(LimitValues):
    """Limits as entered: in °C, or in kelvin around the unit's set temperature."""

    is_around_set_temperature = models.BooleanField(
        "relative to the set temperature",
        default=False,
        help_text="Use the unit's set temperature plus and minus the deviations below instead of limits in °C.",
    )
    warning_deviation_k = models.FloatField(
        "warning deviation, K",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(500.0)],
        help_text="Leave blank for the default (±2 K).",
    )
    critical_deviation_k = models.FloatField(
        "critical deviation, K",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(500.0)],
        help_text="Leave blank for the default (±5 K).",
    )

    class Meta:
        abstract = True

    @override
    def clean(self) -> None:
        super().clean()
        if self.is_around_set_temperature and any(getattr(self, name) is not None for name in TEMPERATURE_FIELDS):
            raise ValidationError(
                {"is_around_set_temperature": "Leave the four limits empty where they follow from the set temperature."}
            )
        warning, critical = self.warning_deviation_k, self.critical_deviation_k
        if not self.is_around_set_temperature and (warning is not None or critical is not None):
            field = "warning_deviation_k" if critical is None else "critical_deviation_k"
            raise ValidationError({field: "Deviations only apply to limits relative to the set temperature."})
        if (warning is None) != (critical is None):
            raise ValidationError("Enter both deviations or neither.")
        if warning is not None and critical is not None and critical < warning:
            raise ValidationError({"critical_deviation_k": "It must not be smaller than the warning deviation."})


class LimitProfile(ChosenLimits):
    """Named limits shared by units. The profiles shipped with the system are in `alarms.limits.profiles`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    is_default = models.BooleanField(default=False, help_text="Applies to units without limits of their own.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "limit_profile"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="one_default_limit_profile",
                violation_error_message="Another profile is already the default.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @override
    def save(self, *args: object, **kwargs: object) -> None:
        with transaction.atomic():
            lock_shared_limits()
            super().save(*args, **kwargs)  # type: ignore[arg-type]  # passed on


class UnitLimits(ChosenLimits, ScopedModel):
    """The limits chosen for a unit: a profile, or custom limits in the other columns."""

    SCOPE = UNIT_WAYS

    # When saving the choice, the version in force applies from `applies_from` on instead of from now, for `reason`.
    applies_from: datetime | None = None
    reason: str = ""

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

    @override
    def save(self, *args: object, **kwargs: object) -> None:
        # Racing changes come into force one after the other, each with the version that it brings.
        with transaction.atomic():
            lock_limits_of_units([self.storage_unit_id])
            super().save(*args, **kwargs)  # type: ignore[arg-type]  # passed on

    @override
    def clean(self) -> None:
        super().clean()
        is_named = self.sensor_policy == SensorPolicy.NAMED
        if is_named and (self.named_sensor is None or self.named_sensor.storage_unit_id != self.storage_unit_id):
            raise ValidationError({"named_sensor": "Select a sensor of this unit."})
        if is_named and self.named_sensor is not None and self.named_sensor.retired_at is not None:
            # Nothing would be outside any more, and nobody alerted.
            raise ValidationError({"named_sensor": "This sensor is retired. Select another, or return it to service."})
        if not is_named and self.named_sensor is not None:
            raise ValidationError({"named_sensor": "It only applies to the rule “one reference sensor”."})


class CustomerLimits(models.Model):
    """The default limits of a customer: the profile of its units without limits of their own."""

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, primary_key=True, related_name="limits")
    profile = models.ForeignKey(LimitProfile, on_delete=models.PROTECT, related_name="customers")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "customer_limits"
        verbose_name = "default limits"
        verbose_name_plural = "default limits"

    def __str__(self) -> str:
        return f"{self.profile} for units of {self.customer}"

    @override
    def save(self, *args: object, **kwargs: object) -> None:
        with transaction.atomic():
            lock_limits_of_customer(self.customer_id)
            super().save(*args, **kwargs)  # type: ignore[arg-type]  # passed on


class VersionsInForce(models.Manager.from_queryset(ScopedQuerySet)):  # type: ignore[misc]  # a dynamic base class
    """Versions that are or were in force, without those that other limits have superseded from their beginning."""

    @override
    def get_queryset(self) -> ScopedQuerySet:
        in_force: ScopedQuerySet = super().get_queryset().filter(superseded_at=None)
        return in_force


class LimitVersion(LimitValues, ScopedModel):
    """The limits of a unit in force from `valid_from` until its next version; written once, never changed.

    The first version of a unit is valid from FIRST_VALID_FROM, so that every reading has limits. Limits that apply to
    the past supersede the versions of that time, which are kept for the history.
    """

    SCOPE = UNIT_WAYS

    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.CASCADE, related_name="limit_versions")
    valid_from = models.DateTimeField()
    gap_limit_seconds = models.PositiveIntegerField()
    interval_seconds = models.PositiveIntegerField(help_text="The expected interval between readings.")
    sensor_policy = models.CharField(max_length=5, choices=SENSOR_POLICIES, default=SensorPolicy.ANY.value)
    named_sensor_id = models.IntegerField(null=True)
    profile_name = models.CharField(max_length=100, help_text="The origin of the limits.")
    is_provisional = models.BooleanField(
        default=False, help_text="Nobody has chosen limits: those of the default profile, which alert nobody."
    )
    reason = models.TextField(blank=True, help_text="Why the limits apply to the past.")
    superseded_at = models.DateTimeField(null=True, help_text="When other limits replaced these from their beginning.")
    changed_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar = VersionsInForce()
    history: ClassVar = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "limit_version"
        ordering = ["storage_unit_id", "valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["storage_unit", "valid_from"],
                condition=models.Q(superseded_at=None),
                name="limit_version_once_an_instant",
            )
        ]

    def __str__(self) -> str:
        return f"{self.profile_name} from {self.valid_from:%Y-%m-%d %H:%M:%S}"

    @property
    def limits(self) -> Limits:
        """The limits as a value object."""
        parts = {part.name: getattr(self, part.name) for part in dataclasses.fields(Limits)}
        return Limits(**(parts | {"sensor_policy": SensorPolicy(self.sensor_policy)}))
