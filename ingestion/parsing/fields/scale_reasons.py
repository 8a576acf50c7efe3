"""Say why a temperature was read on its scale, in the order of precedence that parsing applies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.parsing.fields.layout import Layout, TemperatureColumn
from ingestion.parsing.fields.names import AMBIGUOUS_UNIT_NAMES, DEFAULT_NAMES
from ingestion.parsing.fields.titles import canonical, is_unit_of_other_quantity, scale_of_path, scale_of_text
from ingestion.parsing.rejection_reasons import quoted
from ingestion.sources.mapping import FieldMapping

_ASSUMED = "assumed, because no scale is given"
_PER_ROW = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleOfColumn:
    """The scale of a temperature column and the reason for it. `letter` is "" if each row gives its own."""

    sensor: str
    letter: str
    reason: str


def scale_reason(scales: Sequence[ScaleOfColumn], sensor_code: str, scale: str) -> str:
    """Return why a reading of this sensor is on this scale."""
    columns = [each for each in scales if each.sensor and sensor_code.endswith(each.sensor)]
    column = next(iter(columns or scales), None)
    if column is None:
        return ""
    return column.reason if column.letter in (_PER_ROW, scale) else "given within the body"


def scales_of(
    layout: Layout, mapping: FieldMapping, titles: Sequence[str], *, before: str | None = None, around: str = ""
) -> tuple[ScaleOfColumn, ...]:
    """Return the scale of each temperature column with its reason.

    `before` is the scale of a line before the header, `around` that of the object around JSON rows.
    """
    found = []
    for column in layout.temperatures:
        letter, reason = _of_rows(column, layout, mapping, titles) or _of_all(column, mapping, before, around)
        found.append(ScaleOfColumn(sensor=column.sensor, letter=letter, reason=reason))
    if not found and mapping.temperature_field:
        found.append(_of_path(layout, mapping, titles, around))
    return tuple(found)


def _of_rows(
    column: TemperatureColumn, layout: Layout, mapping: FieldMapping, titles: Sequence[str]
) -> tuple[str, str] | None:
    """Return the reason if each row gives its scale."""
    if column.has_units:
        return _PER_ROW, "given behind the numbers"
    if mapping.scale_field.startswith("="):
        return mapping.scale_field[1:], "set as scale field"
    if layout.scales:
        return _PER_ROW, f"given by the column {quoted(titles[layout.scales[0]])}"
    if mapping.scale_field:
        return _PER_ROW, f"given by {quoted(mapping.scale_field)}"
    if layout.quantity is not None and not mapping.scale:
        return _PER_ROW, f"given by the column {quoted(titles[layout.quantity])}, else assumed"
    return None


def _of_all(column: TemperatureColumn, mapping: FieldMapping, before: str | None, around: str) -> tuple[str, str]:
    """Return the scale of all rows that give none, with the reason."""
    if mapping.scale:
        return mapping.scale, "set as scale"
    if column.scale:
        return column.scale.value, f"given by the title {quoted(column.title)}"
    if before:
        return str(before), "given by a line before the header"
    if around:
        return around, "given around the rows"
    return "C", _ASSUMED


def _of_path(layout: Layout, mapping: FieldMapping, titles: Sequence[str], around: str) -> ScaleOfColumn:
    """Return the scale of a temperature at a path into JSON rows."""
    path = mapping.temperature_field
    column = TemperatureColumn(position=0, title=path, scale=scale_of_path(path))
    letter, reason = _of_rows(column, layout, mapping, titles) or _of_all(column, mapping, None, around)
    return ScaleOfColumn(sensor="", letter=letter, reason=reason)


def unclear_scale_note(name: str, text: str) -> str:
    """Return the note on an entry that is called like a scale and gives none that is known, "" for any other entry."""
    is_scale = canonical(name) in DEFAULT_NAMES["scale"] and canonical(name) not in AMBIGUOUS_UNIT_NAMES
    if not is_scale or not text.strip() or scale_of_text(text) or is_unit_of_other_quantity(text):
        return ""
    return f"{quoted(name)} gives {quoted(text)}, which is no scale that is known. Set the scale."
