"""Find and parse the header of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass

from ingestion.parsing.body.decoded import ByteStream, to_utf8
from ingestion.parsing.fields.names import MissingColumn, match_columns
from ingestion.parsing.limits import MAX_COLUMNS, MAX_LINE_BYTES
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import scale_in_title

_DELIMITERS = ",;\t|"
_MAX_PREAMBLE_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvHeader:
    """A header line: its delimiter, number of columns, and the index of each field's column."""

    line: str
    line_number: int
    delimiter: str
    width: int
    columns: dict[str, int]

    @property
    def title_scale(self) -> str:
        """The letter of the scale in the temperature's title, "" for none."""
        title = split_line(self.line, self.delimiter)[self.columns["temperature"]]
        return scale_in_title(title) or ""


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line. Raise csv.Error if its quotes are invalid."""
    return next(csv.reader([line], delimiter=delimiter), [])


def find_header(stream: ByteStream, mapping: FieldMapping) -> CsvHeader | None:
    """Read up to and including the header line; return None if there are only blank lines.

    The header is the first line that is not blank or, with `skip_until_header`, the first with the required columns.
    Raise UnreadableBody (no_header), which names the missing column.
    """
    failure = ""
    for number, line in _lines(stream):
        if not line.strip() or line.lower().startswith("sep="):
            continue
        try:
            return parse_header(line, number, mapping)
        except MissingColumn as missing:
            failure = failure or f"{missing} in {quoted(line)}"
        if not mapping.skip_until_header:
            break
    if not failure:
        return None
    raise UnreadableBody(Reason.NO_HEADER, why=failure)


def parse_header(line: str, number: int, mapping: FieldMapping) -> CsvHeader:
    """Parse a line as a header. Raise MissingColumn if it is none with any delimiter."""
    candidates = mapping.delimiter or sorted(_DELIMITERS, key=line.count, reverse=True)
    failure: MissingColumn | None = None
    for delimiter in candidates:
        if line.count(delimiter) >= MAX_COLUMNS:
            failure = failure or MissingColumn(f"more than {MAX_COLUMNS} columns")
            continue
        try:
            titles = split_line(line, delimiter)
            columns = match_columns(titles, mapping)
        except MissingColumn as missing:
            failure = failure or missing
        except csv.Error:
            continue
        else:
            return CsvHeader(line=line, line_number=number, delimiter=delimiter, width=len(titles), columns=columns)
    raise failure or MissingColumn("no columns")


def _lines(stream: ByteStream) -> Iterator[tuple[int, str]]:
    for number in range(1, _MAX_PREAMBLE_LINES + 1):
        line = stream.readline(MAX_LINE_BYTES)
        if not line:
            return
        yield number, to_utf8(line.rstrip(b"\r\n")).decode()
