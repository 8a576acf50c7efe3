"""Readings as text, one row each: JSON objects and CSV lines, valid ones and garbage."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.base.instants import naive_texts
from simulator.base.seeded_random import Integers
from simulator.model.faults import Fault, during
from simulator.model.fleet import Customer
from simulator.model.series import Rows, UnitSeries

JSON_FIELDS = (
    "customer_id",
    "facility_id",
    "unit_id",
    "unit_name",
    "temperature",
    "temperature_unit",
    "timestamp",
    "sensor_id",
    "set_temperature",
    "size",
    "size_unit",
    "city",
    "country",
    "quality_score",
)
CSV_FIELDS = {
    "common": JSON_FIELDS,
    "older": (
        "customer_id",
        "facility_id",
        "unit_id",
        "temperature",
        "timestamp",
        "sensor_id",
        "set_temperature",
        "size",
        "size_unit",
        "city",
        "country",
        "quality_score",
        "storage_room",
        "degrees",
    ),
}
_OLDER_NAMES = {"storage_room": "unit_name", "degrees": "temperature_unit"}

# The values that differ from row to row, in the order in which every format has them.
_SLOT = "\x00"
_SLOTS = ("temperature", "timestamp", "quality_score")

_STATUSES = ("normal", "warning", "error")


@dataclass(frozen=True)
class RowFormat:
    """How a customer writes a row: `write` joins the texts that `value` formats, by field name."""

    customer: Customer
    fields: tuple[str, ...]
    value: Callable[[object], str]
    write: Callable[[Sequence[tuple[str, str]]], str]
    decimal: str = "."

    def texts(self, series: UnitSeries, rows: Rows, faults: Sequence[Fault]) -> list[str]:
        """Return a text for each reading, in order."""
        nothing = self.value(None)
        temperatures = [
            self._number(thousandths) if measured else nothing
            for thousandths, measured in zip(rows.thousandths.tolist(), rows.measured.tolist(), strict=True)
        ]
        whole_seconds = self.customer.timestamps == "space"
        timestamps = [self.value(text) for text in naive_texts(rows.recorded_us, whole_seconds=whole_seconds)]
        qualities = [self._decimal(quality / 10_000) for quality in rows.quality.tolist()]
        variants = self._variants(series, rows, faults)
        around = {variant: self._around(series, variant) for variant in np.unique(variants).tolist()}
        texts = []
        for variant, temperature, timestamp, quality in zip(
            variants.tolist(), temperatures, timestamps, qualities, strict=True
        ):
            begin, after_temperature, after_timestamp, end = around[variant]
            texts.append(f"{begin}{temperature}{after_temperature}{timestamp}{after_timestamp}{quality}{end}")
        return texts

    def garbage(self, series: UnitSeries, timestamp: str, chance: random.Random) -> str:
        """Return a row that cannot be read as a reading: one of its fields is invalid."""
        values = {**_constants(series), "temperature": 1.0, "timestamp": timestamp, "quality_score": 0.9}
        field, nonsense = chance.choice(
            [
                ("unit_id", None),
                ("timestamp", "not a time"),
                ("timestamp", "2026-13-45T99:99:99"),
                ("temperature", "warm"),
                ("temperature", -999.0),
                ("temperature", 9999.0),
            ]
        )
        return self._row({**values, field: nonsense})

    def _variants(self, series: UnitSeries, rows: Rows, faults: Sequence[Fault]) -> Integers:
        """Return the variant of each row: bit 0 without name, bit 1 without city, then the status."""
        variants = series.unnamed(rows.indexes) * 1 + series.without_city(rows.indexes) * 2
        if self.customer.sends_equipment_status:
            status = np.where(during(faults, "door_open", rows.sampled_us), 1, 0)
            status = np.where(during(faults, "compressor_failure", rows.sampled_us), 2, status)
            variants = variants + status * 4
        return variants

    def _around(self, series: UnitSeries, variant: int) -> tuple[str, str, str, str]:
        """Return the text before, between and after the three slots of a row."""
        values = _constants(series)
        if variant & 1:
            values["unit_name"] = None
        if variant & 2:
            values["city"] = None
        values["equipment_status"] = _STATUSES[variant >> 2]
        begin, after_temperature, after_timestamp, end = self._row(values).split(_SLOT)
        return begin, after_temperature, after_timestamp, end

    def _row(self, values: Mapping[str, object]) -> str:
        """Format a row of these values; a slot without a value is left open."""
        parts = []
        for name in self.fields:
            known_as = _OLDER_NAMES.get(name, name)
            is_open = known_as in _SLOTS and known_as not in values
            parts.append((name, _SLOT if is_open else self._text(values[known_as])))
        return self.write(parts)

    def _text(self, value: object) -> str:
        return self._decimal(value) if isinstance(value, int | float) else self.value(value)

    def _number(self, thousandths: int) -> str:
        return str(thousandths // 1_000) if self.customer.whole_degrees else self._decimal(thousandths / 1_000)

    def _decimal(self, number: float) -> str:
        return repr(number) if self.decimal == "." else repr(number).replace(".", self.decimal)


def json_format(customer: Customer) -> RowFormat:
    """Return the format of rows as JSON objects, with `equipment_status` if the customer sends it."""
    fields = (*JSON_FIELDS, "equipment_status") if customer.sends_equipment_status else JSON_FIELDS

    def write(parts: Sequence[tuple[str, str]]) -> str:
        return "{" + ", ".join(f'"{name}": {text}' for name, text in parts) + "}"

    return RowFormat(customer, fields, _json_value, write)


def csv_format(customer: Customer) -> RowFormat:
    """Return the format of rows as CSV lines in the customer's form and dialect, without line breaks."""
    dialect = customer.csv_dialect

    def value(something: object) -> str:
        text = "" if something is None else str(something)
        if dialect.delimiter in text or '"' in text or "\n" in text or "\r" in text:
            return '"' + text.replace('"', '""') + '"'
        return text

    def write(parts: Sequence[tuple[str, str]]) -> str:
        return dialect.delimiter.join(text for _, text in parts)

    return RowFormat(customer, CSV_FIELDS[customer.csv_form], value, write, dialect.decimal)


def _json_value(something: object) -> str:
    return json.dumps(something, ensure_ascii=False)


def _constants(series: UnitSeries) -> dict[str, object]:
    """Return what all rows of a unit have in common."""
    unit, facility = series.unit, series.facility
    return {
        "customer_id": series.customer.code,
        "facility_id": facility.code,
        "unit_id": unit.code,
        "unit_name": unit.name,
        "temperature_unit": unit.temperature_unit,
        "sensor_id": series.sensor_id,
        "set_temperature": unit.set_temperature,
        "size": unit.size_value,
        "size_unit": unit.size_unit,
        "city": facility.city,
        "country": facility.country,
        "equipment_status": "normal",
    }
