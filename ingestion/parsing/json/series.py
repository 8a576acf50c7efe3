"""Bring the JSON of time series databases and platforms into the shapes that `ingestion.parsing.json.shapes` reads.

InfluxDB, Prometheus, Grafana, ThingsBoard and Home Assistant name what was measured around the numbers. SenML (RFC
8428) gives it once for the records that follow.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import TypeAlias

from ingestion.parsing.fields.names import DEFAULT_NAMES, TIME_NAMES, VALUE_NAMES
from ingestion.parsing.fields.titles import canonical, meaning_of, scale_of_text

Row: TypeAlias = dict[str, object]

# Of a column that is shorter than others.
_NO_CELL = object()
_LABELS = ("tags", "labels", "metric")
# In objects with one of these names are the values of the row around them, or what describes them.
_INNER = frozenset({"values", "fields", "data", "payload", "measurements", "attributes", "telemetry"})
# Columns of aggregating queries, which hold what the series' name says.
_AGGREGATES = ("mean", "last", "first", "median", "max", "min")
_SENML_NAMES = frozenset({"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"})


def labels_of(members: Mapping[str, object]) -> Row:
    """Return the labels of a series, without the name of what it measures."""
    labels = next((members[name] for name in _LABELS if isinstance(members.get(name), dict)), None)
    if not isinstance(labels, Mapping):
        return {}
    return {str(key): label for key, label in labels.items() if isinstance(label, str | int) and key != "__name__"}


def quantity_of(members: Mapping[str, object]) -> str:
    """Return what a series measures by its name, "" if that is no temperature."""
    metric = members.get("metric")
    name = metric.get("__name__") if isinstance(metric, Mapping) else members.get("name")
    return name if isinstance(name, str) and meaning_of(name).is_temperature else ""


def pairs_of(members: Mapping[str, object]) -> list[list[object]]:
    """Return the pairs of a time and a value of a series with labels, and lists in place of what is none among them.

    Anything else has no pairs.
    """
    if not any(isinstance(members.get(name), dict) for name in _LABELS):
        return []
    pairs = members.get("values", [members["value"]] if "value" in members else [])
    if not isinstance(pairs, list) or not any(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return []
    return [pair if isinstance(pair, list) else [None, pair] for pair in pairs]


def with_quantity(titles: Sequence[str], quantity: str) -> list[str]:
    """Return the titles of a table with what it measures in place of "value" or "mean"."""
    if not quantity:
        return list(titles)
    return [quantity if canonical(title) in (*VALUE_NAMES, *_AGGREGATES) else title for title in titles]


def frame_rows(members: Mapping[str, object]) -> Iterator[Row]:
    """Yield the rows of a data frame of Grafana, whose fields are described beside their columns of values."""
    schema, data = members.get("schema"), members.get("data")
    fields = schema.get("fields") if isinstance(schema, Mapping) else None
    columns = data.get("values") if isinstance(data, Mapping) else None
    if not isinstance(fields, list) or not isinstance(columns, list) or len(fields) != len(columns):
        return
    if not all(isinstance(field, dict) for field in fields) or not all(isinstance(cells, list) for cells in columns):
        return
    labels = [labels_of(field) for field in fields]
    titles = list(map(_frame_title, fields))
    shared = next((each for each in labels if each), {})
    name = schema.get("name") if isinstance(schema, Mapping) else None
    around = {**({"name": name} if isinstance(name, str) and name else {}), **shared}
    for cells in zip_longest(*columns, fillvalue=_NO_CELL):
        filled = {title: cell for title, cell in zip(titles, cells, strict=True) if cell is not _NO_CELL}
        yield {**around, **filled}


def _frame_title(field: Mapping[str, object]) -> str:
    config, title = field.get("config"), str(field.get("name", ""))
    unit = config.get("unit") if isinstance(config, Mapping) else None
    scale = scale_of_text(unit) if isinstance(unit, str) else None
    return f"{title} ({scale.label})" if scale else title


def timed_values(members: Mapping[str, object]) -> Iterator[Row]:
    """Yield the rows of ``{"temperature": [{"ts": 1795428000000, "value": "4.5"}]}``, each with its temperature's key.

    Several temperatures are sensors.
    """
    lists = {key: member for key, member in members.items() if isinstance(member, list) and member}
    keys = [key for key, items in lists.items() if meaning_of(key).is_temperature and any(map(_is_timed_value, items))]
    for key in keys:
        sensor = {"sensor_id": key} if len(keys) > 1 else {}
        for item in lists[key]:
            if not _is_timed_value(item):
                yield {**sensor, key: item}  # to be rejected
                continue
            named = {name: member for name, member in item.items() if canonical(name) not in VALUE_NAMES}
            value = next(member for name, member in item.items() if canonical(name) in VALUE_NAMES)
            yield {**sensor, **named, key: value}


def _is_timed_value(item: object) -> bool:
    names = {canonical(name) for name in item} if isinstance(item, dict) else set()
    return len(names & set(VALUE_NAMES)) == 1 and bool(names & TIME_NAMES)


def flattened(members: Mapping[str, object]) -> Mapping[str, object]:
    """Return an object with a time and, in an object inside, the values or their scale, as one without that object."""
    if not any(canonical(key) in TIME_NAMES for key in members):
        return members
    inner = {key: member for key, member in members.items() if canonical(key) in _INNER and isinstance(member, dict)}
    flat: Row = {key: member for key, member in members.items() if key not in inner}
    for member in inner.values():
        flat |= {key: each for key, each in member.items() if key not in flat and _is_measured_or_scale(key)}
    return flat if len(flat) > len(members) - len(inner) else members


def _is_measured_or_scale(key: str) -> bool:
    name = canonical(key)
    return meaning_of(key).is_temperature or name in (*DEFAULT_NAMES["scale"], *VALUE_NAMES)


def with_time_around(value: object, names: Container[str], around: Row | None = None) -> object:
    """Return a value in which each object with a temperature has the time with one of these names around it."""
    if isinstance(value, list):
        return [with_time_around(item, names, around) for item in value]
    if not isinstance(value, dict):
        return value
    times = ((key, member) for key, member in value.items() if canonical(key) in names)
    own: Row = {key: member for key, member in times if isinstance(member, str | int | float)}
    time = own or around or {}
    inner = {key: with_time_around(member, names, time) for key, member in value.items()}
    plain = (key for key, member in value.items() if not isinstance(member, list | dict))
    return {**time, **inner} if any(meaning_of(key).is_temperature for key in plain) else inner


def with_first_identity(items: Sequence[object]) -> list[object]:
    """Return the states of an entity, of which Home Assistant names only the first."""
    first = items[0] if items else None
    if not isinstance(first, dict) or "entity_id" not in first:
        return list(items)
    shared = {key: first[key] for key in ("entity_id", "attributes") if key in first}
    return [{**shared, **item} if isinstance(item, dict) else item for item in items]


def is_senml(items: Sequence[object]) -> bool:
    """Return whether a list is a pack of SenML records."""
    records = [item for item in items if isinstance(item, dict)]
    return bool(records) and all(record.keys() <= _SENML_NAMES for record in records) and len(records) == len(items)


def senml_rows(records: Sequence[object]) -> Iterator[Row]:
    """Yield the numbers of a pack of SenML records with their names, times and units in full."""
    base: dict[str, object] = {}
    for record in records:
        if not isinstance(record, dict):
            continue
        base |= {key: member for key, member in record.items() if key.startswith("b")}
        unit = record.get("u", base.get("bu"))
        value = record.get("v", record.get("vs"))
        if value is None or ("v" not in record and not (isinstance(unit, str) and scale_of_text(unit))):
            continue
        name = f"{base.get('bn', '')}{record.get('n', '')}"
        row: Row = {"sensor_id": name, "timestamp": _sum(base.get("bt"), record.get("t"))}
        yield {**row, "value": _sum(base.get("bv"), value), **({} if unit is None else {"unit": unit})}


def _sum(base: object, value: object) -> object:
    """Return a number with what it is relative to; anything else as it is, to be rejected."""
    if isinstance(base, int | float) and isinstance(value, int | float):
        return base + value
    return base if value is None else value
