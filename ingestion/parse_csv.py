"""CSV: blocks of whole lines, converted at once where they are plain and line by line where they are not.

A line is one row: a quoted cell may hold delimiters and quotes but no line break, so that one stray quote costs one
row and not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from ingestion.batches import BatchMaker, end_with
from ingestion.csv_header import CsvHeader, RowHeader, find_header, split_line
from ingestion.fields import constants
from ingestion.mapping import TIME_OF_RESPONSE, FieldMapping
from ingestion.opened_body import ByteStream, OpenedBody, as_utf8, blocks
from ingestion.parse_columns import convert_columns
from ingestion.parse_row import CONVERTED_SCHEMA, RowRejected, RowRules, read_row
from ingestion.parsed import ParsedBatch, RejectedReading, UnreadableBody
from ingestion.reasons import Reason
from ingestion.times import DayOrder, DayOrderEvidence, TimeRules, has_day_order, microseconds

BLOCK_BYTES = 2 << 20
_SCANNED_BYTES = 1 << 16
_NEWLINE, _TAB = ord("\n"), ord("\t")
# What makes a line odd: a quote, and control characters (a tab is looked at separately: it may be the delimiter).
_ODD = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f"]')
_Converted = tuple[pl.DataFrame, list[RejectedReading]]


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
    batches = _batches(stream, body, CsvReader(header, rules, task.mapping), maker, task)
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
    stream: ByteStream, body: OpenedBody, reader: CsvReader, maker: BatchMaker, task: CsvTask
) -> Iterator[ParsedBatch]:
    for block in _read_ahead(_cut_blocks(stream, reader, task), stream):
        converted, rejected = reader.convert(block, body)
        for start in range(0, max(len(converted), 1), task.batch_rows):
            part = converted.slice(start, task.batch_rows)
            yield maker.make(part, [] if start else rejected, block.line)


def _cut_blocks(stream: ByteStream, reader: CsvReader, task: CsvTask) -> Iterator[Block]:
    number = reader.header.line_number + 1 if task.first_row is None else task.first_row
    for data in blocks(stream, task.block_bytes):
        block = Block(_with_bare_newlines(as_utf8(data)), number)
        reader.cut(block)
        number += block.line_count
        yield block


def _read_ahead(cut_blocks: Iterator[Block], stream: ByteStream) -> Iterator[Block]:
    """The blocks; while one is used, another thread cuts the next. A body of one block is spared the thread."""
    if (first := next(cut_blocks, None)) is None:
        return
    if stream.is_at_end:
        yield first
        yield from cut_blocks
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        block: Block | None = first
        while block is not None:
            following = thread.submit(next, cut_blocks, None)
            yield block
            block = following.result()


def _with_bare_newlines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n") if b"\r" in data else data


class Block:
    """Whole lines of a file in UTF-8; only the body's very last line may lack its line break."""

    def __init__(self, data: bytes, first_number: int) -> None:
        self.is_open = not data.endswith(b"\n")
        self.data = data + b"\n" if self.is_open else data
        self.bytes = np.frombuffer(self.data, np.uint8)
        self.first_number = first_number
        self.line_count = int(np.count_nonzero(self.bytes == _NEWLINE))
        self.said: pl.DataFrame | None = None  # the cells of its plain lines by field
        self.odd: list[int] = []  # the numbers of the lines that need a closer look
        self._lines: list[bytes] | None = None

    @property
    def lines(self) -> list[bytes]:
        if self._lines is None:
            self._lines = self.data[:-1].split(b"\n")
        return self._lines

    def line(self, number: int) -> str:
        """The text of the line of this number, verbatim but for its line break."""
        return self.lines[number - self.first_number].decode()

    def is_last_open(self, number: int) -> bool:
        """Whether a line is the body's last and lacks its line break."""
        return self.is_open and number == self.first_number + self.line_count - 1


