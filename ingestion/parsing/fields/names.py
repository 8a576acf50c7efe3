"""Map the field names and columns of a source to the fields of a reading."""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.sources.mapping import FieldMapping
from readings.units.scales import scale_in_title

# The fields of a row, and the names tried in order if the mapping names none.
# storage_room is the unit's name in one layout, and the only identification of the unit in another.
DEFAULT_NAMES: dict[str, tuple[str, ...]] = {
    "customer": ("customer_id", "customer_code", "customer"),
    "facility": ("facility_id", "facility_code", "facility", "site_id", "site"),
    "unit": ("unit_id", "unit_code", "storage_unit_id", "storage_unit", "storage_room"),
    "unit_name": ("unit_name", "storage_room"),
    "sensor": ("sensor_id", "sensor_code", "sensor"),
    "time": ("timestamp", "recorded_at", "datetime", "date_time", "date time", "date/time", "time", "date"),
    "temperature": ("temperature", "temp"),
    "scale": ("temperature_unit", "degrees", "scale"),
    "quality": ("quality_score", "quality"),
    "status": ("equipment_status", "status"),
    "set_temperature": ("set_temperature", "setpoint"),
    "facility_name": ("facility_name",),
    "city": ("city",),
    "country": ("country",),
    "size": ("size",),
    "size_unit": ("size_unit",),
}
# Fields that describe the unit rather than the reading.
UNIT_ATTRIBUTES = ("unit_name", "facility_name", "city", "country", "set_temperature", "size", "size_unit")
# A file without one of these mapped columns is rejected: a default would invent data.
_REQUIRED_IF_MAPPED = ("facility", "unit", "sensor", "time", "temperature", "scale")


def mapped_name(mapping: FieldMapping, field: str) -> str:
    """Return the mapping's setting for `field`: a name, "=constant", or "" for the default names."""
    name: str = getattr(mapping, f"{field}_field", "")
    return name


def constant_fields(mapping: FieldMapping) -> dict[str, str]:
    """Return the fields that the mapping sets to a constant, except the time of the response."""
    named = {field: mapped_name(mapping, field) for field in DEFAULT_NAMES if field != "time"}
    return {field: name[1:] for field, name in named.items() if name.startswith("=")}


class MissingColumn(Exception):  # noqa: N818  (not an error: a later line may be the header)
    """A line is not a header for the mapping; the message names the missing column."""


def match_columns(titles: Sequence[str], mapping: FieldMapping) -> dict[str, int]:
    """Return the index of each field's column in a CSV header. Raise MissingColumn.

    Mapped columns that determine the meaning of a reading are required; so are a time (unless it is that of the
    response) and a temperature. Of two columns with the same title the first is used.
    """
    positions: dict[str, int] = {}
    for position, title in reversed(list(enumerate(titles))):
        positions[_normal(title)] = position
    found: dict[str, int] = {}
    for field, defaults in DEFAULT_NAMES.items():
        name = mapped_name(mapping, field)
        if name.startswith("="):
            continue
        candidates = [_normal(name)] if name else defaults
        index = next((positions[each] for each in candidates if each in positions), None)
        if index is None and not name and field == "temperature":
            index = next((positions[each] for each in reversed(positions) if _is_temperature_title(each)), None)
        if index is not None:
            found[field] = index
        elif field in ("time", "temperature") or (name and field in _REQUIRED_IF_MAPPED):
            raise MissingColumn(f"no column {name!r}" if name else f"no column for the {field}")
    return found


def _normal(title: str) -> str:
    return " ".join(title.split()).casefold()


def _is_temperature_title(title: str) -> bool:
    """Return whether a title is a temperature with a scale: "temperature(°c)", "temp °f", "temp. [k]"."""
    return title.startswith("temp") and scale_in_title(title) is not None
