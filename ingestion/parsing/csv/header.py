"""Find and parse the header of a CSV file, with the lines around it that give scales."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingestion.parsing.body.decoded import ByteStream, to_utf8
from ingestion.parsing.csv.scale_lines import (
    device_entry,
    is_aggregation_line,
    is_units_line,
    scale_entry,
    scale_in_text,
    unclear_scale_entry,
    with_groups,
    with_units,
    zone_before,
)
from ingestion.parsing.fields.alone import ANY_TEMPERATURE, measured_by_values
from ingestion.parsing.fields.layout import Layout, MissingColumn, check_required, find_layout
from ingestion.parsing.fields.names import DEFAULT_NAMES
from ingestion.parsing.fields.titles import canonical, meaning_of
from ingestion.parsing.fields.zones import GivenZone
from ingestion.parsing.limits import MAX_COLUMNS, MAX_HEAD_BYTES, MAX_LINE_BYTES
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody
from ingestion.parsing.values.numbers import mark_behind_thousands
from ingestion.sources.mapping import FieldMapping
from readings.units.scales import Scale

_DELIMITERS = ",;\t|"
_MAX_PREAMBLE_LINES = 200
SAMPLE_ROWS = 50
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]{1,2}(?: ?[°A-Za-z].*)?")
_NUMBERED = re.compile(r"#?\d+")
_REPORT_LINE = re.compile(r"\s*[\w .()/-]{1,40}:(?:\s+\S.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvHeader:
    """A header: its line with the scales around it in the titles, its delimiter, and what the columns hold.

    `line_number` is that of the last line that belongs to the header. `scale` is that of an entry before it, `devices`
    are those that such entries name.
    """

    line: str
    line_number: int
    delimiter: str
    titles: tuple[str, ...]
    layout: Layout
    decimal_marks: str = "."
    scale: Scale | None = None
    skipped_lines: int = 0
    devices: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.titles)

    @property
    def scales(self) -> tuple[Scale | None, ...]:
        """The scale of each temperature column, as far as the header gives it."""
        return tuple(each.scale or self.scale for each in self.layout.temperatures)

    @property
    def marks_of_rows(self) -> str:
        """The decimal marks if the rows showed them, else ""."""
        return "" if self.decimal_marks == _any_marks(self.delimiter) else self.decimal_marks

    @property
    def measured_by_cells(self) -> str:
        """The positions of `measured_by_values`, each behind the delimiter; "" for none."""
        return "".join(f"{self.delimiter}{position}" for position in measured_by_values(self.layout))

    def with_scale(self, scale: Scale) -> CsvHeader:
        """Return this header for rows below a line that gives another scale."""
        temperatures = tuple(replace(each, scale=scale) for each in self.layout.temperatures)
        return replace(self, scale=scale, layout=replace(self.layout, temperatures=temperatures))

    def with_zone(self, zone: GivenZone | None) -> CsvHeader:
        """Return this header with the zone of its times, unless their title gives one."""
        return replace(self, layout=replace(self.layout, zone=self.layout.zone or zone))


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line. Raise csv.Error if its quotes are invalid."""
    return next(csv.reader([line], delimiter=delimiter), [])


def read_head(stream: ByteStream) -> list[str]:
    """Read the lines in which the header and a sample of rows are looked for."""
    lines: list[str] = []
    size_bytes = 0
    while len(lines) < _MAX_PREAMBLE_LINES + SAMPLE_ROWS and size_bytes < MAX_HEAD_BYTES:
        line = stream.readline(MAX_LINE_BYTES)
        if not line:
            break
        size_bytes += len(line)
        lines.append(to_utf8(line.strip(b"\0").rstrip(b"\r\n")).decode().strip("\0"))
    return lines


def find_header(
    lines: Sequence[str], mapping: FieldMapping, *, has_default_unit: bool = False, later_rows: Sequence[str] = ()
) -> CsvHeader | None:
    """Return the header among the first lines of a file; None if there are only blank lines.

    It is the first line with the required columns. `later_rows` show what the rows below it do not. Raise
    UnreadableBody (no_header), which names the missing column.
    """
    failure = ""
    skipped = 0
    for index, line in enumerate(lines[:_MAX_PREAMBLE_LINES]):
        if not line.strip() or line.lower().startswith("sep="):
            continue
        try:
            header = parse_header(lines, index, mapping, has_default_unit=has_default_unit, later_rows=later_rows)
        except MissingColumn as missing:
            failure = failure or f"{missing} in {quoted(line)}"
            skipped += 1
        else:
            devices = frozenset(filter(None, map(device_entry, lines[:index])))
            header = replace(header, skipped_lines=skipped, devices=devices).with_zone(zone_before(lines[:index]))
            return _with_scale_before(header, lines[:index])
    if not failure:
        return None
    if _is_text_report(lines):
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="a text report, not a table", why="")
    raise UnreadableBody(Reason.NO_HEADER, why=failure)


def parse_header(
    lines: Sequence[str],
    index: int,
    mapping: FieldMapping,
    *,
    has_default_unit: bool = False,
    first_number: int = 1,
    later_rows: Sequence[str] = (),
    delimiter: str = "",
) -> CsvHeader:
    """Parse a line as a header, with the lines of units around it. Raise MissingColumn if it is none.

    `delimiter` is that of the lines above, "" for that of the mapping or any of the usual ones.
    """
    line = lines[index]
    candidates = delimiter or mapping.delimiter or sorted(_DELIMITERS, key=line.count, reverse=True)
    failure: MissingColumn | None = None
    for candidate in candidates:
        if line.count(candidate) >= MAX_COLUMNS:
            failure = failure or MissingColumn(f"more than {MAX_COLUMNS} columns")
            continue
        try:
            return _parse(lines, index, candidate, mapping, has_default_unit, first_number, later_rows)
        except MissingColumn as missing:
            failure = failure or missing
        except csv.Error:
            continue
    raise failure or MissingColumn("no columns")


