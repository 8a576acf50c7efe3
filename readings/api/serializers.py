"""The shapes of the API's bodies and answers that tell of units, customers and what was measured."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from core.api.errors import InvalidQuery
from core.api.query_params import parse_end, parse_instant
from customers.api.serializers import FacilitySerializer, RecordSerializer
from customers.models import Customer, StorageUnit
from readings.statistics.aggregates import DEFAULT_AGGREGATIONS, Aggregation, GroupBy
from readings.units.scales import ABSOLUTE_ZERO_C, Scale, to_celsius

STATUSES = ("normal", "warning", "critical", "no_data")
validate_url = RegexValidator(r"^https?://[^\s/]+\S*$", "A URL begins with http:// or https:// and holds no blanks.")


class StorageUnitSerializer(RecordSerializer):
    """A storage unit with its newest reading."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    facility_id = serializers.UUIDField(source="facility.public_id", read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    current_temperature = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Null: nothing was ever read, or the sensor gave no measurement."
    )
    current_temperature_unit = serializers.ChoiceField(list(Scale), read_only=True, allow_null=True)
    temperature_status = serializers.ChoiceField(
        STATUSES, read_only=True, help_text="By the limits in force; no_data: not known now."
    )
    last_reading_time = serializers.DateTimeField(read_only=True, allow_null=True)

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
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        def given(name: str, default: Any) -> Any:
            return attrs.get(name, getattr(self.instance, name, default))

        temperature = given("set_temperature", None)
        if temperature is not None and to_celsius(temperature, given("temperature_unit", "C")) < ABSOLUTE_ZERO_C:
            raise serializers.ValidationError({"set_temperature": ["Nothing is colder than absolute zero."]})
        return attrs


class DetailedFacilitySerializer(FacilitySerializer):
    """A facility with its units and what they measure now."""

    units = StorageUnitSerializer(many=True, read_only=True)
    unit_count = serializers.IntegerField(read_only=True)
    average_temperature = serializers.FloatField(read_only=True, allow_null=True)
    min_temperature = serializers.FloatField(read_only=True, allow_null=True)
    max_temperature = serializers.FloatField(read_only=True, allow_null=True)
    temperature_unit = serializers.ChoiceField(list(Scale), read_only=True, help_text="Of the three above.")

    class Meta(FacilitySerializer.Meta):
        fields = [
            *FacilitySerializer.Meta.fields,
            "units",
            "unit_count",
            "average_temperature",
            "min_temperature",
            "max_temperature",
            "temperature_unit",
        ]


