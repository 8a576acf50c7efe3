"""What was measured: readings, the newest one of each unit, and their hourly and daily roll-ups.

The tables of readings and roll-ups are written by `readings.storage` alone. They start with the storage unit, by which
PostgreSQL may be sharded, and have no foreign keys: checking each row would take most of the time of storing.
"""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from core.db.attempts import Attempted
from core.scope import ScopedModel, ScopeWays
from customers.models import Sensor, StorageUnit, TemperatureUnit
from readings import archive_models  # noqa: F401  registers its models

UNIT_WAYS = ScopeWays(customer="storage_unit__facility__customer_id", unit="storage_unit_id")


class EquipmentStatus(models.Model):
    """The status that equipment reports. Roll-ups count the first three; others are added as they are sent."""

    NORMAL, WARNING, ERROR = 1, 2, 3

    id = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=32, unique=True)

    class Meta:
        db_table = "equipment_status"
        ordering = ["id"]
        verbose_name_plural = "equipment statuses"

    def __str__(self) -> str:
        return self.name


class Measurement(ScopedModel):
    """The columns shared by readings and latest readings."""

    SCOPE = UNIT_WAYS

    recorded_at = models.DateTimeField()
    temperature_c = models.FloatField(null=True, help_text="Empty if the sensor gave no measurement.")
    quality_score = models.FloatField(default=1.0, help_text="0 to 1")
    scale = models.CharField(max_length=1, choices=TemperatureUnit.choices, help_text="The scale it was reported in.")

    class Meta:
        abstract = True


class Reading(Measurement):
    """One sensor's measurement at one instant. The table is partitioned by month, see `readings.storage.partitions`."""

    pk = models.CompositePrimaryKey("storage_unit", "recorded_at", "sensor")
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="readings"
    )
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    equipment_status = models.ForeignKey(
        EquipmentStatus, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "reading"

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}"


class FutureReading(Measurement):
    """A reading dated ahead of its arrival, which takes effect once its time has come.

    Until then it is no reading of its unit: see `readings.storage.future_readings`. A key (unit, time, sensor) is
    stored either here or as a Reading.
    """

    pk = models.CompositePrimaryKey("storage_unit", "recorded_at", "sensor")
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="future_readings"
    )
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    equipment_status = models.ForeignKey(
        EquipmentStatus, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "future_reading"
        # For those whose time has come.
        indexes = [models.Index(fields=["recorded_at"], name="future_reading_due")]

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}"


class LateReadings(ScopedModel):
    """Readings of one unit that arrived when the day they are dated in was closed; see `readings.storage.closing`.

    They are the readings of that unit and day whose `created_at` is `arrived_at`. Rows are only ever added.
    """

    SCOPE = UNIT_WAYS
    APPEND_ONLY = True

    id = models.BigAutoField(primary_key=True)
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="late_readings"
    )
    day = models.DateField(help_text="The day, in UTC, that the readings are dated in.")
    arrived_at = models.DateTimeField()
    reading_count = models.IntegerField()

    class Meta:
        db_table = "late_readings"
        verbose_name_plural = "late readings"
        # For those that arrived since the previous day was sealed.
        indexes = [models.Index(fields=["storage_unit", "arrived_at"], name="late_readings_of_unit")]

    def __str__(self) -> str:
        return f"{self.storage_unit_id}: {self.reading_count} of {self.day}"


