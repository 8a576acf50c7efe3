"""Convert single rows: every rule for the values of a reading, and every reason for rejecting it.

`ingestion.parsing.values.columns` converts most rows as columns. It applies these functions to distinct values, and
leaves the rows that it cannot convert to this module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

import polars as pl

from ingestion.parsing.body.decoded import DEFAULT_MAX_BYTES
from ingestion.parsing.fields.names import UNIT_ATTRIBUTES
from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import RawRow, RejectedReading
from ingestion.parsing.values.timestamps import DayOrder, TimeRules, UnreadableTime, WallTime, microseconds, read_time
from ingestion.sources.mapping import TIME_OF_RESPONSE, FieldMapping
from readings.units.scales import ABSOLUTE_ZERO_C, Scale, parse_scale, to_celsius

DEFAULT_BATCH_ROWS = 50_000
CODE_LIMIT = 100
STATUS_LIMIT = 32
# 1273.15 K is 1000.0000000000001 °C in float64: the bounds allow for rounding in the conversion.
LOWEST_C = ABSOLUTE_ZERO_C - 1e-9
HIGHEST_C = 1000.0 + 1e-9
# C0 and C1 control characters, and lone surrogates, which JSON escapes can contain and PostgreSQL cannot store.
NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Stricter than float(): no "1_000", no other digits than 0 to 9, no words.
_NUMBER = {
    mark: re.compile(rf"[+-]?(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")
    for mark, point in {".": r"\.", ",": ",", ".,": "[.,]"}.items()
}
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)

# The value for read_scale if a row has no such field, as opposed to an empty field.
NO_FIELD = object()

# A converted row with a wall time: `wall` and `is_local` as in ingestion.parsing.values.timestamps, the unit's
# attributes as text ("" for none), the rest as in READING_SCHEMA.
CONVERTED_SCHEMA: dict[str, pl.DataType] = {
    "row_number": pl.Int64(),
    "facility_code": pl.String(),
    "unit_code": pl.String(),
    "sensor_code": pl.String(),
    "wall": pl.Int64(),
    "is_local": pl.Boolean(),
    "temperature_c": pl.Float64(),
    "scale": pl.String(),
    "quality_score": pl.Float64(),
    "equipment_status": pl.String(),
    **{attribute: pl.String() for attribute in UNIT_ATTRIBUTES},
}


# Tells whether a row's name of its customer is that of another one.
CustomerTest: TypeAlias = Callable[[str], bool]


class RowRejected(Exception):  # noqa: N818  (as UnreadableBody)
    """A row is not a valid reading. `values` fill in the message of the reason."""

    def __init__(self, reason: Reason, **values: object) -> None:
        super().__init__(message_for(reason, **values))
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """How to interpret the values of a row.

    `default_unit` and `default_scale` ("" for none) apply if the row has no such field. `received_us` is the time of
    rows without a time field in microseconds since 1970, None if such rows are rejected. `is_other_customer`: whether
    the customer that a row names is another than the one whose data is parsed; None accepts every name.
    """

    default_unit: str = ""
    default_scale: str = ""
    null_values: frozenset[str] = frozenset()
    decimal_marks: str = "."  # ".", "," or ".," for both
    times: TimeRules = field(default_factory=TimeRules)
    received_us: int | None = None
    is_other_customer: CustomerTest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseOptions:
    """How to parse one body.

    `default_unit` is the unit of rows in a body without a unit field. `batch_rows` bounds the batches, `max_bytes` the
    decompressed body and `max_rows` its rows (None: any number); CSV is read in blocks of `block_bytes`.
    `is_json_lines`: the body is a sequence of JSON rows. `first_row` (the number of the first row) and `day_order` are
    given for a replayed row, else found in the body.
    """

    mapping: FieldMapping
    received_at: datetime
    default_unit: str = ""
    batch_rows: int = DEFAULT_BATCH_ROWS
    max_bytes: int = DEFAULT_MAX_BYTES
    max_rows: int | None = None
    block_bytes: int = 2 << 20
    is_json_lines: bool = False
    first_row: int | None = None
    day_order: DayOrder | None = None
    is_other_customer: CustomerTest | None = None

    def row_rules(
        self,
        day_order: DayOrder,
        *,
        has_unit: bool = False,
        title_scale: str = "",
        decimal_marks: str = ".",
        is_time_optional: bool = False,
    ) -> RowRules:
        """Return the rules for the rows of a body with these properties.

        `has_unit`: the rows have a unit field. `decimal_marks` apply unless the mapping sets one. `is_time_optional`:
        rows without a time field were measured when the body was received.
        """
        time_field = self.mapping.time_field
        is_timed_on_receipt = time_field == TIME_OF_RESPONSE or (is_time_optional and not time_field)
        return RowRules(
            default_unit="" if has_unit else self.default_unit,
            default_scale=self.mapping.scale or title_scale,
            null_values=frozenset(text.strip() for text in self.mapping.null_values),
            decimal_marks=self.mapping.decimal_mark or decimal_marks,
            times=TimeRules(self.mapping.time_format, day_order),
            received_us=microseconds(self.received_at) if is_timed_on_receipt else None,
            is_other_customer=self.is_other_customer,
        )


def convert_row(row_number: int, raw_fields: Mapping[str, object], rules: RowRules) -> dict[str, object]:
    """Convert raw values by field (absent: no such field) to a row of CONVERTED_SCHEMA. Raise RowRejected."""
    check_customer(raw_fields.get("customer"), rules)
    unit = read_unit(raw_fields.get("unit", rules.default_unit))
    facility = read_facility(raw_fields.get("facility"))
    sensor = read_code(raw_fields.get("sensor"), "sensor code")
    wall = _read_wall_time(raw_fields, rules)
    if "temperature" not in raw_fields:
        raise RowRejected(Reason.NO_TEMPERATURE)
    measured = read_temperature(raw_fields["temperature"], rules)
    scale_value = raw_fields.get("scale", NO_FIELD)
    scale = read_scale("" if scale_value is None else scale_value, rules, is_needed=measured is not None)
    return {
        "row_number": row_number,
        "facility_code": facility,
        "unit_code": unit,
        "sensor_code": sensor,
        "wall": wall.microseconds,
        "is_local": wall.is_local,
        "temperature_c": None if measured is None else _in_celsius(measured, scale),
        "scale": scale.value,
        "quality_score": read_quality(raw_fields.get("quality"), rules),
        "equipment_status": read_status(raw_fields.get("status")),
        **{attribute: _attribute_text(raw_fields.get(attribute)) for attribute in UNIT_ATTRIBUTES},
    }


def check_customer(value: object, rules: RowRules) -> None:
    """Reject a row that names another customer."""
    if rules.is_other_customer is None or isinstance(value, bool) or not isinstance(value, str | int):
        return
    name = str(value).strip()
    if name and rules.is_other_customer(name):
        raise RowRejected(Reason.OTHER_CUSTOMER, value=name)


def read_unit(value: object) -> str:
    """Return a unit's code. Raise RowRejected if there is none, as all functions here do for invalid values."""
    code = read_code(value, "unit code")
    if not code:
        raise RowRejected(Reason.NO_UNIT)
    return code


