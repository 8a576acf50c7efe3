"""A reading as the REST API gives it, in every format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from readings.lists.public_ids import reading_ids
from readings.lists.queries import Row
from readings.storage.reading_batch import microseconds_of
from readings.units.scales import from_celsius
from readings.units.unit_refs import Places

FIELDS = (
    "id",
    "customer_id",
    "facility_id",
    "storage_unit_id",
    "facility_name",
    "unit_name",
    "temperature",
    "temperature_unit",
    "recorded_at",
    "sensor_id",
    "quality_score",
    "equipment_status",
    "created_at",
)


def in_form(rows: Sequence[Row], places: Places) -> list[dict[str, Any]]:
    """The readings with FIELDS: the temperature on the scale it was reported in, to the digit that was sent."""
    ids = reading_ids(
        [row.unit_id for row in rows],
        [row.sensor_id for row in rows],
        [microseconds_of(row.recorded_at) for row in rows],
    )
    return [_in_form(row, reading_id, places) for row, reading_id in zip(rows, ids, strict=True)]


def _in_form(row: Row, reading_id: str, places: Places) -> dict[str, Any]:
    place = places[row.unit_id]
    return {
        "id": reading_id,
        "customer_id": place.customer_public_id,
        "facility_id": place.facility_public_id,
        "storage_unit_id": place.public_id,
        "facility_name": place.facility_name,
        "unit_name": place.name,
        "temperature": None if row.temperature_c is None else from_celsius(row.temperature_c, row.scale),
        "temperature_unit": row.scale,
        "recorded_at": row.recorded_at,
        "sensor_id": row.sensor_code,
        "quality_score": row.quality_score,
        "equipment_status": row.equipment_status,
        "created_at": row.created_at,
    }
