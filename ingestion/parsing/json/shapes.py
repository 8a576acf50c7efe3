"""Find the readings in JSON of other shapes than a list of rows, and return them as rows.

Columns of values, lists of pairs, readings in sensors in rooms, objects by id: each becomes a flat row that keeps the
names of its members, with the names or ids around it as its facility, unit or sensor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ingestion.parsing.fields.identity import code_of, describes
from ingestion.parsing.fields.names import (
    DATE_NAMES,
    DEFAULT_NAMES,
    QUANTITY_NAMES,
    TABLE_ROWS,
    TIME_NAMES,
    VALUE_NAMES,
)
from ingestion.parsing.fields.titles import canonical, meaning_of, scale_of_text
from ingestion.parsing.json.series import (
    Row,
    flattened,
    frame_rows,
    is_senml,
    labels_of,
    pairs_of,
    quantity_of,
    senml_rows,
    timed_values,
    with_first_identity,
    with_quantity,
)
from ingestion.parsing.limits import MAX_COLUMNS, exceeded

_TIME_NAMES = TIME_NAMES | set(DATE_NAMES)
# Of an object around readings, these are the times of the response: each reading has its own.
_INSTANT_NAMES = TIME_NAMES - set(DATE_NAMES)
_TITLE_LISTS = ("columns", "fields", "headers", "header", "keys", "names", "titles")
_ID_NAMES = ("id", "code", "uuid", "serial", "serial_number", "name")
# What the members of a list or object with this name are, so that their id or key names a unit, sensor or facility.
_CONTAINERS = {
    "facility": ("facilities", "sites", "stores", "locations", "buildings", "facility", "site"),
    "unit": (
        "units", "rooms", "devices", "freezers", "fridges", "refrigerators", "loggers", "chambers", "stations",
        "assets", "storage_units", "room", "device", "unit",
    ),
    "sensor": ("sensors", "probes", "channels", "series", "entities", "nodes", "tags", "sensor", "probe", "channel"),
}  # fmt: skip
_FIELDS = {"facility": "facility_id", "unit": "unit_id", "sensor": "sensor_id"}
_IDENTITIES = frozenset({*DEFAULT_NAMES["unit"], *DEFAULT_NAMES["sensor"]})
_ERROR_NAMES = ("error", "errors", "error_message", "message")
# Of members that are null unless something is wrong or follows; readings are not called so.
_NO_IDS = (*_ERROR_NAMES, "warning", "warnings", "next", "previous", "cursor")
_TIME_TEXT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_LEAST_EPOCH = 1e8
_KEPT_CELLS = 20


def rows_in(value: object) -> Iterator[Row]:
    """Yield the rows in a decoded body, in order."""
    for row in _rows(value, {}, ""):
        yield {key: member for key, member in row.items() if not (key.endswith("_units") and isinstance(member, dict))}


def _rows(value: object, around: Row, name: str) -> Iterator[Row]:
    """Yield the rows in a value that is called `name`, each with the members `around` it."""
    if isinstance(value, list):
        yield from _rows_of_list(value, around, name)
    elif isinstance(value, dict):
        yield from _rows_of_object(value, around, name)


def _rows_of_list(items: Sequence[object], around: Row, name: str) -> Iterator[Row]:
    if is_senml(items):
        yield from ({**around, **row} for row in senml_rows(items))
        return
    if items and all(isinstance(item, list) and item and isinstance(item[0], dict) for item in items):
        for item in items:
            yield from _rows(with_first_identity(item) if isinstance(item, list) else item, around, name)
        return
    lists = [item for item in items if isinstance(item, list)]
    if lists and len(lists) + items.count(None) == len(items):
        rows = _rows_of_lists(lists, around, name)
        unread: list[object] = [None for item in items if item is None]
    else:
        unread = []
        rows = _rows_of_items(items, around, name, unread)
    has_rows = False
    for row in rows:
        has_rows = True
        yield row
    if has_rows:  # what is no row among rows is to be rejected
        yield from ({**around, **(item if isinstance(item, dict) else {name or "row": item})} for item in unread)


def _rows_of_items(items: Sequence[object], around: Row, name: str, unread: list[object]) -> Iterator[Row]:
    """Yield the rows in the items of a list. Add those that should be rows to `unread`, but are none."""
    is_of_readings = any(map(is_reading, items))
    for item in items:
        has_rows = False
        for row in _rows_of_object(item, around, name, is_listed=True) if isinstance(item, dict) else ():
            has_rows = True
            yield row
        if not has_rows and (is_of_readings or not isinstance(item, dict)):
            unread.append(item)


def _rows_of_lists(lists: Sequence[Sequence[object]], around: Row, name: str) -> Iterator[Row]:
    """Yield the rows of a table with titles in its first row, or of pairs of a time and a value."""
    first = lists[0]
    if (
        len(first) > 1
        and all(isinstance(cell, str) for cell in first)
        and _names_reading([str(cell) for cell in first])
    ):
        yield from _table([str(cell) for cell in first], lists[1:], around)
        return
    # Pairs tell what they measure only by the name of their list or by what is around them.
    quantity = name if meaning_of(name).is_temperature else ""
    if quantity and any(len(pair) == 2 and _is_time(pair[0]) for pair in lists):
        for pair in lists:  # others than these pairs are to be rejected
            yield {**around, "timestamp": pair[0] if pair else None, quantity: pair[1] if len(pair) == 2 else pair[1:]}


def _rows_of_object(members: Mapping[str, object], around: Row, name: str, *, is_listed: bool = False) -> Iterator[Row]:
    """Yield the rows in an object. `is_listed`: it is one of a list, so that its id tells it from the others."""
    own = {**around, **_identity(members, name)}
    if len(own) > MAX_COLUMNS:  # they are part of every row inside
        raise exceeded(f"a row of it, with what surrounds it, has more than {MAX_COLUMNS:,} members")
    titles, lists = _titled_lists(members)
    if titles:
        quantity = quantity_of(members)
        yield from _table(
            titles, lists, {key: each for key, each in own.items() if each != quantity} | _timeless(_labelled(members))
        )
        return
    if (quantity := quantity_of(members)) and (pairs := pairs_of(members)):
        yield from _rows_of_lists(pairs, {**own, **labels_of(members)}, quantity)
        return
    if rows := [*frame_rows(members), *timed_values(members)]:
        yield from ({**own, **row} for row in rows)
        return
    if columns := _columns(members):
        units = (member for key, member in members.items() if canonical(key) == "units")
        scales = _units_of_columns(around.get(f"{name}_units") or next(units, None), columns)
        beside = _timeless(_scalars(members))
        for cells in zip(*columns.values(), strict=True):
            yield {**own, **beside, **dict(zip(columns, cells, strict=True)), **scales}
        return
    if _names_reading([key for key, member in members.items() if _is_of_scalars(member)]):
        # Columns of different lengths, to be rejected; a part of them is kept.
        yield {**own, **{key: each[:_KEPT_CELLS] if isinstance(each, list) else each for key, each in members.items()}}
        return
    if typed := _typed_values(members):
        yield {**own, **_scalars(members), **typed}
        return
    if is_reading(members):
        yield {**own, **flattened(members)}
        return
    left_out: Sequence[str] = _ID_NAMES
    if is_listed and _container(name) is None:
        has_id = any(canonical(key) in _ID_NAMES and key != "name" for key in _scalars(members))
        left_out = ("name",) if has_id else ()
    yield from _rows_inside(members, own, name, left_out)


def _rows_inside(members: Mapping[str, object], own: Row, name: str, left_out: Sequence[str]) -> Iterator[Row]:
    """Yield the rows in the members of an object that is no row itself, without its members that are `left_out`."""
    scalars = _timeless(_scalars(members))
    inherited = own | {key: member for key, member in scalars.items() if canonical(key) not in left_out}
    inherited |= {key: member for key, member in members.items() if key.endswith("_units") and isinstance(member, dict)}
    is_keyed = _is_keyed(members)
    plain = {key: member for key, member in scalars.items() if member is not None and not _is_nested(members[key])}
    beside = own | {key: member for key, member in plain.items() if canonical(key) not in left_out}
    series = [key for key, member in members.items() if _is_series(key, member)]
    kind = _container(name)
    identity = _FIELDS[kind or "sensor"]
    for key, member in members.items():
        if _is_units(key, member):
            continue  # of the columns beside them
        if is_keyed and isinstance(member, dict) and _is_like_reading(member):  # objects by id
            yield {**beside, identity: key, **member}
            continue
        is_id = (key in series and len(series) > 1) or (kind is not None and isinstance(member, dict))
        yield from _rows(member, {**inherited, identity: key} if is_id else inherited, key)


def _is_units(name: str, member: object) -> bool:
    """Return whether a member gives units of measurement; one called "units" may hold storage units."""
    if isinstance(member, list) or not canonical(name).endswith("units"):
        return False
    return not isinstance(member, dict) or not any(map(_is_nested, member.values()))


def _is_keyed(members: Mapping[str, object]) -> bool:
    """Return whether an object holds readings by id, some of which may be missing, and other members beside them."""
    nested = [member for key, member in members.items() if isinstance(member, dict) and not _is_units(key, member)]
    readings = [member for member in nested if is_reading(member)]
    missing = [key for key, member in members.items() if _is_missing(member) and canonical(key) not in _NO_IDS]
    if len(readings) == len(members):
        return bool(readings)
    is_named = any(canonical(key) in _IDENTITIES for member in readings for key in member)
    return bool(readings) and len(readings) + len(missing) > 1 and not is_named


def _is_missing(member: object) -> bool:
    """Return whether a member is null or an error in place of a reading."""
    return member is None or (isinstance(member, dict) and any(canonical(key) in _ERROR_NAMES for key in member))


def _is_like_reading(member: Mapping[str, object]) -> bool:
    """Return whether an object has a temperature, or a time and a value, so that it is to be read or rejected."""
    names = {canonical(key) for key in member}
    is_measured = any(meaning_of(key).is_temperature and not _is_nested(member[key]) for key in member)
    return is_reading(member) or is_measured or bool(names & _TIME_NAMES and names & set(VALUE_NAMES))


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list)


def _is_series(name: str, value: object) -> bool:
    """Return whether a member is a list of readings or of pairs, columns of them, or an object with one of these."""
    if isinstance(value, list):
        is_pairs = bool(value) and isinstance(value[0], list) and meaning_of(name).is_temperature
        return is_pairs or (bool(value) and is_reading(value[0]))
    if not isinstance(value, dict):
        return False
    lists = (member for member in value.values() if isinstance(member, list) and member)
    return bool(_columns(value)) or any(is_reading(each[0]) for each in lists)


def is_reading(members: object) -> bool:
    """Return whether an object has a temperature and a time of its own."""
    if not isinstance(members, Mapping):
        return False
    scalars = [key for key, member in flattened(members).items() if not isinstance(member, list)]
    return _names_reading(scalars)


def _names_reading(names: Sequence[str]) -> bool:
    canonicals = {canonical(name) for name in names}
    has_value = any(meaning_of(name).is_temperature for name in names)
    is_measured = bool(canonicals & {*QUANTITY_NAMES, *DEFAULT_NAMES["scale"]})
    has_value |= is_measured and bool(canonicals & set(VALUE_NAMES))
    return has_value and bool(canonicals & _TIME_NAMES)


def _titled_lists(members: Mapping[str, object]) -> tuple[list[str], list[list[object] | None]]:
    """Return the titles and the rows of ``{"columns": [...], "data": [[...], ...]}``, empty ones for anything else."""
    titles = next((members[key] for key in _TITLE_LISTS if isinstance(members.get(key), list)), None)
    lists = next((members[key] for key in TABLE_ROWS if isinstance(members.get(key), list)), None)
    if (
        not isinstance(titles, list)
        or not isinstance(lists, list)
        or not all(row is None or isinstance(row, list) for row in lists)
    ):
        return [], []
    names = [title.get("name", "") if isinstance(title, dict) else title for title in titles]
    texts = [_with_unit(name, title) for name, title in zip(names, titles, strict=True) if isinstance(name, str)]
    texts = texts if _names_reading(texts) else with_quantity(texts, quantity_of(members))
    return (texts, lists) if len(texts) == len(titles) and _names_reading(texts) else ([], [])


def _labelled(members: Mapping[str, object]) -> Row:
    """Return the single values and the labels of a series, without its name if that is the quantity."""
    scalars = _scalars(members)
    if quantity_of(members):
        scalars.pop("name", None)
    return {**scalars, **labels_of(members)}


def _with_unit(name: str, title: object) -> str:
    """Return the name of a column with the scale in its description: ``{"name": "temperature", "unit": "°F"}``."""
    if not isinstance(title, Mapping) or not meaning_of(name).is_temperature or meaning_of(name).scale:
        return name
    units = (unit for key, unit in title.items() if canonical(str(key)) in DEFAULT_NAMES["scale"])
    scale = next((scale for unit in units if isinstance(unit, str) and (scale := scale_of_text(unit))), None)
    return f"{name} ({scale.label})" if scale else name


def _table(titles: Sequence[str], lists: Sequence[Sequence[object] | None], around: Row) -> Iterator[Row]:
    """Yield the rows of a table; null in place of one is to be rejected."""
    for cells in lists:
        yield {**around, **({"row": None} if cells is None else dict(zip(titles, cells, strict=False)))}


def _columns(members: Mapping[str, object]) -> dict[str, list[object]]:
    """Return the columns of ``{"time": [...], "temperature": [...]}``, none for anything else."""
    columns = {key: member for key, member in members.items() if isinstance(member, list) and _is_of_scalars(member)}
    lengths = {len(column) for column in columns.values()}
    return columns if len(lengths) == 1 and _names_reading(list(columns)) else {}


def _is_of_scalars(value: object) -> bool:
    return isinstance(value, list) and bool(value) and not any(map(_is_nested, value))


def _units_of_columns(units: object, columns: Mapping[str, object]) -> Row:
    """Return the scale of columns from an object beside them such as ``{"hourly_units": {"temperature": "°F"}}``."""
    if not isinstance(units, dict):
        return {}
    scales = [unit for key, unit in units.items() if key in columns and meaning_of(key).is_temperature]
    return {"temperature_unit": scales[0]} if scales and all(scale == scales[0] for scale in scales) else {}


def _typed_values(members: Mapping[str, object]) -> Row:
    """Return the temperature in ``[{"value_type": "temperature", "value": "21.5"}, ...]``, nothing if there is none."""
    found: Row = {}
    for member in members.values():
        if not isinstance(member, list):
            continue
        for item in member:
            if not isinstance(item, dict):
                continue
            kinds = [item[key] for key in item if canonical(key) in (*QUANTITY_NAMES, "name", "key")]
            values = [item[key] for key in item if canonical(key) in VALUE_NAMES]
            kind = next((each for each in kinds if isinstance(each, str) and meaning_of(each).is_temperature), "")
            has_time = any(canonical(key) in _TIME_NAMES for key in item)
            if kind and not has_time and values:
                scale = {key: member for key, member in item.items() if canonical(key) in DEFAULT_NAMES["scale"]}
                # Several temperatures, each on its own scale, become sensors.
                kind = kind if kind not in found else f"{kind} {1 + sum(name.startswith(kind) for name in found)}"
                found[kind] = {"value": values[0], **scale} if scale else values[0]
    return found if found and any(canonical(key) in _TIME_NAMES for key in members) else {}


def _identity(members: Mapping[str, object], name: str) -> Row:
    """Return the facility, unit or sensor that an object is, by the name of what it is in."""
    kind = _container(name)
    own = next((members[key] for key in members if canonical(key) in _ID_NAMES), None)
    if kind is None or not isinstance(own, str | int) or isinstance(own, bool):
        return {}
    identity: Row = {_FIELDS[kind]: own}
    if kind == "unit" and isinstance(title := members.get("name"), str) and title != own:
        identity["unit_name"] = title
    return identity


def _container(name: str) -> str | None:
    return next((kind for kind, names in _CONTAINERS.items() if canonical(name) in names), None)


def _scalars(members: Mapping[str, object]) -> Row:
    """Return the members that are single values, and the codes of objects that describe what they name."""
    scalars: Row = {}
    for key, member in members.items():
        if not _is_nested(member):
            scalars[key] = member
        elif isinstance(member, dict) and describes(key, member) and not any(map(_is_list, member.values())):
            scalars[key] = code_of(member)
    return scalars


def _timeless(members: Row) -> Row:
    """Return members around readings without times, which are not those of the readings."""
    return {key: member for key, member in members.items() if canonical(key) not in _INSTANT_NAMES}


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        return _TIME_TEXT.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and value > _LEAST_EPOCH
