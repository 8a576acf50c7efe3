"""The shapes of the analytics endpoints' answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from readings.units.scales import Scale


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
