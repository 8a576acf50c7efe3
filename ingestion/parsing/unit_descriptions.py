"""Describe storage units from what their rows or a site structure contain about them."""

from __future__ import annotations

import math

import polars as pl

from ingestion.parsing.fields.names import UNIT_ATTRIBUTES
from ingestion.parsing.limits import MAX_BATCH_UNITS, exceeded
from ingestion.parsing.results import UnitDescription, UnitKey
from ingestion.parsing.values.row import NOT_TEXT, read_number
from ingestion.parsing.values.rules import RowRules

# Up to this number of rows a loop is faster than polars. It must be less than MAX_BATCH_UNITS.
FEW_ROWS = 200
_TEXT_LIMIT = 200
_SIZE_UNIT_LIMIT = 20


def describe_units(rows: pl.DataFrame, rules: RowRules) -> dict[UnitKey, UnitDescription]:
    """Describe each unit in rows of CONVERTED_SCHEMA by the last non-empty value of each attribute."""
    if rows.is_empty():
        return {}
    attributes = _of_few_rows(rows) if len(rows) <= FEW_ROWS else _of_many_rows(rows)
    return {key: _describe(key, unit, rules) for key, unit in attributes.items()}


def _of_few_rows(rows: pl.DataFrame) -> dict[UnitKey, dict[str, str | None]]:
    """Return the attributes of each unit, in order of their last rows."""
    units: dict[UnitKey, dict[str, str | None]] = {}
    columns = (rows[name].to_list() for name in ("facility_code", "unit_code", "scale", *UNIT_ATTRIBUTES))
    for facility_code, unit_code, scale, *values in zip(*columns, strict=True):
        before = units.pop((facility_code, unit_code), None) or dict.fromkeys(UNIT_ATTRIBUTES)
        sent = {name: value for name, value in zip(UNIT_ATTRIBUTES, values, strict=True) if value}
        units[facility_code, unit_code] = before | sent | {"scale": scale}
    return units


def _of_many_rows(rows: pl.DataFrame) -> dict[UnitKey, dict[str, str | None]]:
    """Return what `_of_few_rows` does."""
    position = pl.col("position")
    # An attribute that no row lacks, as is usual, is taken from the unit's last row; most rows have few or none at all.
    present, sparse = _attributes_in(rows)
    last_positions = [position.filter(pl.col(attribute) != "").last().alias(attribute) for attribute in sparse]
    units = rows.with_row_index("position").group_by("facility_code", "unit_code").agg(position.last(), *last_positions)
    if len(units) > MAX_BATCH_UNITS:
        raise exceeded(f"it names more than {MAX_BATCH_UNITS:,} storage units")
    units = units.sort("position")
    columns: dict[str, list[str | None]] = {
        attribute: rows[attribute].gather(units[attribute if attribute in sparse else "position"]).to_list()
        for attribute in present
    }
    columns["scale"] = rows["scale"].gather(units["position"]).to_list()
    absent = dict.fromkeys(set(UNIT_ATTRIBUTES) - {*present})
    attributes = (absent | dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    return dict(zip(units.select("facility_code", "unit_code").rows(), attributes, strict=True))


def _attributes_in(rows: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Return the attributes that some rows have, and those of them that others lack."""
    is_empty = pl.col(UNIT_ATTRIBUTES) == ""
    lacking, absent = rows.select(is_empty.any()).row(0), rows.select(is_empty.all()).row(0)
    present = [name for name, is_absent in zip(UNIT_ATTRIBUTES, absent, strict=True) if not is_absent]
    sparse = {name for name, is_lacking in zip(UNIT_ATTRIBUTES, lacking, strict=True) if is_lacking}
    return present, [name for name in present if name in sparse]


def _describe(key: UnitKey, unit: dict[str, str | None], rules: RowRules) -> UnitDescription:
    return UnitDescription(
        facility_code=key[0],
        unit_code=key[1],
        unit_name=clean_text(unit["unit_name"]),
        facility_name=clean_text(unit["facility_name"]),
        city=clean_text(unit["city"]),
        country=clean_text(unit["country"]),
        set_temperature=finite_number(unit["set_temperature"], rules),
        temperature_unit=unit["scale"],
        size_value=finite_number(unit["size"], rules),
        size_unit=clean_text(unit["size_unit"], _SIZE_UNIT_LIMIT),
    )


def clean_text(text: str | None, limit: int = _TEXT_LIMIT) -> str | None:
    """Return a text without control characters, at most `limit` characters long; None if nothing is left."""
    return NOT_TEXT.sub("", text or "").strip()[:limit] or None


def finite_number(value: object, rules: RowRules) -> float | None:
    """Return a number, or a text that is one, as float; None for anything else and for infinity."""
    number = read_number(value, rules)
    return number if number is not None and math.isfinite(number) else None
