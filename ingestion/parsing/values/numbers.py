"""Read numbers as people and devices write them: marks of decimals and thousands, signs, and units behind them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ingestion.parsing.fields.titles import is_unit_of_other_quantity, scale_of_text
from readings.units.scales import Scale

# Stricter than float(): no "1_000", no other digits than 0 to 9, no words.
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_POINT = {".": r"\.", ",": ",", ".,": "[.,]"}
_PLAIN = {
    mark: re.compile(rf"[+-]?(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+){_EXPONENT}") for mark, point in _POINT.items()
}
# Thousands marked by spaces or apostrophes, or by the mark that is not the decimal one if a decimal follows. None begin
# with 0: with a decimal comma, "0.125" is a number with the wrong mark, not 125.
_BLANK_GROUPS = re.compile(r"(?P<whole>[+-]?[1-9][0-9]{0,2}(?:[ '’\u00a0\u202f][0-9]{3})+)(?:[.,](?P<part>[0-9]+))?")
_COMMA_GROUPS = re.compile(r"(?P<whole>[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+)\.(?P<part>[0-9]+)")
_POINT_GROUPS = re.compile(r"(?P<whole>[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+),(?P<part>[0-9]+)")
# With a decimal comma only: "1.234" is a thousand and more.
_ONLY_POINT_GROUPS = re.compile(r"(?P<whole>[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?P<part>)")
_MINUS_SIGNS = str.maketrans(dict.fromkeys("−‒–﹣－", "-"))
_NUMBER_AND_UNIT = re.compile(
    r"(?P<number>[+-]? ?[0-9.,][0-9.,'’ \u00a0\u202f]*(?:[eE][+-]?[0-9]+(?![0-9A-Za-z]))?)"
    r"(?P<unit>.*)",
    re.S,
)
_IN_PARENTHESES = re.compile(r"\(\s*([0-9.,]+)\s*\)(.*)", re.S)
_DEGREE_SIGNS = frozenset("°º˚")


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with the scale written behind it, None for none; `is_negated` if it is in parentheses."""

    number: float
    scale: Scale | None = None
    is_negated: bool = False


def read_plain(text: str, marks: str) -> float | None:
    """Return a text that is only a number, else None. `marks` are the possible decimal marks."""
    return float(text.replace(",", ".")) if _PLAIN[marks].fullmatch(text) else _read_grouped(text, marks)


def read_measured(text: str, marks: str) -> Measured | None:
    """Return a text that is a number, possibly with a temperature's unit behind it, else None."""
    text = text.strip().translate(_MINUS_SIGNS)
    if (number := read_plain(text, marks)) is not None:
        return Measured(number)
    if match := _IN_PARENTHESES.fullmatch(text):
        inside = read_measured(match[1] + match[2], marks)
        return Measured(-inside.number, inside.scale, is_negated=True) if inside else None
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        return None
    number = read_plain(re.sub(r"(?<=[+-]) ", "", match["number"].strip()), marks)
    unit = match["unit"].strip()
    scale = scale_of_text(unit) if unit else None
    if number is None or (unit and unit not in _DEGREE_SIGNS and scale is None):
        return None
    return Measured(number, scale)


def unit_after_number(text: str) -> Scale | str | None:
    """Return the unit behind a number: a scale, the unit of another quantity as text, None for neither."""
    match = _number_and_unit(text)
    if match is None or not (unit := match["unit"].strip()):
        return None
    return scale_of_text(unit) or (unit if is_unit_of_other_quantity(unit) else None)


def is_like_number(text: str) -> bool:
    """Return whether a text begins as a number does, whatever follows."""
    return _number_and_unit(text) is not None


def show_temperatures(texts: Iterable[str], null_values: Iterable[str]) -> bool:
    """Return whether the units in cells show a column of temperatures, in which words may replace missing ones.

    The other cells have to be null values or words, of at most as many kinds as there are cells with units: those of
    faulty sensors recur, remarks differ. A number without a unit, or with another one, shows something else.
    """
    nulls = {null.strip() for null in null_values}
    cells = [text for text in texts if text.strip() not in nulls]
    others = [text.strip().casefold() for text in cells if not isinstance(unit_after_number(text), Scale)]
    with_units, kinds = len(cells) - len(others), set(others)
    return 0 < with_units >= len(kinds) and not any(map(is_like_number, kinds))


def mark_behind_thousands(text: str) -> str:
    """Return the decimal mark of a number with marked thousands ("1.234,5": a comma), "" for any other text."""
    text = text.strip()
    return "," if _POINT_GROUPS.fullmatch(text) else "." if _COMMA_GROUPS.fullmatch(text) else ""


def has_unclear_mark(text: str) -> bool:
    """Return whether a number's only mark may be one of thousands or of decimals: "1.234" with decimal commas."""
    number = _number_and_unit(text)
    return number is not None and bool(_ONLY_POINT_GROUPS.fullmatch(number["number"].strip()))


def as_number(text: str) -> float | None:
    """Return the number that a setting's text means, with a point or a comma; None if it is none."""
    number = read_plain(text.strip().translate(_MINUS_SIGNS), ".,")
    return number if number is not None and math.isfinite(number) else None


def _read_grouped(text: str, marks: str) -> float | None:
    if not any(sign in text for sign in ",. '’\u00a0\u202f"):
        return None
    patterns = {".": (_COMMA_GROUPS,), ",": (_POINT_GROUPS, _ONLY_POINT_GROUPS)}.get(
        marks, (_COMMA_GROUPS, _POINT_GROUPS)
    )
    match = next((found for pattern in (*patterns, _BLANK_GROUPS) if (found := pattern.fullmatch(text))), None)
    if match is None:
        return None
    whole = re.sub(r"[^0-9+-]", "", match["whole"])
    return float(f"{whole}.{match['part'] or 0}")


def _number_and_unit(text: str) -> re.Match[str] | None:
    return _NUMBER_AND_UNIT.fullmatch(text.strip().translate(_MINUS_SIGNS))
