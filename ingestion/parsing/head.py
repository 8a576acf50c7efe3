"""Read the head of a body as a table: its columns with samples, and what each is read as.

For people who choose columns, also of a body in which no header was recognised. The rows themselves are parsed by
`ingestion.parsing.parse`, by the same layout.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO

from ingestion.parsing.body.decoded import DEFAULT_MAX_BYTES, DecodedBody
from ingestion.parsing.csv.header import find_header, read_head, split_line
from ingestion.parsing.fields.layout import Layout, find_layout
from ingestion.parsing.fields.names import ROW_LISTS
from ingestion.parsing.json.scan import scan_body, walker_of
from ingestion.parsing.json.walker import InvalidJson, JsonWalker
from ingestion.parsing.parse import BodyFormat, open_body
from ingestion.parsing.results import UnreadableBody
from ingestion.parsing.values.rules import ParseOptions
from ingestion.sources.mapping import FieldMapping

SAMPLE_ROWS = 6
_MAX_COLUMNS = 60
_MAX_CELL_CHARACTERS = 60
_DELIMITERS = ",;\t|"
_GUESSED_LINES = 60
_MAX_DEPTH = 4
_NUMBER = re.compile(r"#\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadColumn:
    """A column of a table, or a member of JSON rows: `name` as a mapping names it, `field` what it is read as."""

    name: str
    field: str = ""
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyHead:
    """The head of a body. `header` identifies its layout; `is_understood`: time and temperatures were found.

    `rows_path` leads to the list of the rows if the mapping has to name it.
    """

    columns: tuple[HeadColumn, ...] = ()
    header: str = ""
    rows_path: str = ""
    is_json: bool = False
    is_understood: bool = False

    @property
    def ignored(self) -> list[str]:
        """The names of the columns that are not read."""
        named = [column for column in self.columns if not _NUMBER.fullmatch(column.name)]
        return [column.name for column in named if not column.field] if self.is_understood else []

    @property
    def sample_rows(self) -> list[list[str]]:
        """Cells of the first rows, as many per row as there are columns."""
        count = max((len(column.samples) for column in self.columns), default=0)
        return [[(*column.samples, *[""] * count)[row] for column in self.columns] for row in range(count)]


def head_of(
    body: IO[bytes],
    mapping: FieldMapping,
    *,
    content_type: str = "",
    file_name: str = "",
    max_bytes: int = DEFAULT_MAX_BYTES,
    has_default_unit: bool = False,
) -> BodyHead:
    """Return the head of a body; one without columns if nothing in it looks like a table."""
    try:
        opened = open_body(body, mapping, content_type=content_type, file_name=file_name, max_bytes=max_bytes)
        if opened.format is BodyFormat.CSV:
            return _head_of_csv(opened.body, mapping, has_default_unit=has_default_unit)
        options = ParseOptions(
            mapping=mapping,
            received_at=datetime.now(UTC),
            max_bytes=max_bytes,
            is_json_lines=opened.format is BodyFormat.JSON_LINES,
            is_unit_named=has_default_unit,
        )
        return _head_of_json(opened.body, options)
    except UnreadableBody:
        return BodyHead()


def _head_of_csv(body: DecodedBody, mapping: FieldMapping, *, has_default_unit: bool) -> BodyHead:
    lines = read_head(body.open())
    with suppress(UnreadableBody):
        header = find_header(lines, mapping, has_default_unit=has_default_unit)
        if header is not None:
            rows = list(_cells(lines[header.line_number :], header.delimiter, header.width))
            return BodyHead(
                columns=_columns(header.titles, header.layout, rows),
                header=header.line,
                is_understood=True,
            )
    return _guessed_table(lines, mapping)


def _guessed_table(lines: Sequence[str], mapping: FieldMapping) -> BodyHead:
    """Return what looks like a table in lines without a known header: the most frequent number of cells."""
    filled = [line for line in lines[:_GUESSED_LINES] if line.strip() and not line.lower().startswith("sep=")]
    best: tuple[int, str, int] = (0, "", 0)
    for delimiter in mapping.delimiter or _DELIMITERS:
        counts = Counter(line.count(delimiter) + 1 for line in filled)
        width, count = max(counts.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(0, 0))
        if width > 1 and (count, width) > (best[0], best[2]):
            best = (count, delimiter, width)
    _, delimiter, width = best
    rows = list(_cells(filled, delimiter, width)) if delimiter else []
    if not rows:
        return BodyHead()
    has_titles = not any(cell[:1].isdigit() or cell[:1] in "+-" for cell in rows[0] if cell)
    titles = rows[0] if has_titles else [f"#{number}" for number in range(1, width + 1)]
    named = [title or f"#{number}" for number, title in enumerate(titles, 1)]
    layout = find_layout(named, mapping, rows[1:])
    samples = rows[1:] if has_titles else rows
    return BodyHead(columns=_columns(named, layout, samples), header=delimiter.join(named))


def _cells(lines: Sequence[str], delimiter: str, width: int) -> Iterator[list[str]]:
    """Yield the cells of lines with (nearly) this number of cells."""
    for line in lines:
        with suppress(csv.Error):
            cells = [cell.strip() for cell in split_line(line, delimiter)]
            if any(cells) and len(cells) > 1 and abs(len(cells) - width) <= 1:
                yield cells


def _head_of_json(body: DecodedBody, options: ParseOptions) -> BodyHead:
    mapping = options.mapping
    rows: list[Mapping[str, object]] = []
    is_understood = False
    with suppress(UnreadableBody):
        scan = scan_body(body, options)
        rows = [row for row in scan.sample if isinstance(row, dict)]
        is_understood = bool(rows)
    rows_path = ""
    if not rows:
        rows, rows_path = _any_rows(body, options)
    if not rows:
        return BodyHead(is_json=True)
    flat = [dict(_members(row)) for row in rows[:SAMPLE_ROWS]]
    names = list(dict.fromkeys(name for row in flat for name in row))[:_MAX_COLUMNS]
    cells = [[_text(row.get(name, "")) for name in names] for row in flat]
    keys = tuple(rows[0])
    layout = find_layout(keys, mapping, [list(row.values()) for row in rows if tuple(row) == keys])
    by_key = {column.name: column.field for column in _columns(keys, layout, [])}
    by_path = {
        getattr(mapping, f"{field}_field"): field
        for field in ("facility", "unit", "unit_name", "sensor", "time", "temperature", "scale", "quality", "status")
    }
    fields = [by_path.get(name) or by_key.get(name, "") for name in names]
    columns = tuple(
        HeadColumn(name=name, field=field, samples=tuple(row[position] for row in cells))
        for position, (name, field) in enumerate(zip(names, fields, strict=True))
    )
    has_all = "temperature" in fields and ("time" in fields or len(rows) == 1 or bool(mapping.time_field))
    return BodyHead(
        columns=columns,
        header=",".join(names),
        rows_path=rows_path,
        is_json=True,
        is_understood=is_understood and has_all,
    )


def _any_rows(body: DecodedBody, options: ParseOptions) -> tuple[list[Mapping[str, object]], str]:
    """Return the first objects of a JSON body whose rows were not recognised, and the path of their list."""
    walker: JsonWalker[object] = JsonWalker(
        body.open(),
        path=options.mapping.readings_path,
        list_names=ROW_LISTS,
        is_row=lambda members: False,
        is_lines=options.is_json_lines,
    )
    with suppress(InvalidJson, UnreadableBody):
        found = [item.value for item in islice(walker.items(), SAMPLE_ROWS) if isinstance(item.value, dict)]
        if found and not all(isinstance(member, list | dict) for member in found[0].values()):
            return list(found), ""
    value: object = None
    with suppress(InvalidJson, UnreadableBody):
        value = walker_of(body, options).whole()
    if isinstance(value, dict):
        for path, rows in _lists_of_objects(value):
            return rows[:SAMPLE_ROWS], path
        if any(not isinstance(member, list | dict) for member in value.values()):
            return [value], ""
    return [], ""


def _lists_of_objects(members: Mapping[str, object]) -> Iterator[tuple[str, list[Mapping[str, object]]]]:
    """Yield the lists of objects in an object with their dotted paths, those nearest to the top first."""
    level = [(str(key), member) for key, member in members.items()]
    for _ in range(_MAX_DEPTH):
        for path, member in level:
            if isinstance(member, list) and member and all(isinstance(item, dict) for item in member):
                yield path, member
        inner = [(path, member) for path, member in level if isinstance(member, dict)]
        level = [(f"{path}.{key}", value) for path, member in inner for key, value in member.items()]


def _members(row: Mapping[str, object], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Yield the members of a row with their dotted paths."""
    for key, value in row.items():
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _members(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", value


def _text(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else repr(value)
    text = "".join(char if char.isprintable() else "�" for char in text)
    return text if len(text) <= _MAX_CELL_CHARACTERS else text[: _MAX_CELL_CHARACTERS - 1] + "…"


def _columns(titles: Sequence[str], layout: Layout, rows: Sequence[Sequence[str]]) -> tuple[HeadColumn, ...]:
    fields = {position: field for field, position in layout.columns.items() if field != "unit_name"}
    fields |= {position: field for field, position in layout.columns.items() if position not in fields}
    fields |= dict.fromkeys(layout.scales, "scale") | {each.position: "temperature" for each in layout.temperatures}
    if layout.date is not None:
        fields[layout.date] = "date"
    if layout.quantity is not None:
        fields[layout.quantity] = "quantity"
    sample = rows[:SAMPLE_ROWS]
    return tuple(
        HeadColumn(
            name=title.strip() or f"#{position + 1}",
            field=fields.get(position, ""),
            samples=tuple(_text(row[position]) if position < len(row) else "" for row in sample),
        )
        for position, title in enumerate(titles[:_MAX_COLUMNS])
    )