class ReadingRevision(ScopedModel):
    """A stored reading that was replaced or withdrawn: its measurement before and after, by whom and why.

    Written by `readings.storage.revisions` alone; rows are only ever added. The columns after are empty where the
    reading was withdrawn, and otherwise only the temperature may be.
    """

    SCOPE = UNIT_WAYS
    APPEND_ONLY = True

    id = models.BigAutoField(primary_key=True)
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="reading_revisions"
    )
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    recorded_at = models.DateTimeField()
    arrived_at = models.DateTimeField(help_text="When the reading arrived, its created_at.")
    before_temperature_c = models.FloatField(null=True)
    before_quality_score = models.FloatField()
    before_equipment_status_id = models.SmallIntegerField()
    before_scale = models.CharField(max_length=1)
    after_temperature_c = models.FloatField(null=True)
    after_quality_score = models.FloatField(null=True)
    after_equipment_status_id = models.SmallIntegerField(null=True)
    after_scale = models.CharField(max_length=1, blank=True, help_text="Empty if the reading was withdrawn.")
    revised_at = models.DateTimeField(db_default=Now(), editable=False)
    by = models.CharField(max_length=200)
    reason = models.TextField()

    class Meta:
        db_table = "reading_revision"
        ordering = ["id"]
        # For those of a unit's day, and those made since the previous day was sealed.
        indexes = [
            models.Index(fields=["storage_unit", "recorded_at"], name="reading_revision_of_unit"),
            models.Index(fields=["revised_at"], name="reading_revision_made"),
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}, revised at {self.revised_at}"

    @property
    def is_withdrawal(self) -> bool:
        """Whether the reading was removed."""
        return not self.after_scale


class SensorClock(ScopedModel):
    """How far a sensor's clock is from the server's, as `readings.storage.sensor_clocks` measures it.

    There is no row where readings arrive too rarely to tell.
    """

    SCOPE = UNIT_WAYS

    sensor = models.OneToOneField(Sensor, on_delete=models.CASCADE, primary_key=True, related_name="clock")
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.CASCADE, related_name="sensor_clocks")
    drift_seconds = models.FloatField(help_text="Positive if the clock is ahead, negative if it is behind.")
    measured_at = models.DateTimeField(help_text="The newest arrival it was computed from.")

    class Meta:
        db_table = "sensor_clock"

    def __str__(self) -> str:
        return f"{self.sensor_id}: {self.drift_seconds:+.0f} s"


class ListedMeasurement(Measurement):
    """What the admin lists of a table: Django's admin cannot register a model with a composite key.

    A row of a view over the table with its key as one text. Query it by unit, never by that text.
    """

    id = models.TextField(primary_key=True)
    storage_unit = models.ForeignKey(StorageUnit, on_delete=models.DO_NOTHING, related_name="+")
    sensor = models.ForeignKey(Sensor, on_delete=models.DO_NOTHING, related_name="+")
    equipment_status = models.ForeignKey(EquipmentStatus, on_delete=models.DO_NOTHING, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}"


class ListedReading(ListedMeasurement):
    """A reading as the admin lists it."""

    class Meta:
        managed = False
        db_table = "reading_list"
        verbose_name = "reading"
        # The reverse of the key's index; declared unique so that the admin adds no further sorting.
        ordering = ["-storage_unit_id", "-recorded_at", "-sensor_id"]
        constraints = [
            models.UniqueConstraint(fields=["storage_unit", "recorded_at", "sensor"], name="listed_reading_once")
        ]


class ListedFutureReading(ListedMeasurement):
    """A future reading as the admin lists it."""

    class Meta:
        managed = False
        db_table = "future_reading_list"
        verbose_name = "future reading"
        # Those that take effect next first, by the index on their time.
        ordering = ["recorded_at", "id"]


class LatestReading(Measurement):
    """The latest reading of a unit; of several sensors at one instant, that of the first registered."""

    storage_unit = models.OneToOneField(
        StorageUnit, on_delete=models.CASCADE, primary_key=True, related_name="latest_reading"
    )
    sensor = models.ForeignKey(Sensor, on_delete=models.CASCADE, related_name="+", db_index=False)
    equipment_status = models.ForeignKey(EquipmentStatus, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "latest_reading"

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.recorded_at:%Y-%m-%d %H:%M:%S}"


