"""Choose and remember the mappings of a customer's files, and change them by assigning columns."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from ingestion.imports.logger_templates import template_for
from ingestion.models import ImportFile, SavedMapping, SourceMapping
from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.head import HeadColumn, head_of
from ingestion.parsing.parse import open_body
from ingestion.parsing.results import UnreadableBody
from ingestion.sources.mapping import FieldMapping

MAPPING_FIELDS = tuple(each.name for each in dataclasses.fields(FieldMapping))
# What a person can assign to a column, in the order in which a page asks for it.
ROLES = {
    "time": "Time",
    "date": "Date",
    "temperature": "Temperature",
    "unit": "Storage unit",
    "unit_name": "Unit's name",
    "facility": "Facility",
    "sensor": "Sensor",
    "scale": "Scale",
    "quality": "Quality",
    "status": "Status",
    "set_temperature": "Set temperature",
}
_START_BYTES = 4096
_NAMED_TITLES = 4
_MAX_TITLES = 200
_NUMBER = re.compile(r"#\d+")
# Fields that would be recognised again by their names; a constant without a text takes their place.
_NOT_READ_AS_CONSTANT = ("sensor", "quality", "status", "facility", "unit_name", "set_temperature")


class ColumnError(ValueError):
    """The columns cannot be assigned like this; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """What identifies files with the same columns. Without titles, as in files without a header, nothing does."""

    digest: str
    titles: str

    @classmethod
    def of(cls, columns: Sequence[HeadColumn]) -> Self:
        """Return the header with these columns."""
        names = [canonical(column.name) or column.name for column in columns]
        digest = sha256("\x1f".join(names).encode()).hexdigest() if names else ""
        titles = [column.name for column in columns if not _NUMBER.fullmatch(column.name)]
        return cls(digest, ", ".join(titles[:_NAMED_TITLES])[:_MAX_TITLES])


def choose_mapping(file: ImportFile, content: bytes) -> None:
    """Give a new file the customer's saved mapping for files with its header, else that of a logger's template."""
    head = head_of(io.BytesIO(content), FieldMapping(time_zone=file.time_zone), file_name=file.name)
    header = Header.of(head.columns)
    file.header_digest, file.header_titles = header.digest, header.titles
    saved = SavedMapping.objects.filter(customer=file.file_import.customer, header_digest=header.digest).first()
    if saved is not None and header.titles:
        copy_mapping(saved, file)
        file.mapping_origin = f"Saved mapping “{saved.name}”"[:_MAX_TITLES]
        return
    template = template_for(_start_of(content, file.name))
    if template is not None:
        for name, value in template.mapping.items():
            setattr(file, name, value)
        file.mapping_origin = f"Template “{template.name}”"


def save_mapping(file: ImportFile) -> None:
    """Remember the mapping of a file for the customer's next files with its header.

    That readings from years ago are right was said of this file only.
    """
    if not file.header_titles:
        return
    mapping = {name: getattr(file, name) for name in MAPPING_FIELDS} | {"accepts_old_readings": False}
    SavedMapping.objects.update_or_create(
        customer=file.file_import.customer,
        header_digest=file.header_digest,
        defaults=mapping,
        create_defaults=mapping | {"name": file.header_titles},
    )


def copy_mapping(source: SourceMapping, target: SourceMapping) -> None:
    """Copy all settings of a mapping."""
    for name in MAPPING_FIELDS:
        setattr(target, name, getattr(source, name))


def changed_settings(mapping: SourceMapping) -> dict[str, object]:
    """Return the settings of a mapping that are not the defaults."""
    unchanged = type(mapping)()
    return {
        name: getattr(mapping, name) for name in MAPPING_FIELDS if getattr(mapping, name) != getattr(unchanged, name)
    }


def assign_columns(mapping: SourceMapping, columns: Sequence[HeadColumn], roles: Mapping[int, str]) -> None:
    """Change the mapping so that each column is read as its role, "" for not at all. Raise ColumnError.

    Only what differs from how the columns are read already is changed, so that what is recognised stays recognised.
    """
    for role, label in ROLES.items():
        before = [position for position, column in enumerate(columns) if column.field == role]
        chosen = [position for position in range(len(columns)) if roles.get(position, columns[position].field) == role]
        if before == chosen:
            continue
        if len(chosen) > 1 and (role != "temperature" or not set(chosen) <= set(before)):
            names = ", ".join(f"“{columns[position].name}”" for position in chosen)
            raise ColumnError(f"Only one column can be the {label.lower()}: choose one of {names}.")
        if role == "temperature" and len(chosen) > 1:
            raise ColumnError("Choose one temperature column, or all that are recognised.")
        setattr(mapping, f"{role}_field", _name_of(columns, chosen[0]) if chosen else _without(role))


def _without(role: str) -> str:
    return "=" if role in _NOT_READ_AS_CONSTANT else ""


def _name_of(columns: Sequence[HeadColumn], position: int) -> str:
    """Return how a mapping names a column: by its title, or its number if the title is not the only one."""
    name = columns[position].name
    is_unique = sum(column.name.casefold() == name.casefold() for column in columns) == 1
    return name if is_unique and not name.startswith("=") and len(name) <= 100 else f"#{position + 1}"


def _start_of(content: bytes, file_name: str) -> str:
    try:
        opened = open_body(io.BytesIO(content), FieldMapping(), file_name=file_name)
        return opened.body.open().peek(_START_BYTES).decode("utf-8", "replace")
    except UnreadableBody:
        return ""
