"""Leave out the rows by which data loggers record events ("Host Connected"), which hold no temperature."""

from __future__ import annotations

import polars as pl

from ingestion.parsing.csv.header import CsvHeader
from ingestion.parsing.csv.lines import SplitLines
from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.notes import Notes
from ingestion.parsing.values.rules import RowRejected

# In the canonical form. A fault of the sensor is no such event: its row is a reading without a measurement.
_EVENTS = frozenset(
    {
        "logged",
        "host_connected",
        "host_disconnected",
        "coupler_attached",
        "coupler_detached",
        "end_of_file",
        "started",
        "stopped",
        "start",
        "stop",
        "launched",
        "button_up",
        "button_down",
        "bookmark",
    }
)
_SINGULAR = "row without a temperature records an event of the logger and was left out"
_PLURAL = "rows without a temperature record events of the logger and were left out"


def drop_events(converted: pl.DataFrame, split: SplitLines, header: CsvHeader, notes: Notes) -> pl.DataFrame:
    """Return the converted rows without those of events, which are counted in the notes."""
    if not header.layout.unread or not converted["temperature_c"].has_nulls():
        return converted
    per_row = converted.group_by("row_number").agg(pl.col("temperature_c").is_null().all().alias("is_empty"))
    numbers = per_row.filter("is_empty")["row_number"].sort().to_list()
    unread = [index for index, title in enumerate(header.titles) if title in header.layout.unread]
    events = [number for number in numbers if _is_event(split, number, unread)]
    for number in events:
        notes.count(_SINGULAR, _PLURAL, split.block.text(number))
    return converted.filter(~pl.col("row_number").is_in(events)) if events else converted


def _is_event(split: SplitLines, number: int, unread: list[int]) -> bool:
    try:
        cells = split.splitter.split_cells(split.block.text(number))
    except RowRejected:
        return False
    return any(canonical(cells[index]) in _EVENTS for index in unread)
