"""The output of a reading in the REST API and in exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rest_framework import serializers

from core.api.fields import labelled_choices
from core.api.serializer_rows import Representation, SerializerRows
from readings.lists.public_ids import reading_ids
from readings.lists.queries import Row
from readings.storage.reading_batch import microseconds_of
from readings.units.scales import Scale, from_celsius
from readings.units.unit_refs import UnitRef, UnitRefs


class ReadingSerializer(serializers.Serializer[object]):
    """A reading."""

    id = serializers.UUIDField(help_text="Stable and opaque.")
    customer_id = serializers.UUIDField(source="unit.customer_public_id")
    facility_id = serializers.UUIDField(source="unit.facility_public_id")
    storage_unit_id = serializers.UUIDField(source="unit.public_id")
    facility_name = serializers.CharField(source="unit.facility_name")
    unit_name = serializers.CharField(source="unit.name")
    temperature = serializers.FloatField(
        allow_null=True, help_text="In the scale it was reported in; null if the sensor gave no measurement."
    )
    temperature_unit = serializers.ChoiceField(labelled_choices(Scale), source="row.scale")
    recorded_at = serializers.DateTimeField(source="row.recorded_at")
    sensor_id = serializers.CharField(allow_blank=True, source="row.sensor_code", help_text="Code of the sensor.")
    quality_score = serializers.FloatField(min_value=0, max_value=1, source="row.quality_score")
    equipment_status = serializers.CharField(source="row.equipment_status")
    created_at = serializers.DateTimeField(source="row.created_at", help_text="When the reading was stored.")


class _Reading(NamedTuple):
    """A stored row with what its representation adds: the source of ReadingSerializer's fields."""

    id: str
    row: Row
    unit: UnitRef
    temperature: float | None


READING_ROWS = SerializerRows(ReadingSerializer)


def to_representation(rows: Sequence[Row], units: UnitRefs) -> list[Representation]:
    """Return the readings as ReadingSerializer defines them, with temperatures exactly as they were reported."""
    return READING_ROWS.represent_objects(_readings(rows, units))


def _readings(rows: Sequence[Row], units: UnitRefs) -> Iterator[_Reading]:
    ids = reading_ids(
        [row.unit_id for row in rows],
        [row.sensor_id for row in rows],
        [microseconds_of(row.recorded_at) for row in rows],
    )
    for row, reading_id in zip(rows, ids, strict=True):
        temperature = None if row.temperature_c is None else from_celsius(row.temperature_c, row.scale)
        yield _Reading(reading_id, row, units[row.unit_id], temperature)
