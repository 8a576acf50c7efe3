"""Build parsed batches for tests of loading."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from ingestion.parsing.results import READING_SCHEMA, ParsedBatch, RejectedReading, UnitDescription, UnitKey

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def reading(
    minutes: float = 0,
    temperature_c: float | None = 5.0,
    *,
    unit: str = "unit_1",
    facility: str | None = "facility_1",
    **kwargs: object,
) -> dict[str, Any]:
    return {
        "facility_code": facility,
        "unit_code": unit,
        "sensor_code": "sensor_1",
        "recorded_at": NOON + timedelta(minutes=minutes),
        "temperature_c": temperature_c,
        "scale": "C",
        "quality_score": 1.0,
        "equipment_status": "normal",
    } | kwargs


def batch_of(
    *readings: dict[str, Any],
    rejected: Iterable[RejectedReading] = (),
    units: dict[UnitKey, UnitDescription] | None = None,
    is_cut_off: bool = False,
) -> ParsedBatch:
    rows = [{"row_number": number, **row} for number, row in enumerate(readings, start=1)]
    described = {
        (row["facility_code"], row["unit_code"]): UnitDescription(
            facility_code=row["facility_code"], unit_code=row["unit_code"]
        )
        for row in readings
    }
    return ParsedBatch(
        readings=pl.DataFrame(rows, schema=READING_SCHEMA),
        rejected=list(rejected),
        units=described | (units or {}),
        raw_row=lambda number: f"raw row {number}",
        is_cut_off=is_cut_off,
    )