def read_facility(value: object) -> str | None:
    """Return a facility's code, None if there is none."""
    return read_code(value, "facility code") or None


def read_code(value: object, what: str) -> str:
    """Return a code without surrounding whitespace, "" if there is none; integers are codes as well."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowRejected(Reason.NOT_TEXT, what=what, value=value)
    text = value.strip() if isinstance(value, str) else str(value)
    if NOT_TEXT.search(text):
        raise RowRejected(Reason.NOT_TEXT, what=what, value=text)
    if len(text) > CODE_LIMIT:
        raise RowRejected(Reason.CODE_TOO_LONG, what=what, value=text, limit=CODE_LIMIT)
    return text


def _read_wall_time(raw_fields: Mapping[str, object], rules: RowRules) -> WallTime:
    if "time" not in raw_fields and rules.received_us is not None:
        return WallTime(rules.received_us, is_local=False)
    value = raw_fields.get("time")
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowRejected(Reason.NO_TIME)
    try:
        return read_time(value, rules.times)
    except UnreadableTime as error:
        raise RowRejected(Reason.UNREADABLE_TIME, value=value, why=str(error)) from error


def read_temperature(value: object, rules: RowRules) -> float | None:
    """Return a temperature on the scale that was sent, None if nothing was measured."""
    if is_null(value, rules):
        return None
    number = read_number(value, rules)
    if number is None:
        is_word = isinstance(value, str) and _NOT_FINITE.fullmatch(value.strip())
        raise RowRejected(Reason.NOT_FINITE if is_word else Reason.NOT_A_NUMBER, value=value)
    if not math.isfinite(number):
        raise RowRejected(Reason.NOT_FINITE, value=value)
    return number


def is_null(value: object, rules: RowRules) -> bool:
    """Return whether a temperature is null, empty or one of the null values."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip() or value.strip() in rules.null_values
    # A JSON number equals a null value that is the same number: -999 and "-999.0".
    return isinstance(value, int | float) and any(read_number(text, rules) == value for text in rules.null_values)


