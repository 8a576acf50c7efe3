"""Tell columns that identify devices or probes from those that number rows, by their names and values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ingestion.parsing.fields.names import (
    MAYBE_IDENTIFYING_NAMES,
    SENSOR_LIKE_NAMES,
    UNIT_IF_NONE_NAMES,
    UNIT_LIKE_NAMES,
)
from ingestion.parsing.fields.titles import canonical

_IDENTIFYING_NAMES = frozenset({*UNIT_LIKE_NAMES, *UNIT_IF_NONE_NAMES, *SENSOR_LIKE_NAMES, *MAYBE_IDENTIFYING_NAMES})
# Columns that number the rows if they count on: "Point" may also be a measuring point.
_COUNTERS = frozenset({"id", "point", "node", "position", "series"})
_COUNTER_DIGITS = 15
_READING_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[0-9a-f]{24}", re.I)


def may_identify(title: str) -> bool:
    """Return whether a column may tell units or sensors apart, as far as its title shows."""
    return canonical(title) in _IDENTIFYING_NAMES


def tells_rows_apart(title: str, values: Sequence[str]) -> bool:
    """Return whether rows differ in a column by more than their numbers."""
    return len(set(values)) > 1 and not numbers_rows(title, values)


def numbers_rows(title: str, values: Sequence[str]) -> bool:
    """Return whether a column holds the numbers of the rows, or ids of the readings."""
    if len(values) > 2 and all(_READING_ID.fullmatch(value) for value in values):
        return len(set(values)) == len(values)
    if canonical(title) not in _COUNTERS or not all(map(str.isdecimal, values)):
        return False
    numbers = [int(value[:_COUNTER_DIGITS]) for value in values]
    return len(numbers) > 1 and {after - before for before, after in pairwise(numbers)} in ({1}, {-1})