class CustomerSerializer(RecordSerializer):
    """A customer's profile, as the operator writes it."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    api_url = serializers.CharField(max_length=2000, required=False, allow_blank=True, validators=[validate_url])
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    facility_count = serializers.IntegerField(read_only=True)
    unit_count = serializers.IntegerField(read_only=True)
    active_readings_count = serializers.IntegerField(read_only=True, help_text="All readings that are stored.")
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
            "is_active",
            "created_at",
            "updated_at",
            "facility_count",
            "unit_count",
            "active_readings_count",
            "last_reading_time",
        ]


class ProfileSerializer(CustomerSerializer):
    """A customer's profile, as they write it themselves: their code and whether they are active is the operator's."""

    class Meta(CustomerSerializer.Meta):
        read_only_fields = ["customer_code", "is_active"]


class EntrySerializer(serializers.Serializer[Any]):
    """The value of a key of the configuration."""

    value = serializers.JSONField(help_text="A number of days, or the two deviations in kelvin.")
    description = serializers.CharField()
    updated_at = serializers.DateTimeField(allow_null=True, help_text="Null: it has its default.")


class ChangedEntrySerializer(serializers.Serializer[Any]):
    """What a key of the configuration is set to."""

    value = serializers.JSONField(required=False)
    description = serializers.CharField(required=False, allow_blank=True, max_length=1000)


class ConfigurationSerializer(serializers.Serializer[Any]):
    """The whole configuration."""

    data_retention_days = EntrySerializer()
    max_temperature_deviation = EntrySerializer()


class ReadingSerializer(serializers.Serializer[Any]):
    """A reading. Lists write it without this class, for speed; a test holds both to the same fields."""

    id = serializers.UUIDField(help_text="Stable and opaque.")
    customer_id = serializers.UUIDField()
    facility_id = serializers.UUIDField()
    storage_unit_id = serializers.UUIDField()
    facility_name = serializers.CharField()
    unit_name = serializers.CharField()
    temperature = serializers.FloatField(
        allow_null=True, help_text="In the scale it was reported in. Null: the sensor gave no measurement."
    )
    temperature_unit = serializers.ChoiceField(list(Scale))
    recorded_at = serializers.DateTimeField()
    sensor_id = serializers.CharField(allow_blank=True)
    quality_score = serializers.FloatField(min_value=0, max_value=1)
    equipment_status = serializers.CharField()
    created_at = serializers.DateTimeField()


class StatisticsSerializer(serializers.Serializer[Any]):
    """Statistics; the temperatures are null where nothing was measured."""

    min_temperature = serializers.FloatField(allow_null=True)
    max_temperature = serializers.FloatField(allow_null=True)
    avg_temperature = serializers.FloatField(allow_null=True, help_text="The arithmetic mean of the measurements.")
    mkt = serializers.FloatField(allow_null=True, help_text="Mean kinetic temperature, weighted by time.")
    reading_count = serializers.IntegerField()
    normal_count = serializers.IntegerField()
    warning_count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    fault_count = serializers.IntegerField(help_text="Readings without a measurement.")
    time_range_start = serializers.DateTimeField()
    time_range_end = serializers.DateTimeField()
    unit_count = serializers.IntegerField()
    temperature_unit = serializers.ChoiceField(list(Scale))


class InstantField(serializers.CharField):
    """An ISO 8601 time; a naive one is UTC. A bare date is its beginning, or as an end its end."""

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        self.is_end = is_end
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> datetime:  # type: ignore[override]
        text = super().to_internal_value(data).strip()
        try:
            return (parse_end if self.is_end else parse_instant)(str(self.field_name), text)
        except InvalidQuery as error:
            raise serializers.ValidationError(str(error.detail)) from error


class AggregateRequestSerializer(serializers.Serializer[Any]):
    """What to group readings by, and what to say of each group."""

    group_by = serializers.ListField(child=serializers.ChoiceField(list(GroupBy)), max_length=20)
    aggregations = serializers.ListField(
        child=serializers.ChoiceField(list(Aggregation)),
        max_length=20,
        allow_empty=False,
        default=list(DEFAULT_AGGREGATIONS),
    )
    start_date = InstantField(required=False, allow_null=True)
    end_date = InstantField(required=False, allow_null=True, is_end=True)
    facility_id = serializers.UUIDField(required=False, allow_null=True)
    storage_unit_id = serializers.UUIDField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, end = attrs.get("start_date"), attrs.get("end_date")
        if start and end and end < start:
            raise serializers.ValidationError({"end_date": ["This must not be before start_date."]})
        return attrs


class GroupKeySerializer(serializers.Serializer[Any]):
    """What a group is of: only what was grouped by is there."""

    hour = serializers.DateTimeField(required=False)
    day = serializers.DateTimeField(required=False, help_text="The beginning of the facility's local day.")
    week = serializers.DateTimeField(required=False, help_text="The beginning of its Monday.")
    month = serializers.DateTimeField(required=False, help_text="The beginning of its first day.")
    facility_id = serializers.UUIDField(required=False)
    facility_name = serializers.CharField(required=False)
    storage_unit_id = serializers.UUIDField(required=False)
    unit_name = serializers.CharField(required=False)
    sensor_id = serializers.CharField(required=False, allow_blank=True)


class MetricsSerializer(serializers.Serializer[Any]):
    """What is said of a group: only what was asked for is there."""

    avg_temperature = serializers.FloatField(required=False, allow_null=True)
    min_temperature = serializers.FloatField(required=False, allow_null=True)
    max_temperature = serializers.FloatField(required=False, allow_null=True)
    reading_count = serializers.IntegerField(required=False)
    mkt = serializers.FloatField(required=False, allow_null=True)
    temperature_unit = serializers.ChoiceField(list(Scale))


class GroupSerializer(serializers.Serializer[Any]):
    """A group of readings."""

    group_key = GroupKeySerializer()
    metrics = MetricsSerializer()


class BucketSerializer(serializers.Serializer[Any]):
    """A stretch of a series. The temperatures are null where nothing was measured; one in a gap has no readings."""

    t = serializers.DateTimeField(help_text="The middle of its readings; the reading's own time where there is one.")
    min = serializers.FloatField(allow_null=True)
    avg = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()


class GapSerializer(serializers.Serializer[Any]):
    """A stretch for which the unit is not known to have been measured."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class SeriesSerializer(serializers.Serializer[Any]):
    """The course of a unit's temperature."""

    storage_unit_id = serializers.UUIDField()
    temperature_unit = serializers.ChoiceField(list(Scale))
    start_date = serializers.DateTimeField()
    end_date = serializers.DateTimeField()
    buckets = BucketSerializer(many=True)
    gaps = GapSerializer(many=True)


class UptimeSerializer(serializers.Serializer[Any]):
    """How steadily readings came, by hours of UTC."""

    hours_with_readings = serializers.IntegerField()
    total_hours = serializers.IntegerField()
    uptime_percentage = serializers.FloatField()


class DataQualitySerializer(serializers.Serializer[Any]):
    """How good readings were."""

    total_readings = serializers.IntegerField()
    good_readings = serializers.IntegerField(help_text="Of quality 0.8 and up.")
    quality_percentage = serializers.FloatField()


class DeviationSerializer(serializers.Serializer[Any]):
    """How far temperatures were above (or, negative, below) the set temperature; null where nothing is set."""

    avg_deviation = serializers.FloatField(allow_null=True, help_text="The mean over time.")
    max_deviation = serializers.FloatField(allow_null=True)
    min_deviation = serializers.FloatField(allow_null=True)
    temperature_unit = serializers.ChoiceField(list(Scale), help_text="In the steps of this scale.")


class StatusShareSerializer(serializers.Serializer[Any]):
    """How many readings were sent with a status."""

    equipment_status = serializers.CharField()
    count = serializers.IntegerField()
    percentage = serializers.FloatField()


class TimeRangeSerializer(serializers.Serializer[Any]):
    """What an answer is about: from the start to before the end."""

    start_date = serializers.DateTimeField()
    end_date = serializers.DateTimeField()


class PerformanceSerializer(serializers.Serializer[Any]):
    """How well the measuring of a customer's units went."""

    uptime = UptimeSerializer()
    data_quality = DataQualitySerializer()
    temperature_deviation = DeviationSerializer()
    status_distribution = StatusShareSerializer(many=True)
    time_range = TimeRangeSerializer()
