"""Serializers of temperature series."""

from __future__ import annotations

from rest_framework import serializers
from typing_extensions import override

from readings.api.fields import RequestedScaleField, TemperatureField, TemperatureListSerializer
from readings.api.serializers import AVERAGE
from readings.series.buckets import Buckets
from readings.series.gaps import MAX_GAPS
from readings.time_ranges import TimeRange
from readings.units.scales import EXACT_DECIMALS, column_from_celsius


class BucketListSerializer(serializers.ListSerializer[Buckets]):
    """Buckets, written column by column in the scale in the context."""

    @override
    def to_representation(self, data: Buckets) -> list[dict[str, object]]:  # type: ignore[override]  # no queryset
        scale = self.context["scale"]
        temperatures = (
            column_from_celsius(column, scale, EXACT_DECIMALS) for column in (data.min_c, data.average_c, data.max_c)
        )
        columns = (data.middles(), *temperatures, data.reading_count.tolist())
        return [
            {"t": middle, "min": low, "avg": average, "max": high, "count": count}
            for middle, low, average, high, count in zip(*columns, strict=True)
        ]


class BucketSerializer(serializers.Serializer[Buckets]):
    """An interval of a series. Temperatures are null if nothing was measured; one in a gap has no readings."""

    t = serializers.DateTimeField(help_text="Middle between its first and last reading.")
    min = TemperatureField(allow_null=True)
    avg = TemperatureField(allow_null=True, help_text=AVERAGE)
    max = TemperatureField(allow_null=True)
    count = serializers.IntegerField()

    class Meta:
        list_serializer_class = BucketListSerializer


class GapSerializer(serializers.Serializer[TimeRange]):
    """A period, up to now, in which no valid measurement is known."""

    start = serializers.DateTimeField(
        help_text="When the last reading went stale or a sensor reported a fault, or the start of the series."
    )
    end = serializers.DateTimeField(help_text="The next measurement, now, or the end of the series.")

    class Meta:
        list_serializer_class = TemperatureListSerializer


class SeriesSerializer(serializers.Serializer[object]):
    """A downsampled temperature series of a unit."""

    storage_unit_id = serializers.UUIDField(source="unit.public_id")
    temperature_unit = RequestedScaleField(help_text="Scale of the temperatures.")
    start_date = serializers.DateTimeField(source="time_range.start")
    end_date = serializers.DateTimeField(source="time_range.end")
    buckets = BucketSerializer(many=True)
    gaps = GapSerializer(
        many=True,
        help_text="All time without a valid measurement, also within a bucket, before the first reading and after the "
        f"last one; the longest {MAX_GAPS:,} at most. Between two buckets there is also an empty one in the gap.",
    )
