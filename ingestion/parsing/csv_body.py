"""CSV in batches: find the header, cut blocks of lines into cells, convert the cells to readings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from ingestion.parsing.batches import BatchMaker, end_with
from ingestion.parsing.body import ByteStream, OpenedBody, as_utf8, blocks
from ingestion.parsing.columns import convert_rows
from ingestion.parsing.csv_header import CsvHeader, RowHeader, find_header, split_line
from ingestion.parsing.csv_lines import CutLines, LineCutter, Lines
from ingestion.parsing.field_names import constants
from ingestion.parsing.results import ParsedBatch, UnreadableBody
from ingestion.parsing.row import RowRules
from ingestion.parsing.timestamps import DayOrder, DayOrderEvidence, TimeRules, has_day_order, microseconds
from ingestion.sources.mapping import TIME_OF_RESPONSE, FieldMapping

BLOCK_BYTES = 2 << 20
_SCANNED_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvTask:
    """How to parse one CSV body. `first_row` and `day_order` are told for a replayed row, else found in the body."""

    mapping: FieldMapping
    received_at: datetime
    default_unit: str = ""
    batch_rows: int = 50_000
    block_bytes: int = BLOCK_BYTES
    first_row: int | None = None
    day_order: DayOrder | None = None


def parse_csv(body: OpenedBody, task: CsvTask) -> Iterator[ParsedBatch]:
    """The batches of a CSV body; raises UnreadableBody, which may come after batches that could be read."""
    order = _day_order(body, task) if task.day_order is None else task.day_order
    stream = body.open()
    header = _header(stream, body, task.mapping)
    if header is None:
        yield BatchMaker(task.mapping, task.received_at, RowRules()).finish(is_cut_off=body.is_cut_off)
        return
    rules = row_rules(header, order, task)
    maker = BatchMaker(task.mapping, task.received_at, rules, _row_header(header, rules))
    cutter = LineCutter(header, constants(task.mapping))
    first_row = header.line_number + 1 if task.first_row is None else task.first_row
    cut_blocks = _cut_blocks(stream, body, cutter, first_row, task.block_bytes)
    batches = _batches(_read_ahead(cut_blocks, stream), cutter, maker, rules, task.batch_rows)
    yield from end_with(batches, lambda: maker.finish(is_cut_off=body.is_cut_off))


def row_rules(header: CsvHeader, order: DayOrder, task: CsvTask) -> RowRules:
    """What the cells below this header mean."""
    mapping = task.mapping
    is_timed = mapping.time_field != TIME_OF_RESPONSE
    return RowRules(
        default_unit="" if "unit" in header.columns else task.default_unit,
        default_scale=mapping.scale or header.title_scale,
        null_values=frozenset(text.strip() for text in mapping.null_values),
        decimal_marks=mapping.decimal_mark or (".," if header.delimiter == ";" else "."),
        times=TimeRules(mapping.time_format, order),
        received_us=None if is_timed else microseconds(task.received_at),
    )


def _row_header(header: CsvHeader, rules: RowRules) -> str:
    return RowHeader(line=header.line, unit=rules.default_unit, day_order=rules.times.day_order).to_text()


def _header(stream: ByteStream, body: OpenedBody, mapping: FieldMapping) -> CsvHeader | None:
    try:
        return find_header(stream, mapping)
    except UnreadableBody:
        if body.is_cut_off and stream.is_at_end:
            return None  # cut off within the header: there are no rows, and nothing else is wrong
        raise


def _day_order(body: OpenedBody, task: CsvTask) -> DayOrder:
    """What the whole file shows about the order of day and month; it is read through if its first time calls for it."""
    evidence = DayOrderEvidence()
    if task.mapping.time_format or task.mapping.time_field == TIME_OF_RESPONSE:
        return evidence.order
    stream = body.open()
    if header := _header(stream, body, task.mapping):
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
