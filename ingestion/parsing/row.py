"""One row, exactly: every rule on what a reading may say stands here, and every reason for not taking it.

The columns that `ingestion.parsing.columns` converts at once are judged by the same functions, a distinct value at a
time, or left to this module.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ingestion.parsing.field_names import UNIT_FACTS
from ingestion.parsing.rejection_reasons import Reason, sentence
from ingestion.parsing.timestamps import TimeRules, UnreadableTime, Wall, read_time
from readings.units.scales import ABSOLUTE_ZERO_C, Scale, parse_scale, to_celsius

CODE_LIMIT = 100
STATUS_LIMIT = 32
# 1273.15 K is 1000.0000000000001 °C in float64: the bounds leave room for the conversion.
LOWEST_C = ABSOLUTE_ZERO_C - 1e-9
HIGHEST_C = 1000.0 + 1e-9
# C0 and C1 control characters, and the halves of characters that JSON can smuggle in: no database stores them.
NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_HALF_CHARACTERS = re.compile("[\ud800-\udfff]")
# Wider than float() in nothing: no "1_000", no digits but 0 to 9, no words.
_NUMBER = {
    mark: re.compile(rf"[+-]?(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?")
    for mark, point in {".": r"\.", ",": ",", ".,": "[.,]"}.items()
}
_NOT_FINITE_WORDS = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)

# What read_scale is given where a row has no such field: that is another thing than a field with nothing in it.
NO_FIELD = object()

# A converted row before its time is an instant: `wall` and `is_local` as in ingestion.parsing.timestamps, the unit's
# facts as text ("" for none), the rest as in READING_SCHEMA.
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
    **{fact: pl.String() for fact in UNIT_FACTS},
}


class RowRejected(Exception):  # noqa: N818  (named for what became of the row)
    """A row that cannot be a reading."""

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(sentence(reason, **facts))
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """What a row's values mean, beyond their fields.

    `default_unit` and `default_scale` ("" for none) serve where the row has no such field. `received_us` is the time
    of rows without a time field, microseconds since 1970, or None where such rows are rejected.
    """

    default_unit: str = ""
    default_scale: str = ""
    null_values: frozenset[str] = frozenset()
    decimal_marks: str = "."  # a key of the number grammars: ".", "," or ".,"
    times: TimeRules = field(default_factory=TimeRules)
    received_us: int | None = None


def read_row(row_number: int, said: Mapping[str, Any], rules: RowRules) -> dict[str, object]:
    """A row of CONVERTED_SCHEMA from what a row says by field (absent: no such field); raises RowRejected."""
    unit = read_unit(said.get("unit", rules.default_unit))
    facility = read_facility(said.get("facility"))
    sensor = read_code(said.get("sensor"), "sensor code")
    wall = _read_wall(said, rules)
    if "temperature" not in said:
        raise RowRejected(Reason.NO_TEMPERATURE)
    measured = read_temperature(said["temperature"], rules)
    named = said.get("scale", NO_FIELD)
    scale = read_scale("" if named is None else named, rules, is_needed=measured is not None)
    return {
        "row_number": row_number,
        "facility_code": facility,
        "unit_code": unit,
        "sensor_code": sensor,
        "wall": wall.microseconds,
        "is_local": wall.is_local,
        "temperature_c": None if measured is None else _in_celsius(measured, scale),
        "scale": scale.value,
        "quality_score": read_quality(said.get("quality"), rules),
        "equipment_status": read_status(said.get("status")),
        **{fact: _fact(said.get(fact)) for fact in UNIT_FACTS},
    }


def read_unit(value: object) -> str:
    """A unit's code; there must be one."""
    code = read_code(value, "unit code")
    if not code:
        raise RowRejected(Reason.NO_UNIT)
    return code


def read_facility(value: object) -> str | None:
    """A facility's code, None where the row names none."""
    return read_code(value, "facility code") or None


def read_code(value: object, what: str) -> str:
    """A code without surrounding blanks, "" where there is none; whole numbers are codes as well."""
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


def _read_wall(said: Mapping[str, Any], rules: RowRules) -> Wall:
    if "time" not in said and rules.received_us is not None:
        return Wall(rules.received_us, is_local=False)
    value = said.get("time")
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowRejected(Reason.NO_TIME)
    try:
        return read_time(value, rules.times)
    except UnreadableTime as error:
        raise RowRejected(Reason.UNREADABLE_TIME, value=value, why=str(error)) from error


def read_temperature(value: object, rules: RowRules) -> float | None:
    """A temperature as sent, None for "nothing was measured"."""
    if is_null(value, rules):
        return None
    number = read_number(value, rules)
    if number is None:
        is_word = isinstance(value, str) and _NOT_FINITE_WORDS.fullmatch(value.strip())
        raise RowRejected(Reason.NOT_FINITE if is_word else Reason.NOT_A_NUMBER, value=value)
    if not math.isfinite(number):
        raise RowRejected(Reason.NOT_FINITE, value=value)
    return number


def is_null(value: object, rules: RowRules) -> bool:
    """Whether a temperature is null, empty or declared to mean "nothing was measured"."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip() or value.strip() in rules.null_values
    # A JSON number is null where a declared text stands for the same number: -999 for "-999.0".
    return isinstance(value, int | float) and any(read_number(text, rules) == value for text in rules.null_values)


def read_number(value: object, rules: RowRules) -> float | None:
    """A number, or a text that is one, as float (infinite where it is too large); None where it is neither."""
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
    """The scale a row names, else the default; unknown where it names none, there is no default and it `is_needed`.

    `value` is NO_FIELD where the row has no such field.
    """
    text = value.strip() if isinstance(value, str) else value
    if text is NO_FIELD or text == "":
        if rules.default_scale:
            return Scale(rules.default_scale)
        # An empty field among filled ones is no licence to take °F for °C.
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
    """A quality score from 0 to 1; 1 where it is not told."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 1.0
    number = read_number(value, rules)
    if number is None or not 0.0 <= number <= 1.0:
        raise RowRejected(Reason.BAD_QUALITY, value=value)
    return number


def read_status(value: object) -> str:
    """An equipment status in lower case; "normal" where it is not told."""
    if value is None:
        return "normal"
    status = value.strip().lower() if isinstance(value, str) else ""
    if not isinstance(value, str) or NOT_TEXT.search(status):
        raise RowRejected(Reason.NOT_TEXT, what="equipment status", value=value)
    if len(status) > STATUS_LIMIT:
        raise RowRejected(Reason.STATUS_TOO_LONG, value=status, limit=STATUS_LIMIT)
    return status or "normal"


def _fact(value: object) -> str:
    if isinstance(value, str):
        return _HALF_CHARACTERS.sub("", value)
    return "" if value is None or isinstance(value, bool | list | dict) else repr(value)
