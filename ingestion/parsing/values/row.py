"""Convert single rows: every rule for the values of a reading, and every reason for rejecting it.

`ingestion.parsing.values.columns` converts most rows as columns. It applies these functions to distinct values, and
leaves the rows that it cannot convert to this module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import polars as pl

from ingestion.parsing.fields.names import UNIT_ATTRIBUTES
from ingestion.parsing.fields.titles import is_unit_of_other_quantity, scale_of_text
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import RawRow, RejectedReading
from ingestion.parsing.values.numbers import Measured, has_unclear_mark, read_measured, read_plain
from ingestion.parsing.values.rules import OTHER_QUANTITY, RowRejected, RowRules, RowSkipped
from ingestion.parsing.values.timestamps import UnreadableTime, WallTime, read_time
from readings.units.scales import ABSOLUTE_ZERO_C, Scale, to_celsius

CODE_LIMIT = 100
STATUS_LIMIT = 32
# 1273.15 K is 1000.0000000000001 °C in float64: the bounds allow for rounding in the conversion.
LOWEST_C = ABSOLUTE_ZERO_C - 1e-9
HIGHEST_C = 1000.0 + 1e-9
# C0 and C1 control characters, and lone surrogates, which JSON escapes can contain and PostgreSQL cannot store.
NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)

# OPC's qualities: good, uncertain and bad, also as the codes of OPC DA that devices send most.
_OPC_WORDS = {"good": 1.0, "uncertain": 0.5, "bad": 0.0}
_OPC_CODES: dict[float, float] = dict.fromkeys((192.0, 216.0), 1.0) | dict.fromkeys((64.0, 68.0, 80.0, 84.0, 88.0), 0.5)
_OPC_CODES |= dict.fromkeys((4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0), 0.0)
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
_NO_ATTRIBUTES = dict.fromkeys(UNIT_ATTRIBUTES, "")


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
    scale = _row_scale(measured, raw_fields.get("scale", NO_FIELD), rules)
    celsius = None if measured is None else _in_celsius(measured.number, scale)
    if celsius is not None and rules.decimal_marks == ",":
        _refuse_unclear_mark(raw_fields["temperature"], rules)
    return {
        "row_number": row_number,
        "facility_code": facility,
        "unit_code": unit,
        "sensor_code": sensor,
        "wall": wall.microseconds,
        "is_local": wall.is_local,
        "temperature_c": celsius,
        "scale": scale.value,
        "quality_score": read_quality(raw_fields.get("quality"), rules),
        "equipment_status": read_status(raw_fields.get("status")),
        **_NO_ATTRIBUTES,
        **{name: _attribute_text(raw_fields[name]) for name in UNIT_ATTRIBUTES if name in raw_fields},
    }


def check_customer(value: object, rules: RowRules) -> None:
    """Reject a row that names another customer; tell of a name that is nobody's code in this system."""
    if rules.is_other_customer is None or isinstance(value, bool) or not isinstance(value, str | int):
        return
    name = str(value).strip()
    if not name:
        return
    is_other = rules.is_other_customer(name)
    if is_other:
        raise RowRejected(Reason.OTHER_CUSTOMER, value=name)
    if is_other is None:
        tell_unknown_customer(name, rules)


def tell_unknown_customer(name: str, rules: RowRules) -> None:
    """Note that rows name a customer that this system does not know."""
    rules.notes.tell(
        f"Rows name the customer {quoted(name)}, which is no customer's code in this system. They are stored for the "
        "customer of the source or file; check that they belong there."
    )


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
        raise RowRejected(Reason.UNREADABLE_TIME, value=value, why=str(error), also=error.also) from error


def read_temperature(value: object, rules: RowRules) -> Measured | None:
    """Return a temperature on the scale that was sent, None if nothing was measured."""
    if is_null(value, rules):
        if rules.skips_without_temperature:
            raise RowSkipped("row without a temperature was left out", "rows without a temperature were left out", "")
        return None
    measured = _read_sent(value, rules)
    if measured is None:
        is_word = isinstance(value, str) and _NOT_FINITE.fullmatch(value.strip())
        raise RowRejected(Reason.NOT_FINITE if is_word else Reason.NOT_A_NUMBER, value=value)
    if not math.isfinite(measured.number):
        raise RowRejected(Reason.NOT_FINITE, value=value)
    if measured.number in rules.error_numbers:
        raise RowRejected(Reason.SENSOR_ERROR, value=value)
    return Measured(measured.number * rules.factor + rules.offset, measured.scale)


def _read_sent(value: object, rules: RowRules) -> Measured | None:
    if not isinstance(value, str):
        number = read_number(value, rules)
        return None if number is None else Measured(number)
    measured = read_measured(value, rules.decimal_marks)
    if measured and measured.is_negated:
        rules.notes.count(
            "number in parentheses was read as negative", "numbers in parentheses were read as negative", value
        )
    return measured