def _parse(
    lines: Sequence[str],
    index: int,
    delimiter: str,
    mapping: FieldMapping,
    has_default_unit: bool,
    first_number: int,
    later_rows: Sequence[str],
) -> CsvHeader:
    titles = split_line(lines[index], delimiter)
    if _is_without_header(titles, mapping):
        return _numbered(lines, index, delimiter, mapping, first_number)
    following = [_cells(line, delimiter) for line in lines[index + 1 : index + 1 + SAMPLE_ROWS]]
    above = [_cells(line, delimiter) for line in lines[max(index - 3, 0) : index]]
    if above and not mapping.temperature_field:
        titles = with_groups(titles, above[-1])
    count = 0
    if any(canonical(title) in DEFAULT_NAMES["scale"] for title in titles):
        pass  # the rows give their scales
    elif following and is_units_line(following[0], titles):
        titles = with_units(titles, following[0])
        count = 1
        while count < len(following) and is_aggregation_line(following[count]):
            count += 1
    elif not any(meaning_of(title).scale for title in titles):
        for cells in reversed(above):
            if len(cells) == len(titles):
                titles = with_units(titles, cells, is_above=True)
    later = [_cells(line, delimiter) for line in later_rows]
    sample = [cells for cells in (*following[count:], *later) if cells]
    layout = find_layout(titles, mapping, sample, has_default_unit=has_default_unit)
    check_required(layout, mapping)
    number = index + first_number + count
    return CsvHeader(
        line=_joined(titles, delimiter),
        line_number=number,
        delimiter=delimiter,
        titles=tuple(titles),
        layout=layout,
        decimal_marks=_decimal_marks(delimiter, sample, layout),
    )


def _decimal_marks(delimiter: str, sample: Sequence[Sequence[str]], layout: Layout) -> str:
    """Return the possible decimal marks: both, unless the numbers show which one is meant.

    Between commas, a decimal comma is within quotes.
    """
    positions = [each.position for each in layout.temperatures]
    cells = [cells[position] for cells in sample for position in positions if position < len(cells)]
    if delimiter == ",":
        return "," if any(_DECIMAL_COMMA.fullmatch(cell.strip()) for cell in cells) else _any_marks(delimiter)
    marks = {mark for cell in cells if (mark := mark_behind_thousands(cell))}
    return _any_marks(delimiter) if not marks else "," if "," in marks else "."


def _any_marks(delimiter: str) -> str:
    """Return the decimal marks of numbers that do not show which one is meant."""
    return "." if delimiter == "," else ".,"


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return split_line(line, delimiter)
    except csv.Error:
        return []


def _joined(titles: Sequence[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(titles)
    return text.getvalue()


def _is_without_header(titles: Sequence[str], mapping: FieldMapping) -> bool:
    """Return whether the mapping gives columns by number and this line holds values, not titles."""
    if titles[:1] == ["#1"] or not _NUMBERED.fullmatch(mapping.temperature_field):
        return False
    time = mapping.time_field
    if not (_NUMBERED.fullmatch(time) or time.startswith("=")):
        return False
    position = int(mapping.temperature_field.removeprefix("#")) - 1
    return 0 <= position < len(titles) and any(char.isdigit() for char in titles[position])


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
    return _joined([ANY_TEMPERATURE if n in positions else cell for n, cell in enumerate(cells)], delimiter)


def _numbered(lines: Sequence[str], index: int, delimiter: str, mapping: FieldMapping, first_number: int) -> CsvHeader:
    """Return the header of a file without one: its titles are the columns' numbers."""
    cells = _cells(lines[index], delimiter)
    titles = [f"#{number}" for number in range(1, len(cells) + 1)]
    layout = find_layout(titles, mapping, [cells])
    check_required(layout, mapping)
    return CsvHeader(
        line=_joined(titles, delimiter),
        line_number=index + first_number - 1,
        delimiter=delimiter,
        titles=tuple(titles),
        layout=layout,
    )


def _with_scale_before(header: CsvHeader, lines: Sequence[str]) -> CsvHeader:
    """Return the header with the scale that an entry before it gives, such as "Temperature unit: °F"."""
    entries = [scale for line in lines if (scale := scale_entry(line))]
    if not entries:
        is_missing = not header.layout.scales and any(each.scale is None for each in header.layout.temperatures)
        scale = scale_in_text(lines) if is_missing else None
        note = f"The scale {scale.label} was taken from the lines before the header." if scale else ""
        unclear = tuple(filter(None, map(unclear_scale_entry, lines))) if is_missing else ()
        return replace(header, scale=scale, notes=(*header.notes, note) if scale else (*header.notes, *unclear))
    scale = entries[-1]
    contradicting = [each.title for each in header.layout.temperatures if each.scale not in (None, scale)]
    if contradicting:
        note = f"The lines before the header give {scale.label}, but {quoted(contradicting[0])} gives another scale,"
        return replace(header, notes=(f"{note} which was used.",))
    return replace(header, scale=scale)


def _is_text_report(lines: Sequence[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    return len(filled) > 3 and sum(bool(_REPORT_LINE.fullmatch(line)) for line in filled) >= 0.8 * len(filled)
