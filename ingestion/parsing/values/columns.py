"""Convert rows as columns, and those that cannot be converted this way one by one.

Codes, scales and statuses repeat, so each distinct value is read once, by the function for single rows. Temperatures,
qualities and times are converted as columns. The result always equals that of `convert_row`, which also converts or
rejects the remaining rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingestion.parsing.fields.names import UNIT_ATTRIBUTES
from ingestion.parsing.results import RawRow, RejectedReading
from ingestion.parsing.values.row import (
    CONVERTED_SCHEMA,
    HIGHEST_C,
    LOWEST_C,
    NO_FIELD,
    RowConverter,
    read_code,
    read_facility,
    read_scale,
    read_status,
    read_unit,
    tell_unknown_customer,
)
from ingestion.parsing.values.rules import RowRejected, RowRules, RowSkipped
from ingestion.parsing.values.texts import distinct_texts, with_decimal_points
from ingestion.parsing.values.time_columns import read_times
from readings.units.scales import Scale, to_celsius

# Fields with repeating values, and their columns in CONVERTED_SCHEMA.
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
    """Return rows of CONVERTED_SCHEMA in the order of `raw_fields`, and the rejected rows.

    `raw_fields` holds row_number and the fields of `ingestion.parsing.fields.names` that the source has, as String
    columns without nulls ("" for nothing); temperature and quality may be Float64 columns with nulls instead.
    """
    converter = _ColumnConverter(raw_fields, rules)
    converted = converter.convert()
    if converter.is_valid.all():
        return converted, []
    exact = RowConverter(rules, raw_row)
    for row in raw_fields.filter(~converter.is_valid).iter_rows(named=True):
        exact.add(row.pop("row_number"), row)
    return pl.concat([converted.filter(converter.is_valid), exact.frame()]).sort("row_number"), exact.rejected


class _ColumnConverter:
    """Convert raw fields column by column; rows not converted become false in `is_valid`."""

    def __init__(self, raw_fields: pl.DataFrame, rules: RowRules) -> None:
        self.raw_fields = raw_fields
        self.rules = rules
        self.columns = {"row_number": raw_fields["row_number"]}
        self.is_valid = np.ones(len(raw_fields), np.bool_)

    def convert(self) -> pl.DataFrame:
        """Return all rows with CONVERTED_SCHEMA; the values of invalid rows are meaningless."""
        self._check_customers()
        self._convert_codes()
        self._convert_times()
        self._convert_temperatures()
        self._convert_qualities()
        self._add_unit_attributes()
        return pl.DataFrame({name: self.columns[name] for name in CONVERTED_SCHEMA})

    def _check_customers(self) -> None:
        """Find the rows that name another customer, testing each distinct name once."""
        is_other_customer = self.rules.is_other_customer
        if is_other_customer is None or "customer" not in self.raw_fields:
            return
        customers = self.raw_fields["customer"]
        names = {sent: sent.strip() for sent in customers.unique().sort().to_list()}
        answers = {sent: is_other_customer(name) for sent, name in names.items() if name}
        for sent in [sent for sent, is_other in answers.items() if is_other is None]:
            tell_unknown_customer(names[sent], self.rules)
        others = [sent for sent, is_other in answers.items() if is_other]
        if others:
            self.is_valid &= ~customers.is_in(others).to_numpy()

    def _convert_codes(self) -> None:
        """Convert codes, statuses and scales, reading each distinct value once."""
        readers: dict[str, Callable[[str | None], str | None]] = {
            "facility": read_facility,
            "unit": lambda code: read_unit(self.rules.default_unit if code is None else code),
            "sensor": lambda code: read_code(code, "sensor code"),
            "status": read_status,
            "scale": lambda name: read_scale(NO_FIELD if name is None else name, self.rules).value,
        }
        for field, column in _CODES.items():
            if field in self.raw_fields:
                self._convert_distinct(self.raw_fields[field], column, readers[field])
            else:
                results = _read_distinct([None], readers[field])
                self.is_valid &= bool(results)
                self._add_constant(column, results.get(None), pl.String())

    def _convert_times(self) -> None:
        """Convert times to wall times, as in `ingestion.parsing.values.timestamps`."""
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

    def _convert_temperatures(self) -> None:
        """Convert temperatures from the rows' scales to °C; null if nothing was measured."""
        rules = self.rules
        is_null, sent = self._numbers(self.raw_fields["temperature"], ["", *rules.null_values])
        if rules.null_numbers:
            is_null |= np.isin(sent, list(rules.null_numbers))
        if rules.error_numbers:
            self.is_valid &= is_null | ~np.isin(sent, list(rules.error_numbers))
        if rules.skips_without_temperature:
            self.is_valid &= ~is_null
        if (rules.factor, rules.offset) != (1.0, 0.0):
            sent = sent * rules.factor + rules.offset
        scales, celsius = self.columns["scale"], sent
        for scale in (Scale.FAHRENHEIT, Scale.KELVIN):
            if (is_on_scale := scales == scale.value).any():
                known = is_on_scale.fill_null(False) if is_on_scale.null_count() else is_on_scale
                celsius = np.where(known.to_numpy(), to_celsius(sent, scale), celsius)
        self.is_valid &= is_null | ((celsius >= LOWEST_C) & (celsius <= HIGHEST_C))
        self.columns["temperature_c"] = pl.Series(np.where(is_null, np.nan, celsius), nan_to_null=True)

    def _convert_qualities(self) -> None:
        """Convert quality scores from 0 to 1, 1 by default."""
        if "quality" not in self.raw_fields:
            self._add_constant("quality_score", 1.0, pl.Float64())
            return
        is_missing, scores = self._numbers(self.raw_fields["quality"], [""])
        self.is_valid &= is_missing | ((scores >= 0.0) & (scores <= 1.0))
        self.columns["quality_score"] = pl.Series(np.where(is_missing, 1.0, scores))

    def _add_unit_attributes(self) -> None:
        """Add the unit's attributes as text, which is interpreted later, once per unit."""
        for attribute in UNIT_ATTRIBUTES:
            if attribute in self.raw_fields:
                self.columns[attribute] = self.raw_fields[attribute]
            else:
                self._add_constant(attribute, "", pl.String())

    def _numbers(self, values: pl.Series, nulls: list[str]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Return which values are among `nulls`, and the values as numbers, not finite for texts that are none."""
        if values.dtype == pl.Float64:
            is_null = values.is_null().to_numpy() if values.null_count() else np.zeros(len(values), np.bool_)
            return is_null, values.to_numpy()
        is_null = (values == nulls[0] if len(nulls) == 1 else values.is_in(nulls)).to_numpy()
        numbers = with_decimal_points(values, self.rules.decimal_marks).cast(pl.Float64, strict=False)
        return is_null, numbers.to_numpy()

    def _convert_distinct(self, values: pl.Series, column: str, read: Callable[[str | None], str | None]) -> None:
        """Add a column with the result of `read` for each value; rows with a value that it rejects are invalid."""
        distinct = distinct_texts(values)
        results = _read_distinct(distinct, read)
        if len(results) < len(distinct):
            self.is_valid &= values.is_in([value for value in distinct if value in results]).to_numpy()
        if len(results) < len(distinct) or any(value != result for value, result in results.items()):
            old, new = list(results), list(results.values())
            values = values.replace_strict(old, new, default=None, return_dtype=pl.String)
        self.columns[column] = values

    def _add_constant(self, column: str, value: str | float | None, dtype: pl.DataType) -> None:
        self.columns[column] = pl.Series([value], dtype=dtype).new_from_index(0, len(self.raw_fields))


def _read_distinct(
    values: list[str] | list[None], read: Callable[[str | None], str | None]
) -> dict[str | None, str | None]:
    results: dict[str | None, str | None] = {}
    for value in values:
        try:
            results[value] = read(value)
        except (RowRejected, RowSkipped):
            continue  # convert_row rejects or skips its rows with the reason
    return results
