"""Split CSV lines into cells: blocks of plain lines at once, other lines one by one.

Every line is a row: a quoted cell may contain delimiters and quotes but no line break, so that a stray quote affects
one row and not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from ingestion.parsing.body.decoded import DecodedBody
from ingestion.parsing.csv.decimal_commas import DecimalCommaCheck
from ingestion.parsing.csv.header import CsvHeader, split_line
from ingestion.parsing.fields.layout import Layout
from ingestion.parsing.fields.titles import Quantity, meaning_of
from ingestion.parsing.fields.zones import OFFSET_START
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import RejectedReading
from ingestion.parsing.values.rules import RowRejected

_NEWLINE = ord("\n")
# Quotes and control characters, except a tab, which may be the delimiter.
_IRREGULAR = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f"]')
# As the last cell of a body that may end within it is compared with.
_COMPARED_LINES = 20
_TAIL_BYTES = 1 << 12
_LEAST_COMPARED = 2
_NUMBER = re.compile(r"[+-]?[0-9]+(?P<fraction>[.,][0-9]*)?")
_TOO_MANY_CELLS = (pl.exceptions.ComputeError, pl.exceptions.SchemaError)


class LineBlock:
    """Complete lines of a file in UTF-8; only the last line of the body may lack its line break."""

    def __init__(self, data: bytes, first_number: int) -> None:
        self.is_unterminated = not data.endswith(b"\n")
        data = data + b"\n" if self.is_unterminated else data
        if b"\r" in data:
            data = data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
        self.data = data
        self.bytes = np.frombuffer(self.data, np.uint8)
        self.first_number = first_number
        self.count = int(np.count_nonzero(self.bytes == _NEWLINE))
        self._lines: list[bytes] | None = None

    @property
    def lines(self) -> list[bytes]:
        """The lines without line breaks, split when first needed, which is never in most blocks."""
        if self._lines is None:
            self._lines = self.data[:-1].split(b"\n")
        return self._lines

    def text(self, number: int) -> str:
        """Return the text of the line with this number in the file, without its line break."""
        return self.lines[number - self.first_number].decode()

    def after(self, number: int) -> LineBlock | None:
        """Return the lines after the one with this number, None if there are none."""
        rest = self.lines[number + 1 - self.first_number :]
        if not rest:
            return None
        return LineBlock(b"\n".join(rest) + (b"" if self.is_unterminated else b"\n"), number + 1)

    def parts(self, line_count: int) -> tuple[LineBlock, LineBlock | None]:
        """Return the first lines and the rest of them, None if there are no more."""
        if self.count <= line_count:
            return self, None
        first = b"\n".join(self.lines[:line_count]) + b"\n"
        return LineBlock(first, self.first_number), self.after(self.first_number + line_count - 1)

    def is_unterminated_line(self, number: int) -> bool:
        """Return whether a line is the last one of the body and lacks its line break."""
        return self.is_unterminated and number == self.first_number + self.count - 1


@dataclass(frozen=True, slots=True)
class SplitLines:
    """The cells of lines by field, with row_number, in file order; and the rejected lines.

    Temperatures are in fields named by `temperature_field`. `splitter` is the one that split them.
    """

    block: LineBlock
    raw_fields: pl.DataFrame
    rejected: list[RejectedReading]
    splitter: LineSplitter


def temperature_field(index: int) -> str:
    """Return the name under which the cells of a header's temperature column are split."""
    return f"temperature:{index}" if index else "temperature"


def constant_field(position: int) -> str:
    """Return the name under which the cells of a column are split that must be the same in all rows."""
    return f"constant:{position}"


