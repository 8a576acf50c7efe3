"""CSV in batches: find the header, cut blocks of lines into cells, convert the cells to readings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ingestion.parsing.batches import BatchMaker, end_with
from ingestion.parsing.body import ByteStream, OpenedBody, as_utf8, blocks
from ingestion.parsing.columns import convert_rows
from ingestion.parsing.csv_header import CsvHeader, find_header, split_line
from ingestion.parsing.csv_lines import CutLines, LineCutter, Lines
from ingestion.parsing.field_names import constants
from ingestion.parsing.results import ParsedBatch, RowContext, UnreadableBody
from ingestion.parsing.row import ParseOptions, RowRules
from ingestion.parsing.timestamps import DayOrder, DayOrderEvidence, has_day_order
from ingestion.sources.mapping import TIME_OF_RESPONSE, FieldMapping

_SCANNED_BYTES = 1 << 16


def parse_csv(body: OpenedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    """The batches of a CSV body; raises UnreadableBody, which may come after batches that could be read."""
    order = _day_order(body, options) if options.day_order is None else options.day_order
    stream = body.open()
    header = _header(stream, body, options.mapping)
    if header is None:
        yield BatchMaker(options.mapping, options.received_at, RowRules()).finish(is_cut_off=body.is_cut_off)
        return
    rules = row_rules(header, order, options)
    maker = BatchMaker(options.mapping, options.received_at, rules, _row_context(header, rules))
    cutter = LineCutter(header, constants(options.mapping))
    first_row = header.line_number + 1 if options.first_row is None else options.first_row
    cut_blocks = _cut_blocks(stream, body, cutter, first_row, options.block_bytes)
    batches = _batches(_read_ahead(cut_blocks, stream), cutter, maker, rules, options.batch_rows)
    yield from end_with(batches, lambda: maker.finish(is_cut_off=body.is_cut_off))


def row_rules(header: CsvHeader, day_order: DayOrder, options: ParseOptions) -> RowRules:
    """Return the rules for the cells below a header."""
    return options.row_rules(
        day_order,
        has_unit="unit" in header.columns,
        title_scale=header.title_scale,
        decimal_marks=".," if header.delimiter == ";" else ".",
    )


def _row_context(header: CsvHeader, rules: RowRules) -> str:
    return RowContext(line=header.line, unit=rules.default_unit, day_order=rules.times.day_order).to_text()


def _header(stream: ByteStream, body: OpenedBody, mapping: FieldMapping) -> CsvHeader | None:
    try:
        return find_header(stream, mapping)
    except UnreadableBody:
        if body.is_cut_off and stream.is_at_end:
            return None  # cut off within the header: there are no rows, and nothing else is wrong
        raise


def _day_order(body: OpenedBody, options: ParseOptions) -> DayOrder:
    """What the whole file shows about the order of day and month; it is read through if its first time calls for it."""
    evidence = DayOrderEvidence()
    if options.mapping.time_format or options.mapping.time_field == TIME_OF_RESPONSE:
        return evidence.order
    stream = body.open()
    if header := _header(stream, body, options.mapping):
        times = _times(stream, header)
        if has_day_order(first := next(times, "")):
            evidence.see(first)
            for time in times:
                evidence.see(time)
    return evidence.order


def _times(stream: ByteStream, header: CsvHeader) -> Iterator[str]:
    place = header.columns["time"]
    for data in blocks(stream, _SCANNED_BYTES):
        for line in as_utf8(data).decode().split("\n"):
            try:
                cells = split_line(line, header.delimiter)
            except csv.Error:
                continue
            if len(cells) == header.width and cells[place].strip():
                yield cells[place]


def _batches(
    cut_blocks: Iterable[CutLines], cutter: LineCutter, maker: BatchMaker, rules: RowRules, batch_rows: int
) -> Iterator[ParsedBatch]:
    for cut in cut_blocks:
        converted, rejected = convert_rows(cut.said, rules, cut.lines.text)
        rejected = cut.rejected + [each for each in rejected if not cutter.is_blank(each.raw)]
        for start in range(0, max(len(converted), 1), batch_rows):
            yield maker.make(converted.slice(start, batch_rows), [] if start else rejected, cut.lines.text)


def _cut_blocks(
    stream: ByteStream, body: OpenedBody, cutter: LineCutter, first_row: int, block_bytes: int
) -> Iterator[CutLines]:
    number = first_row
    for data in blocks(stream, block_bytes):
        lines = Lines(as_utf8(data), number)
        number += lines.count
        yield cutter.cut(lines, body)


def _read_ahead(cut_blocks: Iterator[CutLines], stream: ByteStream) -> Iterator[CutLines]:
    """The blocks; while one is used, another thread cuts the next. A body of one block is spared the thread."""
    if (first := next(cut_blocks, None)) is None:
        return
    if stream.is_at_end:
        yield first
        yield from cut_blocks
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        block: CutLines | None = first
        while block is not None:
            following = thread.submit(next, cut_blocks, None)
            yield block
            block = following.result()
