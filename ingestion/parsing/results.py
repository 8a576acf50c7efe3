"""What parsing yields, whatever the shape was: readings as columns, what was rejected, and the units met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.timestamps import DayOrder

# row_number: CSV: the physical line, 1 being the file's first; JSON: the place in the list, from 1.
# facility_code: null where the source names none. sensor_code: "" where it names none.
# temperature_c: null where the sensor gave no measurement. scale: the letter of the scale it was sent in.
# quality_score: 0 to 1; 1 where it is not told. equipment_status: lower case; "normal" where it is not told.
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
# The verbatim text of a row by its number.
RawRow = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class RejectedReading:
    """A row that was not taken: `raw` is what was sent, verbatim, and `message` a sentence for a person."""

    row_number: int
    reason: Reason
    message: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDescription:
    """What a source says about a unit; None where it does not say.

    `set_temperature` is on the scale `temperature_unit` ("C", "F", "K"; None means that the source did not tell the
    scale, and °C is assumed). `size_value` is in `size_unit`, as sent. `interval_seconds`: time between readings.
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
    """A part of a delivery. `readings` has READING_SCHEMA's columns, in file order but for rows decided late.

    `units` holds each unit of `readings`; of what its rows say about it, the last that is not null.
    `raw_row` gives the verbatim text of a row of this batch; `row_context` is what parse_rejected_row needs beside it.
    `is_cut_off` is true once the body is known to end in the middle: on the last batch.
    """

    readings: pl.DataFrame
    rejected: list[RejectedReading] = field(default_factory=list)
    units: dict[UnitKey, UnitDescription] = field(default_factory=dict)
    raw_row: RawRow
    row_context: str = ""
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowContext:
    """What a row of a file needs beside itself to be read again: the header, and what only the whole file showed."""

    line: str
    unit: str = ""
    day_order: DayOrder = DayOrder.UNDECIDED

    def to_text(self) -> str:
        """The header line, after a line for each thing that the file showed."""
        notes = [f"unit {self.unit}"] if self.unit else []
        if self.day_order is not DayOrder.UNDECIDED:
            notes.append(f"order {self.day_order}")
        return "\n".join([*(_CONTEXT_PREFIX + note for note in notes), self.line])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The reverse of to_text."""
        *notes, line = text.split("\n")
        known = dict(
            note.removeprefix(_CONTEXT_PREFIX).split(" ", 1) for note in notes if note.startswith(_CONTEXT_PREFIX)
        )
        return cls(line=line, unit=known.get("unit", ""), day_order=DayOrder(known.get("order", DayOrder.UNDECIDED)))


class UnreadableBody(Exception):  # noqa: N818  (the name says what was met; callers read "except UnreadableBody")
    """A body of which nothing can be used: the whole delivery fails with `reason` and the sentence `message`."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def empty_readings() -> pl.DataFrame:
    """A frame with READING_SCHEMA's columns and no row."""
    return pl.DataFrame(schema=READING_SCHEMA)