class LineSplitter:
    """Split lines below a header. `constant_fields` are added with the same value to every row."""

    def __init__(self, header: CsvHeader, constant_fields: dict[str, str], *, filter_position: int | None) -> None:
        self.header = header
        self._delimiter = header.delimiter.encode()
        self._blank_row = b"\n" + self._delimiter * (header.width - 1) + b"\n"
        self._schema: dict[str, pl.DataType] = {str(position): pl.String() for position in range(header.width)}
        self._fields = list(_field_expressions(header.layout, filter_position))
        self._fields += [pl.lit(value).alias(field) for field, value in constant_fields.items()]
        self._optional = _optional_columns(header, filter_position)
        self._is_last_read = self.header.titles[-1] not in header.layout.unread
        self._tail = b""
        # Whether rows begin with "#", as a first column with numbers such as "#1" does.
        self._has_marked_rows = False
        self._comma_check = DecimalCommaCheck.of(header)

    def split(self, block: LineBlock, body: DecodedBody) -> SplitLines:
        """Split a block. `body.is_cut_off` must be known before its last, unterminated line is split."""
        rejected: list[RejectedReading] = []
        cells = self._split_plain(block.data) if self.is_plain(block) else None
        if cells is not None:
            self._has_marked_rows |= block.data.startswith(b"#") or b"\n#" in block.data
            numbers = pl.int_range(block.first_number, block.first_number + block.count, eager=True)
            cells.insert_column(0, numbers.alias("row_number"))
        else:
            plain, irregular = self._separate(block)
            cells = pl.concat(
                [self._split_selected(plain, block), self._split_irregular(irregular, block, body, rejected)]
            )
            cells = cells.sort("row_number")
        if self._comma_check:
            self._comma_check.check(cells)
        self._tail = block.data[-_TAIL_BYTES:]
        return SplitLines(block, cells.select("row_number", *self._fields), rejected, self)

    def is_plain(self, block: LineBlock) -> bool:
        """Return whether a block can be split at its delimiters at once.

        It must have no quotes or control characters, and the right number of delimiters in total. (Splitting fails if
        a line has more than the header, so with this total none can have fewer.)
        """
        delimiters = int(np.count_nonzero(block.bytes == ord(self._delimiter)))
        controls = int(np.count_nonzero(block.bytes < ord(" ")))
        return (
            self.header.width > 1
            and not block.is_unterminated
            and delimiters == block.count * (self.header.width - 1)
            and controls == block.count + (delimiters if self._delimiter == b"\t" else 0)
            and self._blank_row not in block.data
            and b'"' not in block.data
            and b"\x7f" not in block.data
        )

    def is_blank(self, line: str) -> bool:
        """Return whether a line has only delimiters and blanks, as spreadsheets export empty rows."""
        return not line.strip(" \t\r" + self.header.delimiter)

    def _is_trailer(self, number: int, block: LineBlock) -> bool:
        """Return whether an unterminated line is a closing word such as "END", not the beginning of another row."""
        text = block.text(number).strip()
        previous = block.text(number - 1) if number > block.first_number else self.header.line
        is_word = text.replace(" ", "").isalpha() and len(text) > 1 and self.header.delimiter not in text
        return is_word and not previous.casefold().startswith(text.casefold())

    def _check_last_cell(self, cell: str, number: int, block: LineBlock) -> None:
        """Raise RowRejected (cut_off) if the last cell of an unterminated line is written shorter than all others."""
        if not self._is_last_read:
            return
        # The line is alone in its block if it is not the only one.
        before = (self._tail + b"\n".join(block.lines[: number - block.first_number])).split(b"\n")
        others = (line.rpartition(self.header.delimiter.encode())[2] for line in before[-_COMPARED_LINES:])
        texts = (other.decode("utf-8", "replace").strip(' \t\r"') for other in others)
        if is_shortened(cell.strip(), [text for text in texts if text]):
            raise RowRejected(Reason.CUT_OFF)

    def _is_comment(self, line: bytes) -> bool:
        if not line.startswith(b"#") or self.header.line.startswith("#") or self._has_marked_rows:
            return False
        try:
            self.split_cells(line.decode())
        except RowRejected:
            return True
        return False

    def _separate(self, block: LineBlock) -> tuple[list[int], list[int]]:
        """Return the numbers of the plain lines and of the irregular ones, without blank lines."""
        plain: list[int] = []
        irregular: list[int] = []
        comments: list[int] = []
        blank_row = self._blank_row[1:-1]
        is_tab_delimited = self._delimiter == b"\t"
        for number, line in enumerate(block.lines, block.first_number):
            if not line or line == blank_row:
                continue
            is_plain = line.count(self._delimiter) == self.header.width - 1 > 0 and not _IRREGULAR.search(line)
            if is_plain and (is_tab_delimited or b"\t" not in line) and not block.is_unterminated_line(number):
                plain.append(number)
                self._has_marked_rows |= line.startswith(b"#")
            elif self._is_comment(line):
                comments.append(number)
            elif not self.is_blank(line.decode()):
                irregular.append(number)
        # Rows further down may have shown that these lines are rows as well.
        return plain, sorted(irregular + comments) if self._has_marked_rows else irregular

    def _split_plain(self, data: bytes) -> pl.DataFrame | None:
        """Return the cells of plain lines, None if a line has too many."""
        try:
            return pl.read_csv(
                data,
                has_header=False,
                schema=self._schema,
                separator=self.header.delimiter,
                quote_char=None,
                infer_schema=False,
                empty_string_is_null=False,
            )
        except _TOO_MANY_CELLS:
            return None

    def _split_selected(self, numbers: list[int], block: LineBlock) -> pl.DataFrame:
        data = b"".join(block.lines[number - block.first_number] + b"\n" for number in numbers)
        cells = self._split_plain(data) if numbers else None
        if cells is None:
            cells = pl.DataFrame(schema=self._schema)
        return cells.insert_column(0, pl.Series("row_number", numbers, dtype=pl.Int64))

    def _split_irregular(
        self, numbers: list[int], block: LineBlock, body: DecodedBody, rejected: list[RejectedReading]
    ) -> pl.DataFrame:
        split_numbers: list[int] = []
        rows: list[list[str]] = []
        for number in numbers:
            text = block.text(number)
            try:
                is_unterminated = block.is_unterminated_line(number) and not self._is_trailer(number, block)
                row = self.split_cells(text, is_unterminated=is_unterminated, is_cut_off=body.is_cut_off)
                if is_unterminated:
                    self._check_last_cell(row[-1], number, block)
                rows.append(row)
            except RowRejected as rejection:
                body.is_cut_off |= rejection.reason is Reason.CUT_OFF
                rejected.append(RejectedReading(number, rejection.reason, str(rejection), text))
            else:
                split_numbers.append(number)
        columns = zip(*rows, strict=True) if rows else ([] for _ in self._schema)
        cells = [pl.Series(name, column, dtype=pl.String) for name, column in zip(self._schema, columns, strict=True)]
        return pl.DataFrame([pl.Series("row_number", split_numbers, dtype=pl.Int64), *cells])

    def split_cells(self, line: str, *, is_unterminated: bool = False, is_cut_off: bool = False) -> list[str]:
        """Return the cells of a line, as many as the header has. Raise RowRejected.

        `is_unterminated`: it is the last line and lacks its line break. `is_cut_off`: the body ends early.
        """
        if is_unterminated and is_cut_off:
            raise RowRejected(Reason.CUT_OFF)
        try:
            cells = split_line(line, self.header.delimiter)
        except csv.Error as error:
            raise RowRejected(Reason.NOT_TEXT, what="line", value=line) from error
        width = self.header.width
        is_short = len(cells) < width - self._optional
        if is_short and is_unterminated:
            raise RowRejected(Reason.CUT_OFF)
        if is_short or any(cell.strip() for cell in cells[width:]):
            raise RowRejected(Reason.WRONG_NUMBER_OF_COLUMNS, count=len(cells), expected=width)
        return [*cells[:width], *[""] * (width - len(cells))]


