"""Parse whole bodies, and build rows and bodies in the default layouts, for tests."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from ingestion.parsing.parse import parse_body
from ingestion.parsing.results import ParsedBatch, RejectedReading, UnitDescription, UnitKey, UnreadableBody
from ingestion.sources.mapping import FieldMapping

RECEIVED_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
CSV_HEADER = (
    "customer_id,facility_id,unit_id,unit_name,temperature,temperature_unit,timestamp,"
    "sensor_id,set_temperature,size,size_unit,city,country,quality_score"
)


# The reading of csv_row() and json_row(), without the row number and the time.
DEFAULT_READING = {
    "facility_code": "facility_A_1",
    "unit_code": "unit_A_1_1",
    "sensor_code": "sensor_1",
    "temperature_c": -74.31,
    "scale": "C",
    "quality_score": 0.9487,
    "equipment_status": "normal",
}
DEFAULT_UNIT = UnitDescription(
    facility_code="facility_A_1",
    unit_code="unit_A_1_1",
    unit_name="Ultra-Low Freezer 1",
    city="Oxford",
    country="England",
    set_temperature=-74.2,
    temperature_unit="C",
    size_value=328.0,
    size_unit="sqm",
)


@dataclass
class Parsed:
    """The batches of a body, and their combined contents."""

    batches: list[ParsedBatch]

    @property
    def readings(self) -> pl.DataFrame:
        return pl.concat([batch.readings for batch in self.batches])

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.readings.to_dicts()

    @property
    def row(self) -> dict[str, Any]:
        (row,) = self.rows
        return row

    @property
    def temperatures(self) -> list[float | None]:
        return self.readings["temperature_c"].to_list()

    @property
    def rejected(self) -> list[RejectedReading]:
        return [rejection for batch in self.batches for rejection in batch.rejected]

    @property
    def rejection(self) -> RejectedReading:
        (rejection,) = self.rejected
        return rejection

    @property
    def reasons(self) -> dict[int, str]:
        return {rejection.row_number: rejection.reason.value for rejection in self.rejected}

    @property
    def units(self) -> dict[UnitKey, UnitDescription]:
        return {key: unit for batch in self.batches for key, unit in batch.units.items()}

    @property
    def is_cut_off(self) -> bool:
        return self.batches[-1].is_cut_off

    @property
    def notes(self) -> list[str]:
        return [note for batch in self.batches for note in batch.notes]

    @property
    def header(self) -> str:
        return self.batches[0].row_context


def parse(body: str | bytes, mapping: FieldMapping | None = None, **arguments: Any) -> Parsed:
    """Parse a body; a text is encoded in UTF-8."""
    data = body.encode() if isinstance(body, str) else body
    arguments.setdefault("received_at", RECEIVED_AT)
    return Parsed(list(parse_body(io.BytesIO(data), mapping or FieldMapping(), **arguments)))


def unreadable(body: bytes | str, mapping: FieldMapping | None = None, **arguments: object) -> UnreadableBody:
    """Parse a body that cannot be parsed; return the error."""
    with pytest.raises(UnreadableBody) as error:
        parse(body, mapping, **arguments)
    return error.value


def csv_row(**cells: str) -> str:
    """Return a line for CSV_HEADER."""
    defaults = {
        "customer_id": "A",
        "facility_id": "facility_A_1",
        "unit_id": "unit_A_1_1",
        "unit_name": "Ultra-Low Freezer 1",
        "temperature": "-74.31",
        "temperature_unit": "C",
        "timestamp": "2026-11-23T10:11:11.123456",
        "sensor_id": "sensor_1",
        "set_temperature": "-74.2",
        "size": "328",
        "size_unit": "sqm",
        "city": "Oxford",
        "country": "England",
        "quality_score": "0.9487",
    }
    return ",".join((defaults | cells).values())


def csv_body(*lines: str) -> str:
    """Return a body of CSV_HEADER and these lines."""
    return "\n".join([CSV_HEADER, *lines]) + "\n"


def json_row(**members: object) -> dict[str, object]:
    """Return a row in the default JSON layout."""
    defaults = {
        "customer_id": "A",
        "facility_id": "facility_A_1",
        "unit_id": "unit_A_1_1",
        "unit_name": "Ultra-Low Freezer 1",
        "temperature": -74.31,
        "temperature_unit": "C",
        "timestamp": "2026-11-23T10:11:11.123456",
        "sensor_id": "sensor_1",
        "set_temperature": -74.2,
        "size": 328,
        "size_unit": "sqm",
        "city": "Oxford",
        "country": "England",
        "quality_score": 0.9487,
    }
    return defaults | members


def json_body(*rows: object, **members: object) -> str:
    """Return the default envelope with these rows and further members."""
    envelope = {"customer_id": "A", "generated_at": "2026-11-23T10:15:00.123456", "reading_count": len(rows)}
    return json.dumps(envelope | {"readings": list(rows)} | members)
