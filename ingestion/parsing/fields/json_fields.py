"""Extract the fields of a reading from JSON rows."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.parsing.fields.names import DEFAULT_NAMES, constant_fields, mapped_name
from ingestion.sources.mapping import FieldMapping


class FieldExtractor:
    """Extract the fields of JSON rows. Dots in a mapped name lead into objects."""

    def __init__(self, mapping: FieldMapping) -> None:
        self._constants = constant_fields(mapping)
        names = {field: mapped_name(mapping, field) for field in DEFAULT_NAMES}
        self._names = {
            field: (name,) if name else DEFAULT_NAMES[field]
            for field, name in names.items()
            if not name.startswith("=")
        }

    def extract(self, row: object) -> dict[str, object]:
        """Return the raw values by field; missing fields are absent, all of them if the row is not an object."""
        raw_fields: dict[str, object] = dict(self._constants)
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


def _at_path(row: Mapping[str, object], path: str) -> tuple[bool, object]:
    value: object = row
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value
