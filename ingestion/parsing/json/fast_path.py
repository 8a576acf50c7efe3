"""Decode JSON rows in the default layout directly into columns, which is much faster and covers most polls.

It applies only if the result equals that of `ingestion.parsing.json.walker`: all names are known, all values have the
expected types, and no name occurs twice in an object.
"""

from __future__ import annotations

import msgspec
import polars as pl
from msgspec import UNSET, UnsetType


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


_decoder = msgspec.json.Decoder(list[_Reading])
_TEXTS = {
    "customer": "customer_id",
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


def decode_default_layout(rows_text: str) -> pl.DataFrame | None:
    """Return the columns of consecutive rows, separated by commas, for `ingestion.parsing.values.columns`.

    Return None if there are none or a row has another layout.
    """
    if "\\" in rows_text:  # an escaped name could hide a duplicate
        return None
    try:
        rows = _decoder.decode(f"[{rows_text}]")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if not rows or any((row.equipment_status is UNSET) is not (rows[0].equipment_status is UNSET) for row in rows):
        return None
    names = [name for name in _Reading.__struct_fields__ if getattr(rows[0], name) is not UNSET]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    texts = sum(sum(type(value) is str for value in column) for column in columns.values())
    # A duplicate name in an object adds quotes that belong to nothing decoded.
    if rows_text.count('"') != 2 * (len(names) * len(rows) + texts):
        return None
    return _frame(columns, len(rows))


def _frame(columns: dict[str, list[object]], count: int) -> pl.DataFrame:
    raw_fields = [pl.int_range(1, count + 1, eager=True).alias("row_number")]
    texts = _TEXTS | ({"status": "equipment_status"} if "equipment_status" in columns else {})
    for field, name in texts.items():
        raw_fields.append(pl.Series(field, columns[name], dtype=pl.String).fill_null(""))
    for field, name in _NUMBERS.items():
        raw_fields.append(pl.Series(field, columns[name], dtype=pl.Float64))
    for field, name in _NUMBERS_AS_TEXT.items():
        texts_of_numbers = ["" if value is None else repr(value) for value in columns[name]]
        raw_fields.append(pl.Series(field, texts_of_numbers, dtype=pl.String))
    return pl.DataFrame(raw_fields)
