"""Tell columns that identify devices or probes from those that number rows, by their names and values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from ingestion.parsing.fields.names import (
    CODE_NAMES,
    DESCRIPTION_NAMES,
    GATEWAY_NAMES,
    MARK_NAMES,
    MAYBE_IDENTIFYING_NAMES,
    SENSOR_LIKE_NAMES,
    UNIT_IF_NONE_NAMES,
    UNIT_LIKE_NAMES,
)
from ingestion.parsing.fields.titles import Quantity, canonical, meaning_of
from ingestion.parsing.rejection_reasons import quoted

_IDENTIFYING_NAMES = frozenset({*UNIT_LIKE_NAMES, *UNIT_IF_NONE_NAMES, *SENSOR_LIKE_NAMES, *MAYBE_IDENTIFYING_NAMES})
_DEVICE_NAMES = frozenset({*_IDENTIFYING_NAMES, *DESCRIPTION_NAMES, *GATEWAY_NAMES})
_MARKS = frozenset(MARK_NAMES)
# Columns that number the rows if they count on: "Point" may also be a measuring point.
_COUNTERS = frozenset({"id", "point", "node", "position", "series"})
_COUNTER_DIGITS = 15
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_DATE_AND_TIME = re.compile(
    r"(?:\d{1,4}[-./]\d{1,2}[-./]\d{1,4}|\d{1,2}[-./ ][^\W\d]{3,}\.?[-./ ]\d{2,4})[T ,]+\d{1,2}[:.]\d{2}"
)
SENSOR_LIMIT = 100
_SCALE_PART = re.compile(r"\s*(?:[(\[{][^()\[\]{}]*[)\]}]|,?\s*[°º˚*]\s*[CFK]\b.*)\s*")
_READING_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[0-9a-f]{24}", re.I)


def may_identify(title: str) -> bool:
    """Return whether a column may tell units or sensors apart, as far as its title shows."""
    return canonical(title) in _IDENTIFYING_NAMES


def may_name_device(name: str) -> bool:
    """Return whether a JSON member of this name may name a device, so that a note says if it is not read."""
    return canonical(name) in _DEVICE_NAMES


def is_mark(name: str) -> bool:
    """Return whether a member of this name may mark a value as none, or as an old one."""
    return canonical(name) in _MARKS


def code_of(value: object) -> str | int | None:
    """Return a code, or that in an object that describes what it names; None for anything else."""
    if isinstance(value, Mapping):
        codes = {canonical(str(key)): code for key, code in value.items() if not isinstance(code, Mapping)}
        return next((code for name in CODE_NAMES if (code := code_of(codes.get(name))) is not None), None)
    return value if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None


def describes(name: str, value: object) -> bool:
    """Return whether a member is an object that describes a facility, unit or sensor, and has its code."""
    return isinstance(value, Mapping) and canonical(name) in DESCRIPTION_NAMES and code_of(value) is not None


def tells_rows_apart(title: str, values: Sequence[str]) -> bool:
    """Return whether rows differ in a column by more than their numbers."""
    return len(set(values)) > 1 and not numbers_rows(title, values)


def sensor_name(title: str) -> str:
    """Return a title without the scale behind it."""
    return _SCALE_PART.sub(" ", title).strip(" ,;:-_")[:SENSOR_LIMIT]


def may_be_code(text: str) -> bool:
    """Return whether a text is a storage unit's code rather than a scale that is not known, such as "Rankine"."""
    return len(text) > 2 and any(char.isdigit() or char in " -_." for char in text)


def several_devices(title: str, where: str) -> str:
    """Return the message that rows differ in a column that would tell devices apart, after it has been passed over."""
    message = f"{quoted(title)} changes in {where}, so it seems to tell units or sensors apart."
    return f"{message} Set the unit field or the sensor field."


def are_devices(values: Sequence[str], times: Sequence[str]) -> bool:
    """Return whether the values that differ are devices: they return, share a time, or are names rather than numbers.

    Numbers that ascend or descend are those of the readings.
    """
    numbers = [int(value[:_COUNTER_DIGITS]) for value in values if value.isdecimal()]
    if len(numbers) == len(values) > 2 and (numbers in (ordered := sorted(set(numbers)), ordered[::-1])):
        return False
    if len(set(values)) < len(values):
        return True
    share_times = len(times) == len(values) and len(set(times)) < len(times)
    return share_times or not any(value.isdecimal() or _READING_ID.fullmatch(value) for value in values)


def telling_column(
    rows: Sequence[Sequence[object]], known: Sequence[int], temperatures: Sequence[int], left: Sequence[int]
) -> int | None:
    """Return the column of names that tells rows apart which otherwise have the same key and other temperatures.

    `known` are the columns of the key, `left` those that hold nothing known.
    """
    width = 1 + max((*known, *temperatures, *left), default=0)
    complete = [[str(cell).strip() for cell in row[:width]] for row in rows if len(row) >= width]
    complete = [row for row in complete if all(row[position] for position in (*known, *temperatures))]
    keys = [tuple(row[position] for position in known) for row in complete]
    readings = {(*key, *(row[each] for each in temperatures)) for key, row in zip(keys, complete, strict=True)}
    if not temperatures or len(readings) == len(set(keys)):
        return None  # the same readings, sent again
    rows_of_a_key = max(Counter(keys).values())
    for position in left:
        cells = [row[position] for row in complete]
        is_name = all(cells) and not any(_NUMBER.fullmatch(cell) for cell in cells)
        is_telling = len(set(zip(keys, cells, strict=True))) == len(cells)
        if is_name and is_telling and len(set(cells)) <= 2 * rows_of_a_key:
            return position
    return None


def naming_quantities(columns: Mapping[int, tuple[str, Sequence[str]]]) -> tuple[int | None, bool]:
    """Return the column whose values name temperatures and other quantities, and whether it names several temperatures.

    `columns` are titles and values by position.
    """
    for position, (_title, values) in columns.items():
        meanings = {text: meaning_of(text) for text in values}
        count = sum(meaning.is_temperature for meaning in meanings.values())
        if 0 < count < len(meanings) and all(each.quantity is not Quantity.UNKNOWN for each in meanings.values()):
            return position, count > 1
    return None, False


def holds_time(value: object, depth: int = 2) -> bool:
    """Return whether a value of a JSON row is a date with a time of day, or has one inside."""
    if isinstance(value, Mapping):
        return depth > 0 and any(holds_time(each, depth - 1) for each in value.values())
    return isinstance(value, str) and _DATE_AND_TIME.match(value.strip()) is not None


def numbers_rows(title: str, values: Sequence[str]) -> bool:
    """Return whether a column holds the numbers of the rows, or ids of the readings."""
    if len(values) > 2 and all(_READING_ID.fullmatch(value) for value in values):
        return len(set(values)) == len(values)
    if canonical(title) not in _COUNTERS or not all(map(str.isdecimal, values)):
        return False
    numbers = [int(value[:_COUNTER_DIGITS]) for value in values]
    return len(numbers) > 1 and {after - before for before, after in pairwise(numbers)} in ({1}, {-1})


def first_positions(names: Iterable[str]) -> dict[str, int]:
    """Return the first position of each name."""
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        positions.setdefault(name, position)
    return positions


def normal_title(title: str) -> str:
    """Return a title without regard to case and blanks."""
    return " ".join(title.split()).casefold()