class Rollup(ScopedModel):
    """The sums of one sensor's readings over an hour or a day.

    Counts, extremes and sums are updated as rows arrive and are always exact. The time-weighted columns depend on
    neighbouring readings: they are valid where `is_settled`; `readings.storage.rollups.refresh` computes them. All
    columns add up over sensors and over time, extremes by min and max.
    """

    SCOPE = UNIT_WAYS

    reading_count = models.IntegerField(default=0, help_text="All readings, including those without a measurement.")
    fault_count = models.IntegerField(default=0, help_text="Readings without a measurement.")
    normal_count = models.IntegerField(default=0)
    warning_count = models.IntegerField(default=0)
    error_count = models.IntegerField(default=0)
    good_count = models.IntegerField(default=0, help_text="Readings with a quality of at least 0.8.")
    min_c = models.FloatField(null=True)
    max_c = models.FloatField(null=True)
    sum_ninth_micro_c = models.BigIntegerField(
        default=0,
        help_text="Sum of the temperatures in ninths of a millionth of a degree Celsius: exact for all scales.",
    )
    weighted_seconds = models.FloatField(default=0, help_text="Σt: how long this sensor's measurements were valid.")
    weighted_sum_c = models.FloatField(default=0, help_text="Σt·T in °C·s")
    weighted_arrhenius = models.FloatField(default=0, help_text="Σt·exp(−10000/T) with T in kelvin")
    covered_seconds = models.FloatField(
        default=0,
        help_text="Time covered by this sensor and no earlier one: adds up to the unit's coverage.",
    )
    is_settled = models.BooleanField(default=False)

    class Meta:
        abstract = True


class HourlyRollup(Rollup):
    """The readings of one sensor within an hour of UTC."""

    pk = models.CompositePrimaryKey("storage_unit", "hour", "sensor")
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="hourly_rollups"
    )
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    hour = models.DateTimeField(help_text="Start of the hour in UTC.")

    class Meta:
        db_table = "hourly_rollup"
        indexes = [
            # Finds stale rows for `rollups.refresh`; empty when there are none.
            models.Index(
                fields=["storage_unit", "hour"], name="hourly_rollup_unsettled", condition=models.Q(is_settled=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.hour:%Y-%m-%d %H:00}"


class DailyRollup(Rollup):
    """The readings of one sensor within a day at its facility, see `readings.storage.local_days`.

    It is 23 or 25 hours long when clocks change.
    """

    pk = models.CompositePrimaryKey("storage_unit", "local_date", "sensor")
    storage_unit = models.ForeignKey(
        StorageUnit, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="daily_rollups"
    )
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    local_date = models.DateField(help_text="The date at the facility, in its time zone.")

    class Meta:
        db_table = "daily_rollup"
        indexes = [
            # Finds stale rows for `rollups.refresh`; empty when there are none.
            models.Index(
                fields=["storage_unit", "local_date"],
                name="daily_rollup_unsettled",
                condition=models.Q(is_settled=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.storage_unit_id} {self.local_date}"


class ReadingCount(models.Model):
    """How many readings a unit has before a date; see `readings.reading_counts`."""

    storage_unit = models.OneToOneField(StorageUnit, on_delete=models.CASCADE, primary_key=True, related_name="+")
    before = models.DateField(help_text="The first date at the facility that is not counted.")
    reading_count = models.BigIntegerField()

    class Meta:
        db_table = "reading_count"

    def __str__(self) -> str:
        return f"{self.storage_unit_id} before {self.before}"


class RollupRebuild(Attempted):
    """A request to rebuild a unit's roll-ups, because its facility's days or its staleness limit changed."""

    storage_unit = models.OneToOneField(StorageUnit, on_delete=models.CASCADE, primary_key=True, related_name="+")
    requested_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "rollup_rebuild"

    def __str__(self) -> str:
        return f"{self.storage_unit_id}"


class ConfigurationEntry(models.Model):
    """A setting changed by the operator at run time; see `readings.configuration`."""

    key = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    description = models.TextField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "configuration"
        verbose_name_plural = "configuration entries"

    def __str__(self) -> str:
        return self.key
