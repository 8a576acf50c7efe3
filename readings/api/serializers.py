"""Serializers of storage units, customer profiles, the configuration, statistics and analytics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from django.core.validators import RegexValidator
from rest_framework import serializers
from typing_extensions import override

from core.api.fields import InstantField, KnownFieldsMixin, TextField, Values, labelled_choices, reason_field
from core.crypto.redaction import has_redacted_part
from core.http.servers import InvalidAddress, server_of
from customers.api.serializers import FacilitySerializer, RecordSerializer
from customers.models import Customer, StorageUnit
from readings.api.fields import DifferenceField, RequestedScaleField, TemperatureField
from readings.configuration import LONGEST_DESCRIPTION, Entry
from readings.statistics.aggregates import DEFAULT_AGGREGATIONS, Aggregation, Group, GroupBy
from readings.statistics.analytics import Performance, StatusCount
from readings.time_ranges import TimeRange
from readings.units.scales import ABSOLUTE_ZERO_C, Scale, to_celsius

STATUSES = ("normal", "warning", "critical", "no_data")
validate_url = RegexValidator(r"^https?://[^\s/]+\S*$", "A URL begins with http:// or https:// and contains no spaces.")


class StorageUnitSerializer(RecordSerializer[StorageUnit]):
    """A storage unit with its latest reading."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    facility_id = serializers.UUIDField(source="facility.public_id", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    current_temperature = serializers.FloatField(
        source="latest_reading.temperature_c",
        read_only=True,
        allow_null=True,
        help_text="Null if there is no reading, or the sensor gave no measurement.",
    )
    current_temperature_unit = serializers.ChoiceField(
        labelled_choices(Scale), source="latest_reading.scale", read_only=True, allow_null=True
    )
    temperature_status = serializers.ChoiceField(
        labelled_choices(STATUSES),
        source="*",
        read_only=True,
        help_text="By the limits in force; no_data if it is not known now.",
    )
    last_reading_time = serializers.DateTimeField(source="latest_reading.recorded_at", read_only=True, allow_null=True)

    not_evaluated = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="What could not be evaluated because of an error, for example temperature; usually empty.",
    )

    class Meta:
        model = StorageUnit
        fields = [
            "id",
            "facility_id",
            "unit_code",
            "name",
            "size_value",
            "size_unit",
            "set_temperature",
            "temperature_unit",
            "equipment_type",
            "created_at",
            "current_temperature",
            "current_temperature_unit",
            "temperature_status",
            "last_reading_time",
            "not_evaluated",
        ]

    @override
    def validate(self, attrs: Values) -> Values:
        # Either may be set without the other.
        temperature = attrs.get("set_temperature", getattr(self.instance, "set_temperature", None))
        scale = attrs.get("temperature_unit", getattr(self.instance, "temperature_unit", "C"))
        if temperature is not None and to_celsius(temperature, scale) < ABSOLUTE_ZERO_C:
            raise serializers.ValidationError({"set_temperature": ["Must not be below absolute zero."]})
        return attrs


class CurrentTemperaturesSerializer(serializers.Serializer[object]):
    """The average, minimum and maximum of the current temperatures of units; null if none is known."""

    unit_count = serializers.IntegerField(read_only=True)
    average_temperature = TemperatureField(source="average_c", read_only=True, allow_null=True)
    min_temperature = TemperatureField(source="min_c", read_only=True, allow_null=True)
    max_temperature = TemperatureField(source="max_c", read_only=True, allow_null=True)
    temperature_unit = serializers.ChoiceField(
        labelled_choices(Scale), source="*", read_only=True, help_text="Scale of the average, minimum and maximum."
    )


class DetailedFacilitySerializer(FacilitySerializer, CurrentTemperaturesSerializer):
    """A facility with its units and their current temperatures."""

    units = StorageUnitSerializer(many=True, read_only=True)

    class Meta(FacilitySerializer.Meta):
        fields = [
            *FacilitySerializer.Meta.fields,
            "units",
            *CurrentTemperaturesSerializer().fields,
        ]


