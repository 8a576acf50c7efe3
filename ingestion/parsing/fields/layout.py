"""Find out which column or key holds what: by the mapping, by names and titles, and by a sample of the values.

The same rules apply to the header of a table, to the keys of a JSON row and to a push.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestion.parsing.fields import identity
from ingestion.parsing.fields.names import (
    AMBIGUOUS_UNIT_NAMES,
    CLOCK_NAMES,
    DATE_NAMES,
    DEFAULT_NAMES,
    FURTHER_TIME_NAMES,
    PART_NAMES,
    QUANTITY_NAMES,
    REQUIRED_IF_MAPPED,
    SENSOR_LIKE_NAMES,
    TIME_PREFIXES,
    UNCERTAIN_NAMES,
    UNIT_IF_NONE_NAMES,
    UNIT_LIKE_NAMES,
    VALUE_NAMES,
    mapped_name,
)
from ingestion.parsing.fields.titles import (
    Quantity,
    TitleMeaning,
    canonical,
    is_unit_of_other_quantity,
    meaning_of,
    scale_of_text,
    why_not_degrees,
)
from ingestion.parsing.fields.zones import GivenZone, ZoneColumn, without_zone, zone_column, zone_in
from ingestion.parsing.notes import names_listed
from ingestion.parsing.rejection_reasons import quoted
from ingestion.parsing.values.numbers import show_temperatures, unit_after_number
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import Scale

_HAS_OFFSET = re.compile(r".*[Zz]|.*\d[+-]\d\d:?\d\d|\d+(?:\.\d+)?|.*\b(?:UTC|GMT)")
_CLOCK = re.compile(r"\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[.,]\d+)?(?:\s*[ap]\.?\s?m\.?)?", re.I)
Sample = Sequence[Sequence[object]]


class MissingColumn(Exception):  # noqa: N818  (not an error: a later line may be the header)
    """A line is not a header for the mapping; the message names the missing column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureColumn:
    """A column with temperatures. `sensor` tells several apart, "" if there is only one.

    `has_units`: its cells have units behind the numbers.
    """

    position: int
    title: str
    sensor: str = ""
    scale: Scale | None = None
    has_units: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each field is: positions by field in `columns`, except temperatures, scales, and a separate date or zone.

    `zone` is that of the time's title. `unread` are the titles of columns that hold nothing known. `constant` are
    columns that would tell devices apart, which nothing else does, if the rows differed in them.
    """

    columns: dict[str, int]
    temperatures: tuple[TemperatureColumn, ...]
    scales: tuple[int, ...] = ()
    date: int | None = None
    zone_column: int | None = None
    quantity: int | None = None
    zone: GivenZone | None = None
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    constant: tuple[int, ...] = ()


def find_layout(
    titles: Sequence[str], mapping: FieldMapping, sample: Sample = (), *, has_default_unit: bool = False
) -> Layout:
    """Return the layout of rows with these titles or keys; fields that none of them holds are absent.

    `sample` are some rows of values. `has_default_unit`: a person named the unit of rows without one.
    """
    return _Matcher(titles, mapping, sample, has_default_unit=has_default_unit).layout()


def check_required(layout: Layout, mapping: FieldMapping) -> None:
    """Raise MissingColumn if a column is missing without which the rows of a table have no meaning."""
    present = layout.columns.keys() | ({"temperature"} if layout.temperatures else set())
    present |= ({"scale"} if layout.scales else set()) | ({"date"} if layout.date is not None else set())
    for field in [*DEFAULT_NAMES, "date"]:
        name = mapped_name(mapping, field)
        is_required = field in ("time", "temperature") or (name and field in REQUIRED_IF_MAPPED)
        if is_required and field not in present and not name.startswith("="):
            raise MissingColumn(
                f"no column {name!r}" if name else f"no column for the {field}{_why_none(layout, field)}"
            )


def _why_none(layout: Layout, field: str) -> str:
    reasons = [(title, why) for title in layout.unread if field == "temperature" and (why := why_not_degrees(title))]
    return f", as {quoted(reasons[0][0])} {reasons[0][1]} (set it, and the factor)" if reasons else ""


class _Matcher:
    """Assigns the columns step by step; a column assigned once is not assigned again."""

    def __init__(self, titles: Sequence[str], mapping: FieldMapping, sample: Sample, *, has_default_unit: bool) -> None:
        self._titles = titles
        self._mapping = mapping
        self._sample = sample
        self._has_default_unit = has_default_unit
        self._exact = identity.first_positions(identity.normal_title(title) for title in titles)
        self._canonical = identity.first_positions(canonical(title) for title in titles)
        self._meanings: dict[int, TitleMeaning] = {}
        self._columns: dict[str, int] = {}
        self._taken: set[int] = set()
        self._notes: list[str] = []
        self._constant: tuple[int, ...] = ()

    def layout(self) -> Layout:
        self._match_named()
        scales = self._scales()
        quantity = self._like(QUANTITY_NAMES) if "temperature" not in self._canonical else None
        is_measured = bool(scales) or quantity is not None or bool(self._mapping.row_filter)
        temperatures = self._temperatures(takes_values=is_measured)
        if not any(canonical(each.title) in VALUE_NAMES for each in temperatures):
            quantity = None
        elif quantity is None and not self._mapping.row_filter:
            quantity, is_sensor = identity.naming_quantities(self._left())
            if quantity is not None and is_sensor and not mapped_name(self._mapping, "sensor"):
                self._columns.setdefault("sensor", quantity)
        self._taken |= {each.position for each in temperatures} | ({quantity} if quantity is not None else set())
        date, zone = self._time()
        zones = ZoneColumn() if zone else self._zone_column(self._columns.get("time"))
        self._identify([each for each in (date, quantity, *scales) if each is not None], temperatures)
        self._tell_duplicates()
        return Layout(
            columns=self._columns,
            temperatures=temperatures,
            scales=scales,
            date=date,
            zone_column=zones.position,
            quantity=quantity,
            zone=zone or zones.unclear,
            unread=tuple(t for i, t in enumerate(self._titles) if i not in self._taken and t.strip()),
            notes=tuple(self._notes),
            constant=self._constant,
        )

    def _match_named(self) -> None:
        """Match the fields that the mapping names, and those with their own names, except time and temperature."""
        for field in DEFAULT_NAMES:
            name = mapped_name(self._mapping, field)
            if field in ("scale", "temperature") or name.startswith("="):
                continue
            position = self._named(name) if name else self._like(DEFAULT_NAMES[field], shared=field == "unit_name")
            if position is not None:
                self._columns[field] = position
                self._taken.add(position)

    def _named(self, name: str) -> int | None:
        """Return the position of the column with this name, or with this number ("#2")."""
        if (position := self._exact.get(identity.normal_title(name))) is not None:
            return position
        if (position := self._canonical.get(canonical(name))) is not None and not name.startswith("#"):
            return position
        number = name.removeprefix("#")
        is_numbered = number.isascii() and number.isdigit() and (name != number or "#1" in self._exact)
        return int(number) - 1 if is_numbered and 1 <= int(number) <= len(self._titles) else None

    def _like(self, names: Iterable[str], *, shared: bool = False) -> int | None:
        """Return the first column with one of these names that is not assigned yet, or `shared`."""
        found = (self._canonical[name] for name in names if name in self._canonical)
        return next((position for position in found if shared or position not in self._taken), None)

    def _scales(self) -> tuple[int, ...]:
        name = mapped_name(self._mapping, "scale")
        if name.startswith("="):
            return ()
        if name:
            position = self._named(name)
            found = [] if position is None else [position]
        else:
            names = (each for each in DEFAULT_NAMES["scale"] if each in self._canonical)
            found = [self._canonical[each] for each in names if self._canonical[each] not in self._taken]
            found = [position for position in found if self._is_scale(position)]
        self._taken |= set(found)
        return tuple(found)

    def _is_scale(self, position: int) -> bool:
        """Return whether a column called like a scale is one; one called "unit" may hold the storage unit."""
        if canonical(self._titles[position]) not in AMBIGUOUS_UNIT_NAMES:
            return True
        values = self._values(position)
        if not values or any(scale_of_text(text) or is_unit_of_other_quantity(text) for text in values):
            return True
        if "unit" in self._columns or mapped_name(self._mapping, "unit") or not all(map(identity.may_be_code, values)):
            return True
        self._columns["unit"] = position
        self._taken.add(position)
        self._notes.append(f"{quoted(self._titles[position])} was read as the storage unit.")
        return False

    def _temperatures(self, *, takes_values: bool) -> tuple[TemperatureColumn, ...]:
        if name := mapped_name(self._mapping, "temperature"):
            position = self._named(name)
            if position is not None and self._mapping.factor == 1 and (why := why_not_degrees(self._titles[position])):
                self._notes.append(f"{quoted(self._titles[position])} {why}. Set the factor.")
            return () if position is None else (self._temperature(position),)
        positions = [p for p in range(len(self._titles)) if p not in self._taken and self._is_temperature(p)]
        plain = [p for p in positions if self._meaning(p).quantity is not Quantity.AGGREGATE]
        positions = plain or positions
        if not positions and takes_values and (position := self._like(VALUE_NAMES)) is not None:
            positions = [position]
        if len(positions) < 2:
            return tuple(self._temperature(position) for position in positions)
        names = [identity.sensor_name(self._titles[position]) for position in positions]
        if len(set(names)) < len(names) or not all(names):
            names = [
                self._titles[position].strip()[: identity.SENSOR_LIMIT] or f"#{position + 1}" for position in positions
            ]
        if len(set(names)) < len(names):
            names = [f"{name} #{position + 1}" for name, position in zip(names, positions, strict=True)]
        self._notes.append(
            f"Several temperature columns were read as sensors: {names_listed(self._titles[p] for p in positions)}."
            " To read only one, set the temperature field."
        )
        return tuple(self._temperature(p, sensor=name) for p, name in zip(positions, names, strict=True))

    def _temperature(self, position: int, sensor: str = "") -> TemperatureColumn:
        return TemperatureColumn(
            position=position,
            title=self._titles[position],
            sensor=sensor,
            scale=self._meaning(position).scale,
            has_units=any(isinstance(unit_after_number(text), Scale) for text in self._values(position)),
        )

    def _is_temperature(self, position: int) -> bool:
        meaning = self._meaning(position)
        if meaning.is_temperature:
            return True
        if meaning.quantity is not Quantity.UNKNOWN:
            return False
        return show_temperatures(self._values(position), self._mapping.null_values)

    def _meaning(self, position: int) -> TitleMeaning:
        if position not in self._meanings:
            self._meanings[position] = meaning_of(self._titles[position])
        return self._meanings[position]

    def _time(self) -> tuple[int | None, GivenZone | None]:
        """Complete the time's column; return that of a separate date, and the zone in the time's title."""
        name = mapped_name(self._mapping, "time")
        if not name and "time" not in self._columns:
            self._find_time()
        position = self._columns.get("time")
        if position is None:
            return None, None
        date = self._date(position)
        if date is not None:
            self._taken.add(date)
        self._taken.add(self._columns["time"])
        return date, zone_in(self._titles[position])

    def _zone_column(self, time: int | None) -> ZoneColumn:
        """Find the column with the zones of times that have no offsets."""
        if time is None or all(map(_HAS_OFFSET.fullmatch, self._values(time))):
            return ZoneColumn()
        found = zone_column(self._left(), self._mapping)
        self._taken |= set() if found.position is None else {found.position}
        self._notes += [found.note] if found.note else []
        return found

    def _find_time(self) -> None:
        """Find a time by its less certain names, and by names with a zone or a serial number behind them."""
        by_name = {
            canonical(re.sub(r"[(\[].*", "", without_zone(title))): position
            for position, title in reversed(list(enumerate(self._titles)))
        }
        names = [*DEFAULT_NAMES["time"], *FURTHER_TIME_NAMES]
        found = [by_name[name] for name in names if name in by_name]
        prefixed = [p for name, p in self._canonical.items() if name.startswith(TIME_PREFIXES)]
        position = next((each for each in [*found, *prefixed] if each not in self._taken), None)
        if position is not None:
            self._columns["time"] = position

    def _date(self, time: int) -> int | None:
        """Return the column of the date if times hold only the time of day."""
        if name := self._mapping.date_field:
            return self._named(name)
        if canonical(self._titles[time]) in DATE_NAMES:
            clock = self._like(CLOCK_NAMES)
            if clock is not None and self._holds_only_clock(clock) and not self._mapping.time_format:
                self._columns["time"] = clock
                return time
            return None
        if not self._holds_only_clock(time):
            return None
        return self._like(DATE_NAMES)

    def _holds_only_clock(self, position: int) -> bool:
        values = self._values(position)
        return bool(values) and all(_CLOCK.fullmatch(text.strip()) for text in values)

    def _identify(self, further: Sequence[int], temperatures: Sequence[TemperatureColumn]) -> None:
        """Take columns of devices and probes, so that readings stay apart, as `further` columns keep them."""
        if "unit" not in self._columns and not mapped_name(self._mapping, "unit") and not self._has_default_unit:
            self._take_like("unit", "storage unit", UNIT_LIKE_NAMES)
            names = [name for name in UNIT_IF_NONE_NAMES if self._identifies(self._canonical.get(name))]
            self._take_like("unit", "storage unit", names)
        if "sensor" not in self._columns and not mapped_name(self._mapping, "sensor"):
            self._take_like("sensor", "sensor", (*SENSOR_LIKE_NAMES, *UNIT_LIKE_NAMES))
        is_told_apart = any(field in self._columns or mapped_name(self._mapping, field) for field in ("unit", "sensor"))
        if not is_told_apart:
            self._take_uncertain()
        is_open = not mapped_name(self._mapping, "sensor") and not self._mapping.row_filter
        if "sensor" not in self._columns and is_open:
            key = [*further, *(self._columns[each] for each in ("facility", "unit", "time") if each in self._columns)]
            left = [position for position in range(len(self._titles)) if position not in self._taken]
            telling = identity.telling_column(self._sample, key, [each.position for each in temperatures], left)
            self._take_like("sensor", "sensor", () if telling is None else (canonical(self._titles[telling]),))
        left = [p for p, title in enumerate(self._titles) if p not in self._taken and identity.may_identify(title)]
        varied = [p for p in left if identity.tells_rows_apart(self._titles[p], self._values(p))]
        if varied:
            self._notes.append(
                f"Not used, although the rows differ in it: {names_listed(self._titles[p] for p in varied)}."
                " Set the unit field or the sensor field if it tells units or sensors apart."
            )
        if not is_told_apart and not self._columns.keys() & {"unit", "sensor"}:
            self._constant = tuple(p for p in left if len(set(self._values(p))) == 1)

    def _take_uncertain(self) -> None:
        """Take a column that may be anything, such as "id", if its values are those of devices or of their parts."""
        time = self._columns.get("time")
        times = self._values(time) if time is not None else []
        for position, title in enumerate(self._titles):
            name, values = canonical(title), self._values(position)
            if position in self._taken or name not in UNCERTAIN_NAMES or len(values) < len(self._sample):
                continue
            if identity.tells_rows_apart(title, values) and identity.are_devices(values, times):
                is_unit = name not in PART_NAMES and not self._has_default_unit
                field, label = ("unit", "storage unit") if is_unit else ("sensor", "sensor")
                self._take_like(field, label, (name,))
                return

    def _take_like(self, field: str, label: str, names: Sequence[str]) -> None:
        position = None if field in self._columns else self._like(names)
        if position is None or not (values := self._values(position)):
            return
        # An object in JSON describes a device, it is not its code.
        if not self._holds_objects(position) and not identity.numbers_rows(self._titles[position], values):
            self._columns[field] = position
            self._taken.add(position)
            self._notes.append(f"{quoted(self._titles[position])} was read as the {label}.")

    def _identifies(self, position: int | None) -> bool:
        """Return whether all rows have a value in a column, and not all the same."""
        if position is None or not identity.tells_rows_apart(self._titles[position], self._values(position)):
            return False
        return len(self._values(position)) == len(self._sample)

    def _tell_duplicates(self) -> None:
        used = {identity.normal_title(self._titles[position]) for position in self._taken}
        left = (title for title, _values in self._left().values())
        repeated = [title for title in left if title.strip() and identity.normal_title(title) in used]
        if repeated:
            self._notes.append(f"Of columns with the same title the first was read: {names_listed(repeated)}.")

    def _holds_objects(self, position: int) -> bool:
        return any(isinstance(row[position], dict | list) for row in self._sample if position < len(row))

    def _left(self) -> dict[int, tuple[str, list[str]]]:
        """Return the titles and values of the columns that are not assigned yet."""
        return {p: (title, self._values(p)) for p, title in enumerate(self._titles) if p not in self._taken}

    def _values(self, position: int) -> list[str]:
        """Return the sample's values of a column as texts, without empty ones, and without objects and lists."""
        found = (row[position] for row in self._sample if position < len(row))
        cells = (cell for cell in found if not isinstance(cell, dict | list))
        return [text for cell in cells if (text := "" if cell is None else str(cell).strip())]