def is_null(value: object, rules: RowRules) -> bool:
    """Return whether a temperature is null, empty or one of the null values, which are equal as numbers too."""
    if value is None:
        return True
    if isinstance(value, str):
        text = value.strip()
        return not text or text in rules.null_values or _is_null_number(read_plain(text, rules.decimal_marks), rules)
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_null_number(value, rules)


def _is_null_number(number: float | None, rules: RowRules) -> bool:
    return number is not None and number in rules.null_numbers


def read_number(value: object, rules: RowRules) -> float | None:
    """Return a number, or a text that is one, as float (infinite if it is too large); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return read_plain(value.strip(), rules.decimal_marks) if isinstance(value, str) else None


def _row_scale(measured: Measured | None, value: object, rules: RowRules) -> Scale:
    """Return the scale of a row: that behind its number, of its field or of the title, which must not contradict."""
    of_cell = measured.scale if measured else None
    text = value.strip() if isinstance(value, str) else value
    if of_cell and text in (NO_FIELD, "", None):
        scale = of_cell
    else:
        scale = read_scale("" if value is None else value, rules, is_needed=measured is not None)
        if of_cell and of_cell is not scale:
            raise RowRejected(Reason.CONTRADICTORY_SCALES, value=of_cell.label, other=scale.label)
    _tell_other_title(of_cell, rules)
    return scale


def read_scale(value: object, rules: RowRules, *, is_needed: bool = True) -> Scale:
    """Return the scale of a row, else the default one.

    `value` is NO_FIELD if the row has no such field. An empty field without a default is rejected if it `is_needed`.
    Raise RowSkipped if it is the unit of another quantity, such as "%".
    """
    text = value.strip() if isinstance(value, str) else value
    if text is NO_FIELD or text == "":
        if rules.default_scale:
            return Scale(rules.default_scale)
        # Assuming °C for a single empty field could mistake °F for °C.
        if value is NO_FIELD or not is_needed:
            return Scale.CELSIUS
    scale = scale_of_text(text) if isinstance(text, str) else None
    if scale is None:
        if isinstance(text, str) and is_unit_of_other_quantity(text):
            raise RowSkipped(*OTHER_QUANTITY, text)
        raise RowRejected(Reason.UNKNOWN_SCALE, value=value)
    _tell_other_title(scale, rules)
    return scale


def _tell_other_title(scale: Scale | None, rules: RowRules) -> None:
    if scale and rules.title_scale and scale != rules.title_scale:
        title_label = Scale(rules.title_scale).label
        rules.notes.tell(
            f"Rows give {scale.label}, which was used, although the temperature's title gives {title_label}."
        )


def _refuse_unclear_mark(value: object, rules: RowRules) -> None:
    """Reject “1.234” with decimal commas: a thousand is above the limit in °C, but not on the other scales.

    Numbers with a factor are whole.
    """
    if isinstance(value, str) and rules.factor == 1.0 and has_unclear_mark(value):
        raise RowRejected(Reason.NOT_A_NUMBER, value=value)


def _in_celsius(measured: float, scale: Scale) -> float:
    celsius = to_celsius(measured, scale)
    if celsius < LOWEST_C:
        raise RowRejected(Reason.BELOW_ABSOLUTE_ZERO, value=measured, scale=scale.label)
    if celsius > HIGHEST_C:
        raise RowRejected(Reason.ABOVE_1000_C, value=measured, scale=scale.label)
    return celsius


def read_quality(value: object, rules: RowRules) -> float:
    """Return a quality score from 0 to 1, 1 by default. Words and codes of OPC are understood."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 1.0
    if isinstance(value, str) and (score := _OPC_WORDS.get(value.strip().casefold())) is not None:
        return score
    number = read_number(value, rules)
    if number is not None and number in _OPC_CODES:
        return _OPC_CODES[number]
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

    def add(self, number: int, fields: Mapping[str, object], rules: RowRules | None = None) -> None:
        """Convert a row by `rules`, else by those of all rows; or reject it with its reason."""
        try:
            self.rows.append(convert_row(number, fields, rules or self._rules))
        except RowRejected as rejection:
            self.reject(number, rejection.reason, str(rejection))
        except RowSkipped as skipped:
            self._rules.notes.count(*skipped.note)

    def reject(self, number: int, reason: Reason, message: str) -> None:
        """Reject a row."""
        self.rejected.append(RejectedReading(number, reason, message, self._raw_row(number)))

    def frame(self) -> pl.DataFrame:
        """Return the converted rows."""
        return converted_frame(self.rows)


def converted_frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return rows made by convert_row as a frame of CONVERTED_SCHEMA."""
    return pl.DataFrame(rows, schema=CONVERTED_SCHEMA, orient="row")