class CustomerSerializer(RecordSerializer[Customer]):
    """A customer's profile."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    api_url = serializers.CharField(max_length=2000, required=False, allow_blank=True, validators=[validate_url])
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    facility_count = serializers.IntegerField(read_only=True)
    unit_count = serializers.IntegerField(read_only=True)
    active_readings_count = serializers.IntegerField(read_only=True, help_text="Number of stored readings.")
    last_reading_time = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = Customer
        fields = [
            "id",
            "customer_code",
            "name",
            "data_sharing_method",
            "data_frequency_seconds",
            "api_url",
            "max_clock_drift_seconds",
            "is_active",
            "created_at",
            "updated_at",
            "facility_count",
            "unit_count",
            "active_readings_count",
            "last_reading_time",
        ]

    def validate_api_url(self, url: str) -> str:
        """Reject an invalid URL, and one with “***” unless it is the stored one as shown, which keeps its secrets."""
        try:
            server_of(url)
        except InvalidAddress as error:
            raise serializers.ValidationError(str(error)) from error
        stored = self.instance.api_url if isinstance(self.instance, Customer) else ""
        if has_redacted_part(url) and url != stored:
            raise serializers.ValidationError("Contains “***” in place of a secret. Enter the whole URL.")
        return url


class ProfileSerializer(CustomerSerializer):
    """A customer's own profile; the code and the activation are reserved to the operator."""

    class Meta(CustomerSerializer.Meta):
        read_only_fields = ["customer_code", "is_active"]


class EntrySerializer(serializers.Serializer[Entry]):
    """A configuration value."""

    value = serializers.JSONField(help_text="A number of days, or the warning and critical deviation in kelvin.")
    description = serializers.CharField()
    updated_at = serializers.DateTimeField(allow_null=True, help_text="Null if it has its default.")


class ChangedEntrySerializer(KnownFieldsMixin, serializers.Serializer[object]):
    """A new configuration value."""

    value = serializers.JSONField(required=False)
    description = TextField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=LONGEST_DESCRIPTION,
        help_text="Unchanged if absent or null.",
    )
    reason = reason_field()


class ConfigurationSerializer(serializers.Serializer[Mapping[str, Entry]]):
    """The configuration."""

    data_retention_days = EntrySerializer()
    max_temperature_deviation = EntrySerializer()


AVERAGE = "Average: every measurement counts once."
MEAN = "Time-weighted mean: every measurement counts for as long as it is valid."
MKT = "Mean kinetic temperature, weighted by time like `mean_temperature`."
COVERAGE = "Share of the time in which a valid measurement is known, from 0 to 1."


class StatisticsSerializer(serializers.Serializer[object]):
    """Statistics; temperatures are null if nothing was measured."""

    min_temperature = TemperatureField(source="min_c", allow_null=True)
    max_temperature = TemperatureField(source="max_c", allow_null=True)
    avg_temperature = TemperatureField(source="average_c", allow_null=True, help_text=AVERAGE)
    mean_temperature = TemperatureField(source="mean_c", allow_null=True, help_text=MEAN)
    mkt = TemperatureField(source="mkt_c", allow_null=True, help_text=MKT)
    coverage = serializers.FloatField(help_text=f"{COVERAGE} In the period up to now.")
    reading_count = serializers.IntegerField()
    normal_count = serializers.IntegerField()
    warning_count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    fault_count = serializers.IntegerField(help_text="Readings without a measurement.")
    time_range_start = serializers.DateTimeField(source="start")
    time_range_end = serializers.DateTimeField(source="end")
    unit_count = serializers.IntegerField()
    temperature_unit = serializers.ChoiceField(labelled_choices(Scale), source="*")


class AggregateRequestSerializer(KnownFieldsMixin, serializers.Serializer[object]):
    """How to group readings, and the metrics of each group."""

    group_by = serializers.ListField(child=serializers.ChoiceField(labelled_choices(GroupBy)), max_length=20)
    aggregations = serializers.ListField(
        child=serializers.ChoiceField(labelled_choices(Aggregation)),
        max_length=20,
        allow_empty=False,
        default=list(DEFAULT_AGGREGATIONS),
    )
    start_date = InstantField(required=False, allow_null=True)
    end_date = InstantField(required=False, allow_null=True, is_end=True)
    facility_id = serializers.UUIDField(required=False, allow_null=True)
    storage_unit_id = serializers.UUIDField(required=False, allow_null=True)

    @override
    def validate(self, attrs: Values) -> Values:
        start, end = attrs.get("start_date"), attrs.get("end_date")
        if start and end and end < start:
            raise serializers.ValidationError({"end_date": ["Must not be before start_date."]})
        return attrs


