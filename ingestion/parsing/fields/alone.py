"""What a row does not show alone, but the other rows of its body do.

That is which columns tell units and sensors apart, and which hold temperatures as "4.5 °C" below other titles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from ingestion.parsing.fields.identity import normal_title
from ingestion.parsing.fields.layout import Layout, find_layout
from ingestion.parsing.fields.names import DEFAULT_NAMES, mapped_name
from ingestion.parsing.fields.titles import Quantity, canonical, meaning_of
from ingestion.sources.mapping import FieldMapping

_FIELDS = ("unit", "sensor")
# As a mapped sensor: no column holds it.
_NONE = "="
_ANY_VALUE = "x"
# Of a column that other rows show to be one.
ANY_TEMPERATURE = "0 °C"


def measured_by_values(layout: Layout) -> list[int]:
    """Return the positions of columns that only their values show to be temperatures, as one with "ERR" does not."""
    columns = layout.temperatures
    return [each.position for each in columns if each.has_units and not meaning_of(each.title).is_temperature]


def open_columns(layout: Layout, titles: Sequence[str], mapping: FieldMapping) -> set[int]:
    """Return the positions of columns that later rows may show to be temperatures, if values show all of them."""
    if mapped_name(mapping, "temperature") or (layout.temperatures and not measured_by_values(layout)):
        return set()
    unread = {position for position, title in enumerate(titles) if title in layout.unread}
    return {position for position in unread if meaning_of(titles[position]).quantity is Quantity.UNKNOWN}


def shown_by_others(
    layout: Layout, titles: Sequence[str], mapping: FieldMapping, *, has_default_unit: bool
) -> dict[str, str]:
    """Return the titles of the unit and the sensor, by field, as far as a row of this layout would not show them alone.

    "=" for the sensor: a row would show one, but the others show that it is none. `has_default_unit`: see find_layout.
    """
    found = {field: titles[layout.columns[field]] for field in _FIELDS if field in layout.columns}
    if all(canonical(found.get(field, "")) in DEFAULT_NAMES[field] for field in _FIELDS):
        return {}
    alone = _layout_alone(tuple(titles), mapping, has_default_unit)
    differing = [
        field
        for field in _FIELDS
        if not mapped_name(mapping, field) and alone.columns.get(field) != layout.columns.get(field)
    ]
    shown = {field: found.get(field, _NONE) for field in differing if field in found or field == "sensor"}
    return {field: title for field, title in shown.items() if title == _NONE or not title.startswith("=")}


@lru_cache(maxsize=128)
def _layout_alone(titles: tuple[str, ...], mapping: FieldMapping, has_default_unit: bool) -> Layout:
    """Return the layout of any row with these titles, which is the same in each poll of a source."""
    return find_layout(titles, mapping, [[_ANY_VALUE] * len(titles)], has_default_unit=has_default_unit)


def shown_by_all(layouts: Mapping[tuple[str, ...], Layout], shown: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return what holds for all layouts of the rows of a body, by their keys, of what is `shown` by each of them."""
    titles = {field: {each[field] for each in shown if field in each} for field in _FIELDS}
    return {
        field: title
        for field in _FIELDS
        if len(titles[field]) == 1
        for title in titles[field]
        if all(_is_shown(layout, keys, field, title) for keys, layout in layouts.items())
    }


def _is_shown(layout: Layout, keys: Sequence[str], field: str, title: str) -> bool:
    position = layout.columns.get(field)
    if title == _NONE:
        return position is None
    return title not in keys or (position is not None and keys[position] == title)


def with_shown(mapping: FieldMapping, shown: Mapping[str, str], titles: Iterable[str]) -> FieldMapping:
    """Return a mapping with what others show of a row with these titles, which what is set by now precedes."""
    known = {_NONE, *titles}
    set_names = {normal_title(mapped_name(mapping, field)) for field in _FIELDS}

    def name_of(field: str) -> str:
        title = shown.get(field, "")
        is_free = title in known and normal_title(title) not in set_names
        return mapped_name(mapping, field) or (title if is_free else "")

    return replace(mapping, unit_field=name_of("unit"), sensor_field=name_of("sensor"))
