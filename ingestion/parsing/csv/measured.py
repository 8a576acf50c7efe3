"""Columns that only their cells show to be temperatures, as "4.5 °C": a row alone, with "ERR" there, does not."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from ingestion.parsing.csv.header import CsvHeader, joined, split_line
from ingestion.parsing.fields.titles import meaning_of

_ANY_TEMPERATURE = "0 °C"


def measured_by_cells(header: CsvHeader) -> str:
    """Return the positions of these columns, each behind the header's delimiter; "" for none."""
    columns = header.layout.temperatures
    shown = [each.position for each in columns if each.has_units and not meaning_of(each.title).is_temperature]
    return "".join(f"{header.delimiter}{position}" for position in shown)


def as_others_show(lines: Sequence[str], measured: str) -> list[str]:
    """Return the header and the row of a replay with a temperature in these columns, to find the layout by."""
    header, *rows = lines
    delimiter = measured[0]
    positions = [int(text) for text in measured[1:].split(delimiter)]
    return [header, *(_with_temperatures(row, delimiter, positions) for row in rows)]


def _with_temperatures(row: str, delimiter: str, positions: Sequence[int]) -> str:
    try:
        cells = split_line(row, delimiter)
    except csv.Error:
        return row
    return joined([_ANY_TEMPERATURE if n in positions else cell for n, cell in enumerate(cells)], delimiter)