def is_shortened(cell: str, others: list[str]) -> bool:
    """Return whether a number has fewer decimals than all others, which have the same; or a text is shorter."""
    if len(others) < _LEAST_COMPARED or not cell:
        return False
    numbers = [match for text in (cell, *others) if (match := _NUMBER.fullmatch(text))]
    lengths = {len(match["fraction"] or "") for match in numbers[1:]}
    if len(numbers) == 1 + len(others):
        return len(lengths) == 1 and len(numbers[0]["fraction"] or "") < lengths.pop()
    lengths = {len(text) for text in others}
    is_of_one_kind = cell[0].isdigit() or any(text.startswith(cell) for text in others)
    return len(lengths) == 1 and len(cell) < lengths.pop() and is_of_one_kind


def _field_expressions(layout: Layout, filter_position: int | None) -> Iterator[pl.Expr]:
    """Yield the expressions that give the fields of a row from its cells, which are named by their positions."""
    for field, position in layout.columns.items():
        yield (_time_expression(layout, position) if field == "time" else pl.col(str(position))).alias(field)
    for index, column in enumerate(layout.temperatures):
        yield pl.col(str(column.position)).alias(temperature_field(index))
    if layout.scales:
        first, *others = (pl.col(str(position)) for position in layout.scales)
        scale = first
        for other in others:  # scales that contradict each other are none: "C / F"
            is_same = (other.str.strip_chars() == "") | (scale == other)
            scale = pl.when(is_same).then(scale).when(scale.str.strip_chars() == "").then(other)
            scale = scale.otherwise(pl.concat_str([first, other], separator=" / "))
        yield scale.alias("scale")
    if layout.quantity is not None:
        yield pl.col(str(layout.quantity)).alias("quantity")
    if filter_position is not None:
        yield pl.col(str(filter_position)).alias("filter")
    for position in layout.constant:
        yield pl.col(str(position)).alias(constant_field(position))


def _time_expression(layout: Layout, position: int) -> pl.Expr:
    """Return the time's cell, behind that of a separate date and before that of a separate zone."""
    time = pl.col(str(position))
    if layout.date is not None:
        time = pl.concat_str([pl.col(str(layout.date)), time], separator=" ")
    if layout.zone_column is None:
        return time
    zone = pl.col(str(layout.zone_column)).str.strip_chars()
    utc = pl.when(zone.str.contains(OFFSET_START)).then(pl.lit(" UTC")).otherwise(pl.lit(" "))
    return pl.when(zone == "").then(time).otherwise(pl.concat_str([time, utc, zone]))


def _optional_columns(header: CsvHeader, filter_position: int | None) -> int:
    """Return how many of the last columns a row may lack: those that are neither read nor measured."""
    count = 0
    for title in reversed(header.titles[1:]):
        is_filter = filter_position == header.width - 1 - count
        if is_filter or (title.strip() and title not in header.layout.unread):
            break
        if meaning_of(title).quantity is not Quantity.UNKNOWN:
            break
        count += 1
    return count