class CsvReader:
    """Converts blocks of the lines below one header."""

    def __init__(self, header: CsvHeader, rules: RowRules, mapping: FieldMapping) -> None:
        self.header = header
        self._rules = rules
        self._constants = constants(mapping)
        self._delimiter = header.delimiter.encode()
        self._schema = {str(place): pl.String() for place in range(header.width)}

    def cut(self, block: Block) -> None:
        """Cut a block's plain lines into cells, all at once if all are plain, and note the others."""
        if self.is_plain(block):
            block.said = self._columns(block.data, range(block.line_count), block)
        if block.said is None:
            plain, odd = self._separate(block)
            block.said = self._columns(b"".join(block.lines[place] + b"\n" for place in plain), plain, block)
            block.odd = [block.first_number + place for place in odd]

    def convert(self, block: Block, body: OpenedBody) -> _Converted:
        """Rows of CONVERTED_SCHEMA in file order, and the rejected lines, of a block that is cut."""
        converted, left = convert_columns(block.said, self._rules) if block.said is not None else (None, [])
        exact, rejected = self._read_lines(block.odd + left, block, body)
        if converted is None or exact:
            frames = [pl.DataFrame(exact, schema=CONVERTED_SCHEMA, orient="row")]
            converted = pl.concat([converted, *frames]).sort("row_number") if converted is not None else frames[0]
        return converted, rejected

    def is_plain(self, block: Block) -> bool:
        """Whether a block can be cut at its delimiters: no quotes or control characters, and as many delimiters as
        the header has for each line. (That no line has more of them than the header shows in the cutting.)
        """
        delimiters = int(np.count_nonzero(block.bytes == ord(self._delimiter)))
        controls = int(np.count_nonzero(block.bytes < ord(" ")))
        expected_controls = block.line_count + (delimiters if self._delimiter == b"\t" else 0)
        return (
            self.header.width > 1
            and not block.is_open
            and delimiters == block.line_count * (self.header.width - 1)
            and controls == expected_controls
            and b'"' not in block.data
            and b"\x7f" not in block.data
        )

    def _separate(self, block: Block) -> tuple[list[int], list[int]]:
        """The places of a block's plain lines, and of those that need a closer look; blank lines are in neither."""
        plain: list[int] = []
        odd: list[int] = []
        is_tabbed = self._delimiter == b"\t"
        for place, line in enumerate(block.lines):
            if (
                line.count(self._delimiter) != self.header.width - 1
                or _ODD.search(line)
                or self.header.width == 1
                or (b"\t" in line and not is_tabbed)
            ):
                if line.strip():
                    odd.append(place)
            else:
                plain.append(place)
        if block.is_open and plain and plain[-1] == len(block.lines) - 1:
            odd.append(plain.pop())
        return plain, odd

    def _columns(self, data: bytes, places: Sequence[int], block: Block) -> pl.DataFrame | None:
        """The cells of plain lines by field; None where there are none or a line turns out to have too many."""
        if not places:
            return None
        try:
            cells = pl.read_csv(
                data,
                has_header=False,
                schema=self._schema,
                separator=self.header.delimiter,
                quote_char=None,
                infer_schema=False,
                empty_string_is_null=False,
            )
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):
            return None
        if isinstance(places, range):
            numbers = pl.int_range(block.first_number, block.first_number + len(places), eager=True)
        else:
            numbers = pl.Series(places, dtype=pl.Int64) + block.first_number
        fields = [cells.get_column(str(place)).alias(field) for field, place in self.header.columns.items()]
        fixed = [pl.lit(value).alias(field) for field, value in self._constants.items()]
        return pl.DataFrame([numbers.alias("row_number"), *fields]).with_columns(fixed)

    def _read_lines(
        self, numbers: list[int], block: Block, body: OpenedBody
    ) -> tuple[list[dict[str, object]], list[RejectedReading]]:
        rows: list[dict[str, object]] = []
        rejected: list[RejectedReading] = []
        for number in sorted(numbers):
            line = block.line(number)
            try:
                row = self.read_line(number, line, block.is_last_open(number), is_body_cut_off=body.is_cut_off)
            except RowRejected as rejection:
                body.is_cut_off |= rejection.reason is Reason.CUT_OFF
                rejected.append(RejectedReading(number, rejection.reason, str(rejection), line))
            else:
                rows += [row] if row else []
        return rows, rejected

    def read_line(
        self, number: int, line: str, is_last_open: bool = False, *, is_body_cut_off: bool = False
    ) -> dict[str, object] | None:
        """A row of CONVERTED_SCHEMA, None for a line of empty cells; raises RowRejected.

        `is_last_open`: the line ends the body and lacks its line break.
        """
        if is_last_open and is_body_cut_off:
            raise RowRejected(Reason.CUT_OFF)
        try:
            cells = split_line(line, self.header.delimiter)
        except csv.Error as error:
            raise RowRejected(Reason.NOT_TEXT, what="line", value=line) from error
        is_whole = len(cells) == self.header.width
        if not any(cell.strip() for cell in cells) and (is_whole or '"' not in line):
            return None
        if len(cells) < self.header.width and is_last_open:
            raise RowRejected(Reason.CUT_OFF)
        if not is_whole:
            raise RowRejected(Reason.WRONG_NUMBER_OF_COLUMNS, count=len(cells), expected=self.header.width)
        said = {field: cells[place] for field, place in self.header.columns.items()}
        return read_row(number, said | self._constants, self._rules)
