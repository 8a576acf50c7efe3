"""What the fields of a reading are usually called, and which of a row's fields a mapping means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ingestion.sources.mapping import FieldMapping
from readings.units.scales import scale_in_title

# What a row can say, and the names that are tried in order where the mapping does not name the field.
# storage_room is the unit's name in one form, and all that identifies the unit in another.
DEFAULT_NAMES: dict[str, tuple[str, ...]] = {
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
# What a row says about its unit rather than about the reading.
UNIT_ATTRIBUTES = ("unit_name", "facility_name", "city", "country", "set_temperature", "size", "size_unit")
# Fields which, once a mapping names them, a file cannot be without: a default in their place would be an invention.
_REQUIRED_IF_MAPPED = ("facility", "unit", "sensor", "time", "temperature", "scale")


def mapped_name(mapping: FieldMapping, field: str) -> str:
    """What the mapping calls `field`: a name, "=constant", or "" where it leaves the choice to the usual names."""
    return getattr(mapping, f"{field}_field", "")


def constant_fields(mapping: FieldMapping) -> dict[str, str]:
    """The fields to which the mapping gives a constant; the time of the response is not among them."""
    named = {field: mapped_name(mapping, field) for field in DEFAULT_NAMES if field != "time"}
    return {field: name[1:] for field, name in named.items() if name.startswith("=")}


class MissingColumn(Exception):  # noqa: N818  (it is what was found, not what went wrong: another line may be the header)
    """A line is not a header that the mapping can mean; the message says which column is not in it."""


def match_columns(titles: Sequence[str], mapping: FieldMapping) -> dict[str, int]:
    """The column of each field in a CSV header with these titles; raises MissingColumn.

    A title that the mapping names must be there if the reading's meaning hangs on it; a time (unless the response
    gives it) and a temperature must always be found. Of two columns of one name the first is taken.
    """
    positions: dict[str, int] = {}
    for position, title in reversed(list(enumerate(titles))):
        positions[_normal(title)] = position
    found: dict[str, int] = {}
    for field, usual in DEFAULT_NAMES.items():
        name = mapped_name(mapping, field)
        if name.startswith("="):
            continue
        wanted = [_normal(name)] if name else usual
        found_at = next((positions[each] for each in wanted if each in positions), None)
        if found_at is None and not name and field == "temperature":
            found_at = next((positions[each] for each in reversed(positions) if _is_temperature_title(each)), None)
        if found_at is not None:
            found[field] = found_at
        elif field in ("time", "temperature") or (name and field in _REQUIRED_IF_MAPPED):
            raise MissingColumn(f"no column {name!r}" if name else f"no column for the {field}")
    return found


class FieldExtractor:
    """Finds the fields of JSON rows. Dots in a name that the mapping gives lead into objects."""

    def __init__(self, mapping: FieldMapping) -> None:
        self._constants = constant_fields(mapping)
        names = {field: mapped_name(mapping, field) for field in DEFAULT_NAMES}
        self._names = {
            field: (name,) if name else DEFAULT_NAMES[field]
            for field, name in names.items()
            if not name.startswith("=")
        }

    def extract(self, row: object) -> dict[str, Any]:
        """What a row says by field; fields that it does not mention are absent, all are if it is no object."""
        raw_fields: dict[str, Any] = dict(self._constants)
        if not isinstance(row, dict):
            return raw_fields
        for field, names in self._names.items():
            for name in names:
                if name in row:
                    raw_fields[field] = row[name]
                    break
                found, value = _at_path(row, name) if "." in name else (False, None)
                if found:
                    raw_fields[field] = value
                    break
        return raw_fields


def _at_path(row: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    value: Any = row
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


def _normal(title: str) -> str:
    return " ".join(title.split()).casefold()


def _is_temperature_title(title: str) -> bool:
    """Whether a column is called a temperature with its scale: "temperature(°c)", "temp °f", "temp. [k]"."""
    return title.startswith("temp") and scale_in_title(title) is not None
