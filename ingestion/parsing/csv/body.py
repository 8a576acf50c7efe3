"""Parse CSV in batches: find the header, split blocks of lines into cells, convert the cells to readings."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ingestion.parsing.batches import BatchBuilder, with_final_batch
from ingestion.parsing.body.decoded import ByteStream, DecodedBody, names_in_cp1252, read_blocks, to_utf8
from ingestion.parsing.csv.header import (
    SAMPLE_ROWS,
    CsvHeader,
    as_others_show,
    find_header,
    read_head,
    split_line,
)
from ingestion.parsing.csv.lines import LineBlock, SplitLines
from ingestion.parsing.csv.table import Table
from ingestion.parsing.fields.alone import open_columns, shown_by_others, with_shown
from ingestion.parsing.fields.names import AMBIGUOUS_UNIT_NAMES
from ingestion.parsing.fields.scale_reasons import scales_of
from ingestion.parsing.fields.titles import canonical
from ingestion.parsing.fields.zones import BODY
from ingestion.parsing.limits import MAX_HEADERS, MAX_LINE_BYTES, check_row_count, exceeded
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import ParsedBatch, RowContext, UnreadableBody
from ingestion.parsing.values.numbers import is_like_number
from ingestion.parsing.values.rules import ParseOptions, RowRules
from ingestion.parsing.values.timestamps import DayOrder, DayOrderDetector, has_day_order
from ingestion.sources.mapping import TIME_OF_RESPONSE, FieldMapping

_SCANNED_BYTES = 1 << 16
# Of the lines that are split after another header, twice as many each time: there may be one more among them.
_LINES_AFTER_HEADER = 500
# Which DOS writes behind the last line.
_END_OF_FILE = re.compile(rb"\x1a\s*\Z")
_PADDING = re.compile(rb"(?m)^\x00+|\x00+(?=\r?$)")


def parse_csv(body: DecodedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    """Yield the batches of a CSV body. Raise UnreadableBody, possibly after some batches."""
    header = _header(body, options)
    if header is None:
        yield BatchBuilder(options.mapping, options.received_at, RowRules()).finish(is_cut_off=body.is_cut_off)
        return
    order = _day_order(body, header, options) if options.day_order is None else options.day_order
    table = Table(header, order, options)
    rules = table.rules
    builder = BatchBuilder(
        options.mapping,
        options.received_at,
        rules,
        row_context(header, rules, options.mapping),
        header.layout.zone,
        clocks=options.clocks,
    )
    stream = _rows(body, header)
    first_row = header.line_number + 1 if options.first_row is None else options.first_row
    split_blocks = _split_blocks(stream, body, table, first_row, options)
    batches = _batches(_read_ahead(split_blocks, stream), table, builder, body, options)
    scales = scales_of(header.layout, options.mapping, header.titles, before=header.scale)
    yield from with_final_batch(batches, lambda: builder.finish(is_cut_off=body.is_cut_off, scales=scales))


def row_context(header: CsvHeader, rules: RowRules, mapping: FieldMapping) -> str:
    """Return what is needed to parse a row below this header again."""
    layout = header.layout
    date = header.titles[layout.date] if layout.date is not None else ""
    shown = shown_by_others(layout, header.titles, mapping, has_default_unit=bool(rules.default_unit))
    return RowContext(
        line=header.line,
        unit=rules.default_unit,
        day_order=rules.times.day_order,
        scale=header.scale.value if header.scale else "",
        date=date,
        time=header.titles[layout.columns["time"]] if date else "",
        scale_title=_ambiguous_scale(header),
        zone=layout.zone.name if layout.zone and layout.zone.why == BODY else "",
        unit_title=shown.get("unit", ""),
        sensor_title=shown.get("sensor", ""),
        marks=header.marks_of_rows,
        measured=header.measured_by_cells,
    ).to_text()


def _ambiguous_scale(header: CsvHeader) -> str:
    """Return the title of the scale's column if only the values showed that it holds scales."""
    titles = [header.titles[position] for position in header.layout.scales]
    return titles[0] if len(titles) == 1 and canonical(titles[0]) in AMBIGUOUS_UNIT_NAMES else ""


def _header(body: DecodedBody, options: ParseOptions) -> CsvHeader | None:
    stream = body.open()
    try:
        lines = read_head(stream)
        if options.measured:
            lines = as_others_show(lines, options.measured)
        header = find_header(lines, options.mapping, has_default_unit=options.is_unit_named)
        if header and (later := _showing_rows(body, header, options)):
            header = find_header(lines, options.mapping, has_default_unit=options.is_unit_named, later_rows=later)
    except UnreadableBody as error:
        if body.is_cut_off and stream.is_at_end:
            return None  # cut off within the header: the body has no rows, but it is not invalid
        if error.reason is Reason.NO_HEADER and names_in_cp1252(body.open().peek(_SCANNED_BYTES)):
            raise UnreadableBody(Reason.NO_HEADER, why=f"{error.why}. The encoding may have to be set") from error
        raise
    if header and options.scale:
        header = header.with_scale(options.scale)
    if header and options.zone:
        header = header.with_zone(options.zone)
    if header and options.decimal_marks:
        header = replace(header, decimal_marks=options.decimal_marks)
    return header


