"""Lines around a header with scales, zones and devices: units below or above the titles, entries before them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingestion.parsing.fields.names import DEFAULT_NAMES, UNIT_IF_NONE_NAMES, UNIT_LIKE_NAMES
from ingestion.parsing.fields.scale_reasons import unclear_scale_note
from ingestion.parsing.fields.titles import (
    canonical,
    explicit_scale,
    is_unit_of_other_quantity,
    meaning_of,
    scale_of_text,
)
from ingestion.parsing.fields.zones import GivenZone, zone_of_entries
from ingestion.parsing.values.numbers import read_plain
from readings.units.scales import Scale

# At least this share of the cells of a line of units are units; others repeat titles ("TS", "RN").
_MIN_SHARE_OF_UNITS = 0.4
_AGGREGATIONS = frozenset({"", "min", "max", "avg", "smp", "tot", "std", "mean", "average", "minimum", "maximum", "ts"})
_ENTRY = re.compile(
    r'[#"\s]*(?P<key>[^:=,;\t"]{2,40}?)"?\s*(?:[:=,;\t]|\bis\b|\b(?:changed|set|switched) to\b)'
    r'\s*"?(?P<value>[^,;\t"]*)[",;\t\s]*'
)
_SCALE_KEYS = frozenset(
    {
        *DEFAULT_NAMES["scale"], "temperature", "temp", "temperature_unit_of_measure", "unit_of_temperature",
        "temp_format",
    }
)  # fmt: skip
_DEVICE_KEYS = frozenset(
    {
        *UNIT_LIKE_NAMES, *UNIT_IF_NONE_NAMES, "sensor", "sensor_id", "sensor_name", "unit_id", "unit_name", "probe",
        "channel", "storage_unit",
    }
)  # fmt: skip


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


def with_groups(titles: Sequence[str], above: Sequence[str]) -> list[str]:
    """Return the titles with the groups above them ("Freezer 1", "", "Fridge 2", "") before repeated temperatures."""
    repeated = {title for title in titles if titles.count(title) > 1 and meaning_of(title).is_temperature}
    if not repeated or len(above) != len(titles):
        return list(titles)
    joined, group = [], ""
    for title, cell in zip(titles, above, strict=True):
        group = cell.strip() or group
        joined.append(f"{group} {title}".strip() if title in repeated else title)
    return joined


def scale_entry(line: str) -> Scale | None:
    """Return the scale that a line such as "Temperature unit: °F" gives, None if it is no such line."""
    key, value = _entry(line)
    return scale_of_text(value) if canonical(key) in _SCALE_KEYS else None


def unclear_scale_entry(line: str) -> str:
    """Return the note on a line that is an entry for a scale and gives none that is known, "" for any other line."""
    return unclear_scale_note(*_entry(line))


def scale_in_text(lines: Sequence[str]) -> Scale | None:
    """Return the only scale that lines of text name with a degree sign or a word, None if they name none or several."""
    scales = {scale for line in lines if (scale := explicit_scale(line))}
    return scales.pop() if len(scales) == 1 else None


def device_entry(line: str) -> str:
    """Return the device that a line such as "Serial number: 123" names, "" if it is no such line."""
    key, value = _entry(line)
    return value if canonical(key) in _DEVICE_KEYS else ""


def zone_before(lines: Sequence[str]) -> GivenZone | None:
    """Return the zone that one of the lines before a header gives ("Time zone: GMT-05:00")."""
    return zone_of_entries(map(_entry, lines))


def _entry(line: str) -> tuple[str, str]:
    """Return the key and the value of a line such as "Serial number: 123", two empty texts for any other line."""
    match = _ENTRY.fullmatch(line.strip())
    return (match["key"].strip(), match["value"].strip()) if match else ("", "")
