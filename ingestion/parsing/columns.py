"""Rows by the block: what can be converted as columns is, the rest goes row by row through `ingestion.parsing.row`.

Codes, scales and statuses repeat, so each distinct value is judged once, by the function that judges it in a single
row. Temperatures, qualities and times are converted as columns, to the same values. What is taken here is what
`convert_row` would make of the row; what is not taken, `convert_row` decides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.parsing.field_names import UNIT_ATTRIBUTES
from ingestion.parsing.results import RawRow, RejectedReading
from ingestion.parsing.row import (
    CONVERTED_SCHEMA,
    HIGHEST_C,
    LOWEST_C,
    NO_FIELD,
    RowConverter,
    RowRejected,
    RowRules,
    read_code,
    read_facility,
    read_scale,
    read_status,
    read_unit,
)
from ingestion.parsing.timestamps import read_times
from readings.units.scales import Scale, to_celsius

# The fields whose values repeat, and the columns that they become.
_CODES = {
    "facility": "facility_code",
    "unit": "unit_code",
    "sensor": "sensor_code",
    "status": "equipment_status",
    "scale": "scale",
}


def convert_rows(
    raw_fields: pl.DataFrame, rules: RowRules, raw_row: RawRow
) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Rows of CONVERTED_SCHEMA in the order of `raw_fields`, which convert_columns describes, and the rows rejected."""
    converted, left = convert_columns(raw_fields, rules)
    if not left:
        return converted, []
    exact = RowConverter(rules, raw_row)
    for row in raw_fields.filter(pl.col("row_number").is_in(left)).iter_rows(named=True):
        exact.add(row.pop("row_number"), row)
    return pl.concat([converted, exact.frame()]).sort("row_number"), exact.rejected


def convert_columns(raw_fields: pl.DataFrame, rules: RowRules) -> tuple[pl.DataFrame, list[int]]:
    """Rows of CONVERTED_SCHEMA, and the row numbers of those that are left to read_row.

    `raw_fields` holds row_number and, where the source has them, the fields of `ingestion.parsing.field_names` as String
    columns without nulls ("" for nothing); temperature and quality may be Float64 columns with nulls instead.
    """
    block = _ColumnConverter(raw_fields, rules)
    block.convert_codes()
    block.convert_times()
    block.convert_temperatures()
    block.convert_qualities()
    block.add_unit_attributes()
    rows = pl.DataFrame(block.columns).select(CONVERTED_SCHEMA.keys())
    if block.is_valid.all():
        return rows, []
    return rows.filter(block.is_valid), raw_fields["row_number"].filter(~block.is_valid).to_list()