def read_number(value: object, rules: RowRules) -> float | None:
    """Return a number, or a text that is one, as float (infinite if it is too large); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, str) and _NUMBER[rules.decimal_marks].fullmatch(value.strip()):
        return float(value.strip().replace(",", "."))
    return None


def read_scale(value: object, rules: RowRules, *, is_needed: bool = True) -> Scale:
    """Return the scale of a row, else the default one.

    `value` is NO_FIELD if the row has no such field. An empty field without a default is rejected if it `is_needed`.
    """
    text = value.strip() if isinstance(value, str) else value
    if text is NO_FIELD or text == "":
        if rules.default_scale:
            return Scale(rules.default_scale)
        # Assuming °C for a single empty field could mistake °F for °C.
        if value is NO_FIELD or not is_needed:
            return Scale.CELSIUS
    scale = parse_scale(text) if isinstance(text, str) else None
    if scale is None:
        raise RowRejected(Reason.UNKNOWN_SCALE, value=value)
    return scale


def _in_celsius(measured: float, scale: Scale) -> float:
    celsius = to_celsius(measured, scale)
    if celsius < LOWEST_C:
        raise RowRejected(Reason.BELOW_ABSOLUTE_ZERO, value=measured, scale=scale.label)
    if celsius > HIGHEST_C:
        raise RowRejected(Reason.ABOVE_1000_C, value=measured, scale=scale.label)
    return celsius


def read_quality(value: object, rules: RowRules) -> float:
    """Return a quality score from 0 to 1, 1 by default."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 1.0
    number = read_number(value, rules)
    if number is None or not 0.0 <= number <= 1.0:
        raise RowRejected(Reason.BAD_QUALITY, value=value)
    return number


def read_status(value: object) -> str:
    """Return an equipment status in lower case, "normal" by default."""
    if value is None:
        return "normal"
    status = value.strip().lower() if isinstance(value, str) else ""
    if not isinstance(value, str) or NOT_TEXT.search(status):
        raise RowRejected(Reason.NOT_TEXT, what="equipment status", value=value)
    if len(status) > STATUS_LIMIT:
        raise RowRejected(Reason.STATUS_TOO_LONG, value=status, limit=STATUS_LIMIT)
    return status or "normal"


def _attribute_text(value: object) -> str:
    if isinstance(value, str):
        return _SURROGATES.sub("", value)
    return "" if value is None or isinstance(value, bool | list | dict) else repr(value)


class RowConverter:
    """Convert rows one by one, collecting the converted and the rejected ones.

    `raw_row` returns the verbatim text of a row by its number.
    """

    def __init__(self, rules: RowRules, raw_row: RawRow) -> None:
        self.rows: list[dict[str, object]] = []
        self.rejected: list[RejectedReading] = []
        self._rules = rules
        self._raw_row = raw_row

    def add(self, number: int, fields: Mapping[str, object]) -> None:
        """Convert a row, or reject it with its reason."""
        try:
            self.rows.append(convert_row(number, fields, self._rules))
        except RowRejected as rejection:
            self.reject(number, rejection.reason, str(rejection))

    def reject(self, number: int, reason: Reason, message: str) -> None:
        """Reject a row."""
        self.rejected.append(RejectedReading(number, reason, message, self._raw_row(number)))

    def frame(self) -> pl.DataFrame:
        """Return the converted rows."""
        return converted_frame(self.rows)


def converted_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return rows made by convert_row as a frame of CONVERTED_SCHEMA."""
    return pl.DataFrame(rows, schema=CONVERTED_SCHEMA, orient="row")
