"""Find what members around the rows of a JSON body say about all of them: their facility, unit or sensor."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from ingestion.parsing.fields.identity import code_of, may_name_device
from ingestion.parsing.fields.json_fields import at_path
from ingestion.parsing.fields.names import (
    DEVICE_NUMBER_NAMES,
    IDENTITY_AROUND,
    LISTS_OF_NO_DEVICE,
    ROW_LISTS,
    mapped_name,
)
from ingestion.parsing.fields.titles import canonical, meaning_of
from ingestion.parsing.notes import names_listed
from ingestion.parsing.rejection_reasons import quoted
from ingestion.parsing.values.rules import ParseOptions


@dataclass(slots=True)
class Around:
    """Members to add to each row, whether they name the unit, and notes on those that are used or passed over.

    `noted` are the names of members in these notes.
    """

    members: dict[str, object] = field(default_factory=dict)
    has_unit: bool = False
    noted: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def identity_around(members: Mapping[str, object], options: ParseOptions, *, has_unit: bool) -> Around:
    """Return what members around rows name. `has_unit`: rows name their unit.

    A device's number, such as its serial number, is the unit if nothing else names one.
    """
    found = Around()
    mapped = {each: mapped_name(options.mapping, each) for each in IDENTITY_AROUND}
    used = {part for path in mapped.values() for part in (path, path.split(".")[0])}
    for field_name, names in IDENTITY_AROUND.items():
        if path := mapped[field_name]:
            code = code_of(at_path(members, path)[1])
        else:
            keys = (key for key, value in members.items() if key not in used and _names(names, key, value))
            path = next(keys, "")
            code = code_of(members.get(path))
        if code is not None:
            found.members |= _nested(path, code) if mapped[field_name] else {path: code}
            found.has_unit |= field_name == "unit"
            used.add(path)
    is_named = found.has_unit or has_unit or options.is_unit_named or bool(mapped_name(options.mapping, "unit"))
    left = {key: value for key, value in members.items() if key not in used}
    numbers = (key for key, value in left.items() if canonical(key) in DEVICE_NUMBER_NAMES and _code(value) is not None)
    if not is_named and (number := next(numbers, None)) is not None:
        found.members["unit_id"] = _code(members[number])
        found.has_unit = True
        found.notes.append(f"{quoted(number)}, around the rows, was read as the storage unit.")
        found.noted.add(number)
        used.add(number)
    unread = unread_around({key: value for key, value in members.items() if key not in used})
    found.notes += [unread_note(unread)] if unread else []
    found.noted |= {*unread}
    return found


def unread_around(members: Mapping[str, object]) -> list[str]:
    """Return the names of unused members around rows that may name devices."""
    return [name for name, value in members.items() if may_name_device(name) and _code(value) is not None]


def unread_lists_note(members: Mapping[str, object]) -> str:
    """Return the note on lists beside that of the rows, "" if there are none."""
    names = [name for name, value in members.items() if isinstance(value, list) and value]
    return (
        f"Lists that are not read, beside that of the rows: {names_listed(names)}. Set the readings path."
        if names
        else ""
    )


def only_list_note(value: object) -> str:
    """Return the note on the name of the only list in a body, which may be that of a device, "" for any other body."""
    members = value if isinstance(value, Mapping) else {}
    filled = [key for key, member in members.items() if isinstance(member, list) and member]
    if len(filled) != 1 or canonical(filled[0]) in LISTS_OF_NO_DEVICE or meaning_of(filled[0]).is_temperature:
        return ""
    rest = "which is not read. Set the unit field or the sensor field if it names one."
    return f"The rows are in {quoted(filled[0])}, {rest}"


def unread_note(names: list[str]) -> str:
    """Return the note on members around rows that are not read."""
    return f"Not read, around the rows: {names_listed(names)}. Set the unit field or the sensor field if it names one."


def _names(names: Container[str], key: str, value: object) -> bool:
    """Return whether a member has one of these names and a code. An object called "channel" may be the whole feed."""
    is_feed = canonical(key) == "channel" and isinstance(value, Mapping)
    return canonical(key) in names and _code(value) is not None and not is_feed


def _code(value: object) -> str | int | None:
    """Return the code that a member is or describes; None for one with a list, in which the rows may be."""
    if isinstance(value, Mapping):
        inner = [value, *(member for member in value.values() if isinstance(member, Mapping))]
        if any(isinstance(member, list) for each in inner for member in each.values()):
            return None
    return code_of(value)


def _nested(path: str, code: str | int) -> dict[str, object]:
    """Return a member with the code at a dotted path."""
    first, *others = path.split(".")
    value: object = code
    for key in reversed(others):
        value = {key: value}
    return {first: value}


def members_around(value: object) -> Mapping[str, object]:
    """Return the members of the object around the rows of a decoded body, and of that in which their list is."""
    if not isinstance(value, Mapping):
        return {}
    inner = next((value[key] for key in value if canonical(key) in ROW_LISTS), None)
    return {**value, **inner} if isinstance(inner, Mapping) else value
