"""Extract the fields of a reading from JSON rows, by the same rules as from the columns of a table."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ingestion.parsing.fields.alone import (
    ANY_TEMPERATURE,
    measured_by_values,
    open_columns,
    shown_by_all,
    shown_by_others,
    with_shown,
)
from ingestion.parsing.fields.identity import (
    code_of,
    describes,
    holds_time,
    is_mark,
    may_name_device,
    several_devices,
)
from ingestion.parsing.fields.layout import Layout, TemperatureColumn, find_layout
from ingestion.parsing.fields.names import DEFAULT_NAMES, VALUE_NAMES, constant_fields, mapped_name
from ingestion.parsing.fields.scale_reasons import ScaleOfColumn, scales_of
from ingestion.parsing.fields.titles import Quantity, canonical, meaning_of, scale_of_path, scale_of_text
from ingestion.parsing.fields.zones import ZONE_NAMES, GivenZone, local_title_note, with_zone
from ingestion.parsing.limits import check_layouts
from ingestion.parsing.notes import names_listed
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody
from ingestion.parsing.values.numbers import is_like_number, unit_after_number
from ingestion.parsing.values.rules import RowRules, RowSkipped, rules_of_quantity, with_scale
from ingestion.sources.mapping import AS_UNITS, FieldMapping
from readings.units.scales import Scale


@dataclass(frozen=True, slots=True)
class JsonReading:
    """The raw fields of one reading, and the rules for them: those of all rows, or with the scale of its key."""

    fields: dict[str, object]
    rules: RowRules


class FieldExtractor:
    """Extract the fields of JSON rows. Dots in a mapped name lead into objects, numbers into lists.

    `sample` are some rows, whose values decide where names do not. `has_default_unit`: see find_layout.
    No note repeats that fields that are `noted` are not read. `shown`: see `ingestion.parsing.fields.alone`. `measured`
    are the keys of `measured_by_values`, in JSON.
    """

    def __init__(
        self,
        mapping: FieldMapping,
        sample: Sequence[object] = (),
        *,
        has_default_unit: bool = False,
        noted: Container[str] = (),
        shown: Mapping[str, str] | None = None,
        measured: str = "",
    ) -> None:
        # Of the zones of the times, "" if no row extracted so far has one.
        self.zone_key = self.local_note = ""
        self._notes: dict[str, None] = {}
        self._unread: dict[str, None] = {}
        self._mapping = mapping
        self._has_default_unit = has_default_unit
        self._noted = noted
        self._shown = shown or {}
        self._measured = frozenset(msgspec.json.decode(measured, type=list[str])) if measured else frozenset()
        self._constants = constant_fields(mapping)
        self._sample = [row for row in sample if isinstance(row, dict)]
        # With the positions of objects that describe a facility, unit or sensor, of which the code is read.
        self._layouts: dict[tuple[str, ...], tuple[Layout, list[int]]] = {}
        self._layout_names = 0
        self._open: dict[tuple[str, ...], set[str]] = {}
        self._passed_over: dict[str, object] = {}
        named = {field: mapped_name(mapping, field) for field in DEFAULT_NAMES}
        self._paths = {field: name for field, name in named.items() if "." in name and not name.startswith("=")}
        self._filter_field = mapping.filter_field

    def extract(self, row: object) -> dict[str, object]:
        """Return the raw values by field, with the first temperature; missing fields are absent."""
        if not isinstance(row, dict):
            return dict(self._constants)
        layout, values = self._layout_and_values(row)
        fields = self._common(row, layout, values)
        if layout.temperatures and "temperature" not in fields:
            _set_temperature(fields, values[layout.temperatures[0].position])
        return fields

    def scales(self, around: str) -> tuple[ScaleOfColumn, ...]:
        """Return why the rows extracted so far are on their scales; `around` is that of the object around them."""
        if not self._layouts:  # rows in the default layout are not extracted one by one
            return (ScaleOfColumn(sensor="", letter="", reason='given by "temperature_unit"'),)
        keys, (layout, _) = next(iter(self._layouts.items()))
        return scales_of(layout, self._mapping, keys, around=around)

    @property
    def notes(self) -> list[str]:
        """The notes on the rows extracted so far."""
        return [*self._notes, *([f"Fields that are not read: {names_listed(self._unread)}."] if self._unread else [])]

    @property
    def zone(self) -> GivenZone | None:
        """The zone in the key of the times extracted so far."""
        return next((layout.zone for layout, _ in self._layouts.values() if layout.zone), None)

    def note_unread_times(self) -> None:
        """Note what may be the time of a reading without one, which is taken to be as new as the response.

        A device that has stopped would seem to go on measuring.
        """
        for row in self._sample:
            layout, _ = self._layout_and_values(row)
            found = [] if "time" in layout.columns else [key for key, value in row.items() if holds_time(value)]
            if found:
                sentence = "No field was read as the time, so it is that of the response."
                self._notes[f"{sentence} {names_listed(found)} may be it: set the time field."] = None

    def shown_by_sample(self, *, has_default_unit: bool) -> dict[str, str]:
        """Return which keys the sample showed to tell units and sensors apart, as a row would not show alone."""
        for row in self._sample:
            self._layout_and_values(row)
        shown = [
            shown_by_others(layout, keys, self._mapping, has_default_unit=has_default_unit)
            for keys, (layout, _) in self._layouts.items()
        ]
        return shown_by_all({keys: layout for keys, (layout, _) in self._layouts.items()}, shown)

    @property
    def measured_by_values(self) -> str:
        """The keys that only the values of the rows so far show to be temperatures, in JSON; "" for none."""
        layouts = self._layouts.items()
        measured = {keys[position] for keys, (layout, _) in layouts for position in measured_by_values(layout)}
        return msgspec.json.encode(sorted(measured)).decode() if measured else ""

    @property
    def leaves_open(self) -> bool:
        """Return whether a later row may show that one of the keys so far holds temperatures."""
        return any(self._open.values())

    def shows_more(self, row: object) -> bool:
        """Return whether a row is the first with a number under a key that may be a temperature by its values."""
        if not isinstance(row, dict):
            return False
        keys = tuple(row)
        if keys not in self._open:
            layout = self._layout_and_values(row)[0]
            self._open[keys] = {keys[position] for position in open_columns(layout, keys, self._mapping)}
        found = {key for key in self._open[keys] if _is_like_number(row[key])}
        self._open[keys] -= found
        return bool(found)

    def gives_scale(self, row: object) -> bool:
        """Return whether the key of a row's temperature names its scale, or its cells have units."""
        if not isinstance(row, dict):
            return False
        columns = self._layout_and_values(row)[0].temperatures
        has_path_scale = scale_of_path(self._paths.get("temperature", "")) is not None
        return has_path_scale or any(each.scale or each.has_units for each in columns)

    def readings(self, row: Mapping[str, object], rules: RowRules) -> Iterator[JsonReading]:
        """Yield the readings of a row. Raise RowRejected or RowSkipped if it is none."""
        self._check_filter(row)
        layout, values = self._layout_and_values(row)
        common = self._common(row, layout, values)
        if "temperature" in common:
            yield JsonReading(common, with_scale(rules, scale_of_path(self._paths["temperature"]), self._mapping))
            return
        if layout.quantity is not None:
            rules = rules_of_quantity(str(values[layout.quantity]), rules, self._mapping)
        if not layout.temperatures:
            yield JsonReading(common, rules)
        for column in layout.temperatures:
            fields = dict(common)
            _set_temperature(fields, values[column.position])
            self._name_temperature(fields, column)
            yield JsonReading(fields, with_scale(rules, column.scale, self._mapping))

    def _layout_and_values(self, row: Mapping[str, object]) -> tuple[Layout, list[object]]:
        """Return a row's layout and its values, with codes in place of the objects that describe what they name."""
        keys = tuple(row)
        if keys not in self._layouts:
            self._layout_names += len(keys)
            check_layouts(len(self._layouts) + 1, self._layout_names)
            self._layouts[keys] = self._find_layout(keys, row)
        layout, described = self._layouts[keys]
        values = list(row.values())
        return layout, _with_codes(values, described) if described else values

    def _find_layout(self, keys: tuple[str, ...], row: Mapping[str, object]) -> tuple[Layout, list[int]]:
        alike: list[Mapping[str, object]] = [each for each in self._sample if tuple(each) == keys]
        alike = alike or [row]
        left = [(position, key) for position, key in enumerate(keys) if not self._is_mapped(key)]
        described = sorted({position for each in alike for position, key in left if describes(key, each[key])})
        sample = [_with_codes(self._as_others_show(each), described) for each in alike]
        mapping = with_shown(self._mapping, self._shown, keys) if self._shown else self._mapping
        layout = find_layout(keys, mapping, sample, has_default_unit=self._has_default_unit)
        self._notes |= dict.fromkeys(layout.notes)
        passed_over = frozenset(layout.unread)
        unread = [key for position, key in left if key in passed_over and self._is_noted(key, position, sample)]
        unread = [key for key in unread if not any(quoted(key) in note for note in layout.notes)]
        if layout.zone_column is not None and canonical(keys[layout.zone_column]) in ZONE_NAMES:
            self.zone_key = keys[layout.zone_column]
        if (time := layout.columns.get("time")) is not None and layout.zone is None:
            self.local_note = self.local_note or local_title_note(keys[time], self._mapping)
        self._unread |= dict.fromkeys(unread)
        return layout, described

    def _is_noted(self, key: str, position: int, sample: Sequence[Sequence[object]]) -> bool:
        """Return whether a note says that a key is not read, by its name or because it holds temperatures."""
        if key in self._noted:
            return False
        is_named = may_name_device(key) or is_mark(key) or canonical(key) in ZONE_NAMES
        return is_named or any(_holds_temperatures(row[position]) for row in sample)

    def _as_others_show(self, row: Mapping[str, object]) -> list[object]:
        """Return the values of a row, with a temperature at the keys that other rows show to hold one."""
        return [ANY_TEMPERATURE if key in self._measured else value for key, value in row.items()]

    def _is_mapped(self, key: str) -> bool:
        """Return whether a mapped path leads into a member."""
        return any(path.split(".")[0] == key for path in (*self._paths.values(), self._filter_field))

    def _common(self, row: Mapping[str, object], layout: Layout, values: Sequence[object]) -> dict[str, object]:
        """Return the fields that all temperatures of a row share, and a temperature at a mapped path."""
        fields: dict[str, object] = dict(self._constants)
        for field, position in layout.columns.items():
            fields[field] = values[position]
        if layout.date is not None:
            fields["time"] = f"{values[layout.date]} {fields.get('time', '')}"
        zone = "" if layout.zone_column is None else values[layout.zone_column]
        if isinstance(zone, str | int) and zone != "":
            fields["time"] = with_zone(str(fields.get("time", "")), str(zone))
        if layout.scales:
            fields["scale"] = _one_scale([values[position] for position in layout.scales])
        self._check_constants(layout, row, values)
        for field, path in self._paths.items():
            found, value = at_path(row, path)
            if found and field == "temperature":
                _set_temperature(fields, value)
            elif found:
                fields[field] = value
        return fields

    def _check_constants(self, layout: Layout, row: Mapping[str, object], values: Sequence[object]) -> None:
        """Raise UnreadableBody if a row differs in a field that was the same in all rows before, such as a serial.

        That is only noted if a person named the unit.
        """
        if not layout.constant or not self._sample or self._paths.keys() & {"unit", "sensor"}:
            return
        keys = list(row)
        for position in layout.constant:
            value = values[position]
            if value not in (None, "") and value != self._passed_over.setdefault(keys[position], value):
                changed = several_devices(keys[position], "a later row")
                if not self._has_default_unit:
                    raise UnreadableBody(Reason.UNSUPPORTED_FILE, changed)
                self._notes[changed] = None

    def _check_filter(self, row: Mapping[str, object]) -> None:
        name = self._filter_field
        if not name:
            return
        found, value = at_path(row, name)
        if not found or str(value).strip().casefold() not in self._mapping.filter_values:
            raise RowSkipped("row was left out by the row filter", "rows were left out by the row filter", str(value))

    def _name_temperature(self, fields: dict[str, object], column: TemperatureColumn) -> None:
        """Set the sensor, or the unit, of one of several temperatures."""
        if not column.sensor:
            return
        if self._mapping.several_temperatures == AS_UNITS:
            fields["unit"] = column.sensor
        else:
            sensor = fields.get("sensor")
            fields["sensor"] = f"{sensor} {column.sensor}" if sensor not in (None, "") else column.sensor