class GroupKeySerializer(serializers.Serializer[Group]):
    """The key of a group: only the requested fields are present."""

    FIELDS_BY_GROUPING: ClassVar[Mapping[GroupBy, Sequence[str]]] = {
        GroupBy.HOUR: ["hour"],
        GroupBy.DAY: ["day"],
        GroupBy.WEEK: ["week"],
        GroupBy.MONTH: ["month"],
        GroupBy.FACILITY: ["facility_id", "facility_name"],
        GroupBy.UNIT: ["storage_unit_id", "unit_name"],
        GroupBy.SENSOR: ["sensor_id"],
    }

    hour = serializers.DateTimeField(
        required=False,
        help_text="Start of the hour of UTC, with the facility's offset: at half past the local hour, for example, "
        "where the offset is 5:30 hours.",
    )
    day = serializers.DateTimeField(required=False, help_text="Start of the facility's local day.")
    week = serializers.DateTimeField(required=False, help_text="Start of the local week (Monday).")
    month = serializers.DateTimeField(required=False, help_text="Start of the local month.")
    facility_id = serializers.UUIDField(source="unit_ref.facility_public_id", required=False)
    facility_name = serializers.CharField(source="unit_ref.facility_name", required=False)
    storage_unit_id = serializers.UUIDField(source="unit_ref.public_id", required=False)
    unit_name = serializers.CharField(source="unit_ref.name", required=False)
    sensor_id = serializers.CharField(source="sensor_code", required=False, allow_blank=True)


class MetricsSerializer(serializers.Serializer[Group]):
    """The metrics of a group: only the requested fields are present."""

    FIELD_BY_AGGREGATION: ClassVar[Mapping[Aggregation, str]] = {
        Aggregation.AVG: "avg_temperature",
        Aggregation.MIN: "min_temperature",
        Aggregation.MAX: "max_temperature",
        Aggregation.COUNT: "reading_count",
        Aggregation.MKT: "mkt",
        Aggregation.MEAN: "mean_temperature",
        Aggregation.COVERAGE: "coverage",
    }
    avg_temperature = TemperatureField(source="totals.average_c", required=False, allow_null=True, help_text=AVERAGE)
    min_temperature = TemperatureField(source="totals.min_c", required=False, allow_null=True)
    max_temperature = TemperatureField(source="totals.max_c", required=False, allow_null=True)
    reading_count = serializers.IntegerField(source="totals.reading_count", required=False)
    mkt = TemperatureField(source="totals.mkt_c", required=False, allow_null=True, help_text=MKT)
    mean_temperature = TemperatureField(source="totals.mean_c", required=False, allow_null=True, help_text=MEAN)
    coverage = serializers.FloatField(
        required=False, help_text=f"{COVERAGE} Of all the group's units, or of its sensor, within the requested period."
    )
    temperature_unit = serializers.ChoiceField(labelled_choices(Scale), source="*")


class GroupSerializer(serializers.Serializer[Group]):
    """A group of readings."""

    group_key = GroupKeySerializer(source="*")
    metrics = MetricsSerializer(source="*")


class UptimeSerializer(serializers.Serializer[Performance]):
    """Completeness of the readings by hours of UTC."""

    hours_with_readings = serializers.IntegerField(help_text="Hours in which any unit sent a reading in the period.")
    total_hours = serializers.IntegerField(
        help_text="Hours of the period: 24 of a day in any zone. Where it begins and ends within an hour of UTC, both "
        "parts count as one hour if they are an hour at most together."
    )
    uptime_percentage = serializers.FloatField()


class DataQualitySerializer(serializers.Serializer[Performance]):
    """Quality of the readings."""

    total_readings = serializers.IntegerField()
    good_readings = serializers.IntegerField(help_text="With a quality score of at least 0.8.")
    quality_percentage = serializers.FloatField()


class DeviationSerializer(serializers.Serializer[Performance]):
    """Deviation from the set temperature, negative below it; null if no temperature is set."""

    avg_deviation = DifferenceField(source="mean_deviation_k", allow_null=True, help_text=MEAN)
    max_deviation = DifferenceField(source="max_deviation_k", allow_null=True)
    min_deviation = DifferenceField(source="min_deviation_k", allow_null=True)
    temperature_unit = RequestedScaleField(help_text="Scale whose degrees the deviations are in.")


class StatusShareSerializer(serializers.Serializer[StatusCount]):
    """Number of readings with a reported status."""

    equipment_status = serializers.CharField()
    count = serializers.IntegerField()
    percentage = serializers.FloatField()


class TimeRangeSerializer(serializers.Serializer[TimeRange]):
    """The period of the response, excluding its end."""

    start_date = serializers.DateTimeField(source="start")
    end_date = serializers.DateTimeField(source="end")


class PerformanceSerializer(serializers.Serializer[Performance]):
    """Performance of the measurements of storage units."""

    uptime = UptimeSerializer(source="*")
    data_quality = DataQualitySerializer(source="*")
    temperature_deviation = DeviationSerializer(source="*")
    status_distribution = StatusShareSerializer(source="statuses", many=True)
    time_range = TimeRangeSerializer()
