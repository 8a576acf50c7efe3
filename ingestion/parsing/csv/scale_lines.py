"""Lines around a header that give scales: units below or above the titles, and entries before them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingestion.parsing.fields.names import DEFAULT_NAMES
from ingestion.parsing.fields.titles import (
    canonical,
    explicit_scale,
    is_unit_of_other_quantity,
    meaning_of,
    scale_of_text,
)
from ingestion.parsing.values.numbers import read_plain
from readings.units.scales import Scale

# At least this share of the cells of a line of units are units; others repeat titles ("TS", "RN").
_MIN_SHARE_OF_UNITS = 0.4
_AGGREGATIONS = frozenset({"", "min", "max", "avg", "smp", "tot", "std", "mean", "average", "minimum", "maximum", "ts"})
_ENTRY = re.compile(r'[#"\s]*(?P<key>[^:=,;\t"]{2,40}?)"?\s*(?:[:=,;\t]|\bis\b)\s*"?(?P<value>[^,;\t"]*)[",;\t\s]*')
_FURTHER_KEYS = frozenset({"temperature", "temp", "temperature_unit_of_measure", "unit_of_temperature", "temp_format"})


def is_units_line(cells: Sequence[str], titles: Sequence[str]) -> bool:
    """Return whether the line below the titles holds their units ("", "Deg C", "%RH")."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or len(cells) > len(titles) or any(read_plain(cell, ".,") is not None for cell in filled):
        return False
    units = [cell for cell in filled if scale_of_text(cell) or is_unit_of_other_quantity(cell)]
    return any(scale_of_text(cell) for cell in units) and len(units) >= _MIN_SHARE_OF_UNITS * len(filled)


def is_aggregation_line(cells: Sequence[str]) -> bool:
    """Return whether a line says how values were aggregated ("", "Min", "Max")."""
    return any(cell.strip() for cell in cells) and all(cell.strip().casefold() in _AGGREGATIONS for cell in cells)


def with_units(titles: Sequence[str], units: Sequence[str], *, is_above: bool = False) -> list[str]:
    """Return the titles with the units below them in brackets; of cells above only those that name a scale."""
    padded = [*units, *[""] * (len(titles) - len(units))]
    joined = []
    for title, cell in zip(titles, padded, strict=True):
        scale = explicit_scale(cell) if is_above else None
        unit = scale.label if scale else "" if is_above else cell.strip()
        is_unit = (
            bool(unit) and not meaning_of(title).scale and bool(scale_of_text(unit) or is_unit_of_other_quantity(unit))
        )
        joined.append(f"{title} ({unit})" if is_unit else title)
    return joined


def scale_entry(line: str) -> Scale | None:
    """Return the scale that a line such as "Temperature unit: °F" gives, None if it is no such line."""
    match = _ENTRY.fullmatch(line.strip())
    if match is None:
        return None
    key = canonical(match["key"])
    return scale_of_text(match["value"]) if key in DEFAULT_NAMES["scale"] or key in _FURTHER_KEYS else None