def _holds_temperatures(value: object, depth: int = 3) -> bool:
    """Return whether a value is a temperature by its unit, or has temperatures in the objects and lists inside."""
    if isinstance(value, str):
        return isinstance(unit_after_number(value), Scale)
    if isinstance(value, list):
        return depth > 0 and any(isinstance(each, dict) and _holds_temperatures(each, depth - 1) for each in value)
    if not isinstance(value, dict) or not depth:
        return False
    named = (meaning_of(key) for key, each in value.items() if not isinstance(each, dict | list))
    is_named = any(each.is_temperature and each.quantity is not Quantity.AGGREGATE for each in named)
    inner = (each for each in value.values() if isinstance(each, dict | list))
    return is_named or any(_holds_temperatures(each, depth - 1) for each in inner)


def _is_like_number(value: object) -> bool:
    return is_like_number(value) if isinstance(value, str) else isinstance(value, int | float)


def _with_codes(values: list[object], described: Sequence[int]) -> list[object]:
    for position in described:
        if isinstance(values[position], Mapping):
            values[position] = code_of(values[position])
    return values


def at_path(row: Mapping[str, object], path: str) -> tuple[bool, object]:
    """Return whether something is at a path, and what; a key of the row itself may contain dots."""
    keys = path.split(".")
    for count in range(len(keys), 0, -1):
        name = ".".join(keys[:count])
        if name in row:
            return _inside(row[name], keys[count:])
    return False, None


def _inside(value: object, keys: Sequence[str]) -> tuple[bool, object]:
    for key in keys:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isascii() and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False, None
    return True, value


def _one_scale(values: Sequence[object]) -> object:
    """Return the scale that several fields of a row agree on; contradicting ones are joined, which is no scale."""
    filled = [value for value in values if value not in (None, "")]
    if len(filled) < 2:
        return filled[0] if filled else values[0]
    scales = {scale_of_text(value) if isinstance(value, str) else None for value in filled}
    return filled[0] if len(scales) == 1 else " / ".join(map(str, filled))


def _set_temperature(fields: dict[str, object], value: object) -> None:
    """Set the temperature, and the scale that is given with it: ``{"value": 41.0, "unit": "F"}``."""
    if not isinstance(value, Mapping):
        fields["temperature"] = value
        return
    number = next((value[key] for key in value if key.startswith("$number") or canonical(key) in VALUE_NAMES), value)
    fields["temperature"] = number
    scales = [value[key] for key in value if canonical(key) in DEFAULT_NAMES["scale"]]
    if scales:
        fields["scale"] = _one_scale([*scales, *([fields["scale"]] if "scale" in fields else [])])
