"""The usual form of JSON decoded straight into columns: a quick way for what nearly every poll brings.

It is taken only where it cannot differ from the walk of `ingestion.parsing.json_walker`: every name is known, every
value of the type expected, no name twice.
"""

from __future__ import annotations

import msgspec
import polars as pl
from msgspec import UNSET, UnsetType

_Ignored = str | int | UnsetType | None


class _Reading(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    customer_id: str | None
    facility_id: str | None
    unit_id: str | None
    unit_name: str | None
    temperature: float | None
    temperature_unit: str | None
    timestamp: str | None
    sensor_id: str | None
    set_temperature: float | None
    size: float | None
    size_unit: str | None
    city: str | None
    country: str | None
    quality_score: float | None
    equipment_status: str | UnsetType | None = UNSET


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    readings: list[_Reading]
    customer_id: _Ignored = UNSET
    generated_at: _Ignored = UNSET
    reading_count: _Ignored = UNSET
    readings_count: _Ignored = UNSET
    start_time: _Ignored = UNSET
    end_time: _Ignored = UNSET


_decoder = msgspec.json.Decoder(_Envelope | list[_Reading])
_TEXTS = {
    "facility": "facility_id",
    "unit": "unit_id",
    "unit_name": "unit_name",
    "scale": "temperature_unit",
    "time": "timestamp",
    "sensor": "sensor_id",
    "size_unit": "size_unit",
    "city": "city",
    "country": "country",
}
_NUMBERS = {"temperature": "temperature", "quality": "quality_score"}
_NUMBERS_AS_TEXT = {"set_temperature": "set_temperature", "size": "size"}


def decode_default_layout(data: bytes) -> pl.DataFrame | None:
    """Columns for `ingestion.parsing.columns` of a body in the usual form; None where it is in another."""
    if b"\\" in data:  # an escaped name could hide that it stands twice
        return None
    try:
        decoded = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    rows = decoded.readings if isinstance(decoded, _Envelope) else decoded
    if not rows or any((row.equipment_status is UNSET) is not (rows[0].equipment_status is UNSET) for row in rows):
        return None
    names = [name for name in _Reading.__struct_fields__ if getattr(rows[0], name) is not UNSET]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    texts = sum(sum(type(value) is str for value in column) for column in columns.values())
    told = [] if decoded is rows else [getattr(decoded, name) for name in _Envelope.__struct_fields__[1:]]
    told = [value for value in told if value is not UNSET]
    quotes = len(names) * len(rows) + texts + (0 if decoded is rows else 1 + len(told))
    quotes += sum(isinstance(value, str) for value in told)
    # A name that stands twice in an object brings quotes that belong to nothing decoded.
    return _frame(columns, len(rows)) if data.count(b'"') == 2 * quotes else None


def _frame(columns: dict[str, list], count: int) -> pl.DataFrame:
    raw_fields = [pl.int_range(1, count + 1, eager=True).alias("row_number")]
    texts = _TEXTS | ({"status": "equipment_status"} if "equipment_status" in columns else {})
    for field, name in texts.items():
        raw_fields.append(pl.Series(field, columns[name], dtype=pl.String).fill_null(""))
    for field, name in _NUMBERS.items():
        raw_fields.append(pl.Series(field, columns[name], dtype=pl.Float64))
    for field, name in _NUMBERS_AS_TEXT.items():
        raw_fields.append(
            pl.Series(field, ["" if value is None else repr(value) for value in columns[name]], dtype=pl.String)
        )
    return pl.DataFrame(raw_fields)
