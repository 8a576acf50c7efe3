"""A block of rows at once: what can be converted without a doubt is, and the rest is left to `ingestion.parse_row`.

Codes, scales and statuses repeat, so each distinct value is judged once, by the function that judges it in a single
row. Temperatures, qualities and times are converted as columns, to the same values. What is taken here is what
`read_row` would make of the row; what is not taken, `read_row` decides.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ingestion.fields import UNIT_FACTS
from ingestion.parse_row import (
    CONVERTED_SCHEMA,
    HIGHEST_C,
    LOWEST_C,
    NO_FIELD,
    RowRejected,
    RowRules,
    read_code,
    read_facility,
    read_scale,
    read_status,
    read_unit,
)
from ingestion.times import read_times
from readings.scales import Scale, to_celsius


def convert_columns(said: pl.DataFrame, rules: RowRules) -> tuple[pl.DataFrame, list[int]]:
    """Rows of CONVERTED_SCHEMA, and the row numbers of those that are left to read_row.

    `said` holds row_number and, where the source has them, the fields of `ingestion.fields` as String columns without
    nulls ("" for nothing); temperature and quality may be Float64 columns with nulls instead.
    """
    block = _Block(said, rules)
    block.convert_codes()
    block.convert_times()
    block.convert_temperatures()
    block.convert_qualities()
    block.add_facts()
    rows = pl.DataFrame(block.columns).select(CONVERTED_SCHEMA.keys())
    if block.good.all():
        return rows, []
    return rows.filter(block.good), said["row_number"].filter(~block.good).to_list()


class _Block:
    """The columns made so far, and which rows are still good."""

    def __init__(self, said: pl.DataFrame, rules: RowRules) -> None:
        self.said = said
        self.rules = rules
        self.columns = [said["row_number"].cast(pl.Int64)]
        self.good = self._constant(True, pl.Boolean())

    def convert_codes(self) -> None:
        self._by_value("facility", "facility_code", read_facility)
        self._by_value("unit", "unit_code", read_unit, absent=self.rules.default_unit)
        self._by_value("sensor", "sensor_code", lambda code: read_code(code, "sensor code"))
        self._by_value("status", "equipment_status", read_status)
        self._by_value("scale", "scale", lambda name: read_scale(NO_FIELD if name is None else name, self.rules).value)

    def convert_times(self) -> None:
        if "time" not in self.said:
            received = self.rules.received_us
            self.good &= received is not None
            self._add("wall", self._constant(received or 0, pl.Int64()))
            self._add("is_local", self._constant(False, pl.Boolean()))
            return
        walls = read_times(self.said["time"], self.rules.times)
        self.good &= pl.Series(walls.is_read)
        self._add("wall", pl.Series(walls.microseconds))
        self._add("is_local", pl.Series(walls.is_local))

    def convert_temperatures(self) -> None:
        """Numbers on the rows' scales in °C; null where nothing was measured."""
        values = self.said["temperature"]
        is_null = values.is_null() if values.dtype == pl.Float64 else _is_one_of(values, ["", *self.rules.null_values])
        numbers = self._numbers(values)
        scales = next(column for column in self.columns if column.name == "scale")
        celsius = numbers
        for scale in scales.unique().drop_nulls():
            if scale != Scale.CELSIUS:
                converted = pl.Series(to_celsius(numbers.to_numpy(), scale))
                celsius = converted.zip_with(scales.eq_missing(scale), celsius)
        self.good &= is_null | celsius.is_between(LOWEST_C, HIGHEST_C).fill_null(False)
        self._add("temperature_c", celsius.set(is_null, None) if is_null.any() else celsius)

    def convert_qualities(self) -> None:
        """Scores from 0 to 1; 1 where none is told."""
        if "quality" not in self.said:
            self._add("quality_score", self._constant(1.0, pl.Float64()))
            return
        values = self.said["quality"]
        is_told = values.is_not_null() if values.dtype == pl.Float64 else values != ""
        numbers = self._numbers(values)
        self.good &= ~is_told | numbers.is_between(0.0, 1.0).fill_null(False)
        self._add("quality_score", numbers if is_told.all() else numbers.set(~is_told, 1.0))

    def add_facts(self) -> None:
        """What the rows say about their units, as text; it is read once a unit, later."""
        for fact in UNIT_FACTS:
            self._add(fact, self.said[fact] if fact in self.said else self._constant("", pl.String()))

    def _numbers(self, values: pl.Series) -> pl.Series:
        """Float64; null, NaN or infinite where a text is not a finite number of the source's notation."""
        if values.dtype == pl.Float64:
            return values
        marks = self.rules.decimal_marks
        if "." not in marks:
            values = values.set(values.str.contains(".", literal=True), None)
        if "," in marks:
            values = values.str.replace(",", ".", literal=True)
        return values.cast(pl.Float64, strict=False)

    def _by_value(self, field: str, name: str, read: Callable[[str | None], str | None], absent: str = "") -> None:
        """Add the column `name`: what `read` makes of each distinct value of `field`; rows it rejects are not good."""
        if field not in self.said:
            # As in read_row: no such field is None, but for the unit, for which there may be a default.
            meant = _meanings([absent or None], read)
            self.good &= bool(meant)
            self._add(name, self._constant(next(iter(meant.values()), None), pl.String()))
            return
        values = self.said[field]
        distinct = values.unique().to_list()
        meant = _meanings(distinct, read)
        if len(meant) < len(distinct):
            self.good &= values.is_in([value for value in distinct if value in meant])
        if len(meant) < len(distinct) or any(value != meaning for value, meaning in meant.items()):
            values = values.replace_strict(list(meant), list(meant.values()), default=None, return_dtype=pl.String)
        self._add(name, values)

    def _add(self, name: str, column: pl.Series) -> None:
        self.columns.append(column.alias(name))

    def _constant(self, value: str | float | None, dtype: pl.DataType) -> pl.Series:
        return pl.repeat(value, len(self.said), dtype=dtype, eager=True)


def _is_one_of(values: pl.Series, texts: list[str]) -> pl.Series:
    return values == texts[0] if len(texts) == 1 else values.is_in(texts)


def _meanings(values: list[str | None], read: Callable[[str | None], str | None]) -> dict[str | None, str | None]:
    meanings = {}
    for value in values:
        try:
            meanings[value] = read(value)
        except RowRejected:
            continue  # its rows are left to read_row, which says why
    return meanings
