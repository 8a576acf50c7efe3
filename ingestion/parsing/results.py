"""Results of parsing, the same for all formats: readings as columns, rejected rows, and the units in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from ingestion.parsing.fields.scale_reasons import ScaleOfColumn
from ingestion.parsing.rejection_reasons import Reason, file_message_for, message_for
from ingestion.parsing.row_groups import RowGroups, row_groups
from ingestion.parsing.values.timestamps import DayOrder

# row_number: the line of a CSV file or the position in a JSON list, from 1.
# facility_code: null if the source names none. sensor_code: "" if it names none.
# temperature_c: null if nothing was measured. scale: the letter of the scale that was sent.
# quality_score: 0 to 1, 1 by default. equipment_status: lower case, "normal" by default.
READING_SCHEMA: dict[str, pl.DataType] = {
    "row_number": pl.Int64(),
    "facility_code": pl.String(),
    "unit_code": pl.String(),
    "sensor_code": pl.String(),
    "recorded_at": pl.Datetime("us", "UTC"),
    "temperature_c": pl.Float64(),
    "scale": pl.String(),
    "quality_score": pl.Float64(),
    "equipment_status": pl.String(),
}

UnitKey = tuple[str | None, str]
_CONTEXT_PREFIX = "#: "
# The RowContext line of a whole message that is kept as a row.
WHOLE_MESSAGE = "[]"
NOT_REPLAYABLE = (
    "It is binary, in another encoding or too long, so its text was not kept as it was sent and cannot be replayed."
    " Send it again once the cause is fixed."
)
# The verbatim text of a row by its number.
RawRow = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class RejectedReading:
    """A rejected row: `raw` is its verbatim text, `message` explains the reason to a person."""

    row_number: int
    reason: Reason
    message: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDescription:
    """A source's description of a unit; None for what it does not contain.

    `set_temperature` is on the scale `temperature_unit` ("C", "F", "K"; None: not given, °C is assumed). `size_value`
    is in `size_unit`, as sent. `interval_seconds` is the time between readings.
    """

    facility_code: str | None
    unit_code: str
    unit_name: str | None = None
    facility_name: str | None = None
    city: str | None = None
    country: str | None = None
    set_temperature: float | None = None
    temperature_unit: str | None = None
    size_value: float | None = None
    size_unit: str | None = None
    interval_seconds: int | None = None


@dataclass(slots=True, kw_only=True)
class ParsedBatch:
    """A part of a delivery. `readings` has READING_SCHEMA's columns, in file order except for rows resolved late.

    `units` describes each unit of `readings` by the last non-null values in its rows. `raw_row` returns the verbatim
    text of a row of this batch; `row_context` is a RowContext as text, for parse_rejected_row. `is_cut_off` is set on
    the last batch of a body that ends early. `notes` for people, and why the `scales`, are on the last batch.
    `spans_of_units` has the times of the oldest and the newest reading of each unit in the whole body; None: those of
    this batch. `accepts_old_readings`: see FieldMapping.
    """

    readings: pl.DataFrame
    rejected: list[RejectedReading] = field(default_factory=list)
    units: dict[UnitKey, UnitDescription] = field(default_factory=dict)
    raw_row: RawRow
    row_context: str = ""
    is_cut_off: bool = False
    notes: list[str] = field(default_factory=list)
    scales: tuple[ScaleOfColumn, ...] = ()
    spans_of_units: pl.DataFrame | None = None
    accepts_old_readings: bool = False
    _groups: RowGroups | None = field(default=None, init=False, repr=False, compare=False)

    def groups(self) -> RowGroups:
        """Return the groups of `readings`, which are complete when this is called first."""
        if self._groups is None:
            self._groups = row_groups(self.readings)
        return self._groups

    @property
    def row_numbers(self) -> list[int]:
        """The numbers of the rows with readings, and of the rejected ones."""
        return [*self.readings["row_number"].to_list(), *(each.row_number for each in self.rejected)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowContext:
    """What is needed to parse a single row of a file again: the header line, and what only the whole file shows.

    `unit_title` and `sensor_title` as in `ingestion.parsing.fields.alone`; `marks` are the decimal marks. `waited` is
    "yes" if it was received at an unknown time after it was sent, so that its readings must have times of their own.
    `measured` are the columns or keys that only other rows show to be temperatures, as `CsvHeader` and `FieldExtractor`
    tell them.
    `is_lossy` is "yes" if the kept text is not all that was sent, so that it must not be read again.
    """

    line: str
    unit: str = ""
    day_order: DayOrder = DayOrder.UNDECIDED
    scale: str = ""
    date: str = ""
    time: str = ""
    scale_title: str = ""
    zone: str = ""
    unit_title: str = ""
    sensor_title: str = ""
    marks: str = ""
    waited: str = ""
    is_lossy: str = ""
    measured: str = ""

    def to_text(self) -> str:
        """Serialize to lines: what is known besides the header line, and that line."""
        order = "" if self.day_order is DayOrder.UNDECIDED else self.day_order.value
        items = {
            "unit": self.unit, "order": order, "scale": self.scale, "date": self.date, "time": self.time,
            "scale_title": self.scale_title, "zone": self.zone, "unit_title": self.unit_title,
            "sensor_title": self.sensor_title, "marks": self.marks, "waited": self.waited,
            "is_lossy": self.is_lossy, "measured": self.measured,
        }  # fmt: skip
        known = (f"{_CONTEXT_PREFIX}{name} {_on_one_line(text)}" for name, text in items.items() if text)
        return "\n".join([*known, self.line])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Deserialize the result of to_text."""
        *items, line = text.split("\n")
        named = [
            item.removeprefix(_CONTEXT_PREFIX).partition(" ") for item in items if item.startswith(_CONTEXT_PREFIX)
        ]
        known = {name: _from_one_line(text) for name, _, text in named}
        order = DayOrder(known.pop("order", DayOrder.UNDECIDED))
        names = (
            "unit", "scale", "date", "time", "scale_title", "zone", "unit_title", "sensor_title", "marks", "waited",
            "is_lossy", "measured",
        )  # fmt: skip
        return cls(line=line, day_order=order, **{name: known.get(name, "") for name in names})

    @property
    def shown(self) -> dict[str, str]:
        """The titles of the unit and the sensor that the row does not show alone, by field."""
        titles = {"unit": self.unit_title, "sensor": self.sensor_title}
        return {field: title for field, title in titles.items() if title}


def _on_one_line(text: str) -> str:
    """Return a text as it is, in JSON if it has several lines."""
    return json.dumps(text) if text.startswith('"') or "\n" in text else text


def _from_one_line(text: str) -> str:
    if text.startswith('"'):
        with suppress(ValueError):
            return str(json.loads(text))
    return text


class UnreadableBody(Exception):  # noqa: N818  (describes the body, as in "except UnreadableBody")
    """A body of which nothing can be used: the delivery fails with `reason` and `message`.

    `values` fill in the reason's own message; `why` is one of them. `file_message` is for who imports a file.
    """

    def __init__(self, reason: Reason, message: str = "", **values: object) -> None:
        self.reason = reason
        self.why = str(values.get("why", ""))
        self.message = message or message_for(reason, **values)
        self.file_message = message or file_message_for(reason, **values)
        super().__init__(self.message)


def empty_readings() -> pl.DataFrame:
    """Return an empty frame with READING_SCHEMA's columns."""
    return pl.DataFrame(schema=READING_SCHEMA)