def _rows(body: DecodedBody, header: CsvHeader) -> ByteStream:
    """Return a stream of the lines below the header."""
    stream = body.open()
    for _ in range(header.line_number):
        stream.readline(MAX_LINE_BYTES)
    return stream


def _day_order(body: DecodedBody, header: CsvHeader, options: ParseOptions) -> DayOrder:
    """Return the order of day and month, scanning the whole file if its first time has one."""
    detector = DayOrderDetector()
    if options.mapping.time_format or options.mapping.time_field == TIME_OF_RESPONSE:
        return detector.order
    times = _times(_rows(body, header), header, options.max_rows)
    if has_day_order(first := next(times, "")):
        detector.add(first)
        for time in times:
            detector.add(time)
    return detector.order


def _times(stream: ByteStream, header: CsvHeader, max_rows: int | None) -> Iterator[str]:
    position, date = header.layout.columns["time"], header.layout.date
    needed = max(position, date or 0)
    for _, cells in _rows_of_cells(stream, header, max_rows):
        if len(cells) > needed and cells[position].strip():
            yield cells[position] if date is None else f"{cells[date]} {cells[position]}"


def _rows_of_cells(stream: ByteStream, header: CsvHeader, max_rows: int | None) -> Iterator[tuple[str, list[str]]]:
    """Yield each line with its cells, which are none if its quotes are invalid."""
    for data in read_blocks(stream, _SCANNED_BYTES, max_rows):
        for text in to_utf8(data).decode().split("\n"):
            line = text.rstrip("\r")
            try:
                yield line, split_line(line, header.delimiter)
            except csv.Error:
                yield line, []


def _showing_rows(body: DecodedBody, header: CsvHeader, options: ParseOptions) -> list[str]:
    """Return the rows below the sample that first have numbers in columns that may be temperatures by their cells."""
    positions = open_columns(header.layout, header.titles, options.mapping)
    rows = _rows_of_cells(_rows(body, header), header, options.max_rows) if positions else iter(())
    found: list[str] = []
    for index, (line, cells) in enumerate(rows):
        decided = {each for each in positions if each < len(cells) and is_like_number(cells[each])}
        found += [line] if decided and index >= SAMPLE_ROWS else []
        positions -= decided
        if not positions:
            break
    return found


def _batches(
    split_blocks: Iterable[SplitLines], table: Table, builder: BatchBuilder, body: DecodedBody, options: ParseOptions
) -> Iterator[ParsedBatch]:
    size = options.batch_rows
    count = headers = 0
    for split in split_blocks:
        rest: LineBlock | None = split.block
        part_lines = split.block.count
        while rest is not None:
            rest_of_block = rest
            lines, further = rest.parts(part_lines)
            current = split if lines is split.block and split.splitter is table.splitter else table.split(lines, body)
            converted, rejected, new_header = table.convert(current)
            count += len(converted) + len(rejected)
            check_row_count(count, options.max_rows)
            for start in range(0, max(len(converted), 1), size):
                part = converted.slice(start, size)
                yield builder.build(part, [] if start else rejected, current.block.text)
            rest = further
            part_lines *= 2
            if new_header is not None:
                headers += 1
                if headers > MAX_HEADERS:
                    raise exceeded(f"its header changes more than {MAX_HEADERS:,} times")
                rest = rest_of_block.after(new_header.line_number)
                part_lines = _LINES_AFTER_HEADER
                if pending := builder.pending_batch():
                    yield pending
                table.change_header(new_header)
                builder.change_context(row_context(new_header, table.rules, options.mapping), new_header.layout.zone)
    table.refuse_scale_at_end()


def _split_blocks(
    stream: ByteStream, body: DecodedBody, table: Table, first_row: int, options: ParseOptions
) -> Iterator[SplitLines]:
    number, name = first_row, ""
    for data in read_blocks(stream, options.block_bytes, options.max_rows):
        if not name and (name := names_in_cp1252(data)):
            note = f"The body is not UTF-8 and was read as cp1252, for example {quoted(name)}."
            options.notes.tell(f"{note} Set the encoding if that is wrong.")
        data = _PADDING.sub(b"", data) if b"\0" in data else data
        lines = LineBlock(
            to_utf8(_END_OF_FILE.sub(b"", data) if data[-8:].rstrip().endswith(b"\x1a") else data), number
        )
        number += lines.count
        yield table.split(lines, body)


def _read_ahead(split_blocks: Iterator[SplitLines], stream: ByteStream) -> Iterator[SplitLines]:
    """Yield the blocks, splitting the next one in another thread meanwhile unless there is only one."""
    if (first := next(split_blocks, None)) is None:
        return
    if stream.is_at_end:
        yield first
        yield from split_blocks
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        block: SplitLines | None = first
        while block is not None:
            following = thread.submit(next, split_blocks, None)
            yield block
            block = following.result()


def row_mapping(mapping: FieldMapping, context: RowContext) -> FieldMapping:
    """Return the mapping for a row that is parsed again, with what only its whole file showed."""
    mapping = with_shown(mapping, context.shown, context.shown.values())
    return replace(
        mapping,
        readings_path="",
        skip_until_header=False,
        date_field=context.date or mapping.date_field,
        time_field=context.time or mapping.time_field,
        scale_field=mapping.scale_field or context.scale_title,
    )