class _ColumnConverter:
    """The columns made so far, and which rows are still good."""

    def __init__(self, raw_fields: pl.DataFrame, rules: RowRules) -> None:
        self.raw_fields = raw_fields
        self.rules = rules
        self.columns = {"row_number": raw_fields["row_number"]}
        self.is_valid = np.ones(len(raw_fields), np.bool_)

    def convert_codes(self) -> None:
        """Codes, statuses and scales: each distinct value is judged once."""
        readers: dict[str, Callable[[str | None], str | None]] = {
            "facility": read_facility,
            "unit": lambda code: read_unit(self.rules.default_unit if code is None else code),
            "sensor": lambda code: read_code(code, "sensor code"),
            "status": read_status,
            "scale": lambda name: read_scale(NO_FIELD if name is None else name, self.rules).value,
        }
        present = [field for field in _CODES if field in self.raw_fields]
        distinct = self.raw_fields.select(pl.col(present).unique().implode()).row(0, named=True) if present else {}
        for field, column in _CODES.items():
            if field in distinct:
                self._convert_distinct(self.raw_fields[field], distinct[field], column, readers[field])
            else:
                meanings = _read_distinct([None], readers[field])
                self.is_valid &= bool(meanings)
                self._add_constant(column, meanings.get(None), pl.String())

    def convert_times(self) -> None:
        """Walls, as in `ingestion.parsing.timestamps`."""
        if "time" not in self.raw_fields:
            received = self.rules.received_us
            self.is_valid &= received is not None
            self._add_constant("wall", received or 0, pl.Int64())
            self._add_constant("is_local", False, pl.Boolean())
            return
        walls = read_times(self.raw_fields["time"], self.rules.times)
        self.is_valid &= walls.is_parsed
        self.columns["wall"] = pl.Series(walls.microseconds)
        self.columns["is_local"] = pl.Series(walls.is_local)

    def convert_temperatures(self) -> None:
        """Numbers on the rows' scales in °C; null where nothing was measured."""
        is_null, sent = self._numbers(self.raw_fields["temperature"], ["", *self.rules.null_values])
        scales, celsius = self.columns["scale"], sent
        for scale in (Scale.FAHRENHEIT, Scale.KELVIN):
            if (is_on_scale := (scales == scale.value).fill_null(False).to_numpy()).any():
                celsius = np.where(is_on_scale, to_celsius(sent, scale), celsius)
        self.is_valid &= is_null | ((celsius >= LOWEST_C) & (celsius <= HIGHEST_C))
        self.columns["temperature_c"] = pl.Series(np.where(is_null, np.nan, celsius), nan_to_null=True)

    def convert_qualities(self) -> None:
        """Scores from 0 to 1; 1 where none is told."""
        if "quality" not in self.raw_fields:
            self._add_constant("quality_score", 1.0, pl.Float64())
            return
        is_missing, scores = self._numbers(self.raw_fields["quality"], [""])
        self.is_valid &= is_missing | ((scores >= 0.0) & (scores <= 1.0))
        self.columns["quality_score"] = pl.Series(np.where(is_missing, 1.0, scores))

    def add_unit_attributes(self) -> None:
        """What the rows say about their units, as text; it is read once a unit, later."""
        for attribute in UNIT_ATTRIBUTES:
            if attribute in self.raw_fields:
                self.columns[attribute] = self.raw_fields[attribute]
            else:
                self._add_constant(attribute, "", pl.String())

    def _numbers(self, values: pl.Series, nulls: list[str]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Where a column holds one of `nulls`, and its numbers: not finite where a text is none in this notation."""
        if values.dtype == pl.Float64:
            return values.is_null().to_numpy(), values.to_numpy()
        is_null = (values == nulls[0] if len(nulls) == 1 else values.is_in(nulls)).to_numpy()
        marks = self.rules.decimal_marks
        if "." not in marks:
            values = values.set(values.str.contains(".", literal=True), None)
        if "," in marks:
            values = values.str.replace(",", ".", literal=True)
        return is_null, values.cast(pl.Float64, strict=False).to_numpy()

    def _convert_distinct(
        self, values: pl.Series, distinct: list[str], column: str, read: Callable[[str | None], str | None]
    ) -> None:
        """Add a column of what `read` makes of each value; rows with a value that it rejects are not good."""
        meanings = _read_distinct(distinct, read)
        if len(meanings) < len(distinct):
            self.is_valid &= values.is_in([value for value in distinct if value in meanings]).to_numpy()
        if len(meanings) < len(distinct) or any(value != meant for value, meant in meanings.items()):
            old, new = list(meanings), list(meanings.values())
            values = values.replace_strict(old, new, default=None, return_dtype=pl.String)
        self.columns[column] = values

    def _add_constant(self, column: str, value: str | float | None, dtype: pl.DataType) -> None:
        self.columns[column] = pl.Series([value], dtype=dtype).new_from_index(0, len(self.raw_fields))


def _read_distinct(
    values: list[str] | list[None], read: Callable[[str | None], str | None]
) -> dict[str | None, str | None]:
    meanings: dict[str | None, str | None] = {}
    for value in values:
        try:
            meanings[value] = read(value)
        except RowRejected:
            continue  # its rows are left to read_row, which says why
    return meanings
