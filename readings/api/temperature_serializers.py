"""The shapes of the temperature endpoints: what they are asked, and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from core.api.errors import InvalidQuery
from core.api.query_params import parse_end, parse_instant
from readings.statistics.aggregates import USUAL_AGGREGATIONS, Aggregation, GroupBy
from readings.units.scales import Scale


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
        default=list(USUAL_AGGREGATIONS),
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
