"""Parse CSV in batches: find the header, split blocks of lines into cells, convert the cells to readings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from ingestion.parsing.batches import BatchBuilder, with_final_batch
from ingestion.parsing.body.decoded import ByteStream, DecodedBody, read_blocks, to_utf8
from ingestion.parsing.csv.header import CsvHeader, find_header, split_line
from ingestion.parsing.csv.lines import LineBlock, LineSplitter, SplitLines
from ingestion.parsing.fields.names import constant_fields
from ingestion.parsing.results import ParsedBatch, RowContext, UnreadableBody
from ingestion.parsing.values.columns import convert_rows
from ingestion.parsing.values.row import ParseOptions, RowRules
from ingestion.parsing.values.timestamps import DayOrder, DayOrderDetector, has_day_order
from ingestion.sources.mapping import TIME_OF_RESPONSE, FieldMapping

_SCANNED_BYTES = 1 << 16


def parse_csv(body: DecodedBody, options: ParseOptions) -> Iterator[ParsedBatch]:
    """Yield the batches of a CSV body. Raise UnreadableBody, possibly after some batches."""
    order = _day_order(body, options) if options.day_order is None else options.day_order
    stream = body.open()
    header = _header(stream, body, options.mapping)
    if header is None:
        yield BatchBuilder(options.mapping, options.received_at, RowRules()).finish(is_cut_off=body.is_cut_off)
        return
    rules = row_rules(header, order, options)
    builder = BatchBuilder(options.mapping, options.received_at, rules, _row_context(header, rules))
    splitter = LineSplitter(header, constant_fields(options.mapping))
    first_row = header.line_number + 1 if options.first_row is None else options.first_row
    split_blocks = _split_blocks(stream, body, splitter, first_row, options)
    batches = _batches(_read_ahead(split_blocks, stream), splitter, builder, rules, options.batch_rows)
    yield from with_final_batch(batches, lambda: builder.finish(is_cut_off=body.is_cut_off))


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


def _header(stream: ByteStream, body: DecodedBody, mapping: FieldMapping) -> CsvHeader | None:
    try:
        return find_header(stream, mapping)
    except UnreadableBody:
        if body.is_cut_off and stream.is_at_end:
            return None  # cut off within the header: the body has no rows, but it is not invalid
        raise


def _day_order(body: DecodedBody, options: ParseOptions) -> DayOrder:
    """Return the order of day and month, scanning the whole file if its first time has one."""
    detector = DayOrderDetector()
    if options.mapping.time_format or options.mapping.time_field == TIME_OF_RESPONSE:
        return detector.order
    stream = body.open()
    if header := _header(stream, body, options.mapping):
        times = _times(stream, header, options.max_rows)
        if has_day_order(first := next(times, "")):
            detector.add(first)
            for time in times:
                detector.add(time)
    return detector.order


def _times(stream: ByteStream, header: CsvHeader, max_lines: int | None) -> Iterator[str]:
    position = header.columns["time"]
    for data in read_blocks(stream, _SCANNED_BYTES, max_lines):
        for line in to_utf8(data).decode().split("\n"):
            try:
                cells = split_line(line, header.delimiter)
            except csv.Error:
                continue
            if len(cells) == header.width and cells[position].strip():
                yield cells[position]


def _batches(
    split_blocks: Iterable[SplitLines], splitter: LineSplitter, builder: BatchBuilder, rules: RowRules, batch_rows: int
) -> Iterator[ParsedBatch]:
    for split in split_blocks:
        converted, rejected = convert_rows(split.raw_fields, rules, split.block.text)
        rejected = split.rejected + [each for each in rejected if not splitter.is_blank(each.raw)]
        for start in range(0, max(len(converted), 1), batch_rows):
            yield builder.build(converted.slice(start, batch_rows), [] if start else rejected, split.block.text)


def _split_blocks(
    stream: ByteStream, body: DecodedBody, splitter: LineSplitter, first_row: int, options: ParseOptions
) -> Iterator[SplitLines]:
    number = first_row
    for data in read_blocks(stream, options.block_bytes, options.max_rows):
        lines = LineBlock(to_utf8(data), number)
        number += lines.count
        yield splitter.split(lines, body)


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
