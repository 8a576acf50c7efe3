"""CSV lines into cells: a block of them at once where they are plain, line by line where they are not.

A line is one row: a quoted cell may hold delimiters and quotes but no line break, so that one stray quote costs one
row and not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from ingestion.parsing.body import DecodedBody
from ingestion.parsing.csv_header import CsvHeader, split_line
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import RejectedReading
from ingestion.parsing.row import RowRejected

_NEWLINE = ord("\n")
# What makes a line odd: a quote, and control characters (a tab is looked at separately: it may be the delimiter).
_IRREGULAR = re.compile(rb'[\x00-\x08\x0a-\x1f\x7f"]')
_TOO_MANY_CELLS = (pl.exceptions.ComputeError, pl.exceptions.SchemaError)


class LineBlock:
    """Whole lines of a file in UTF-8; only the body's very last may lack its line break."""

    def __init__(self, data: bytes, first_number: int) -> None:
        self.is_unterminated = not data.endswith(b"\n")
        data = data + b"\n" if self.is_unterminated else data
        self.data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
        self.bytes = np.frombuffer(self.data, np.uint8)
        self.first_number = first_number
        self.count = int(np.count_nonzero(self.bytes == _NEWLINE))
        self._lines: list[bytes] | None = None

    @property
    def lines(self) -> list[bytes]:
        """The lines without their line breaks; made when first asked for, which most blocks never are."""
        if self._lines is None:
            self._lines = self.data[:-1].split(b"\n")
        return self._lines

    def text(self, number: int) -> str:
        """The line of this number in the file, verbatim but for its line break."""
        return self.lines[number - self.first_number].decode()

    def is_unterminated_line(self, number: int) -> bool:
        """Whether a line is the body's last and lacks its line break."""
        return self.is_unterminated and number == self.first_number + self.count - 1


@dataclass(frozen=True, slots=True)
class SplitLines:
    """The cells of lines by field, with their row_number, in file order; and the lines that could not be cut."""

    block: LineBlock
    raw_fields: pl.DataFrame
    rejected: list[RejectedReading]


class LineSplitter:
    """Cuts lines below one header. `constant_fields` are the fields that have one value in every row."""

    def __init__(self, header: CsvHeader, constant_fields: dict[str, str]) -> None:
        self._header = header
        self._delimiter = header.delimiter.encode()
        self._schema: dict[str, pl.DataType] = {str(position): pl.String() for position in range(header.width)}
        self._fields = [pl.col(str(position)).alias(field) for field, position in header.columns.items()]
        self._fields += [pl.lit(value).alias(field) for field, value in constant_fields.items()]

    def split(self, block: LineBlock, body: DecodedBody) -> SplitLines:
        """Cut a block. Whether `body` is cut off must be known by the time its last, unended line is cut."""
        rejected: list[RejectedReading] = []
        cells = self._split_plain(block.data) if self.is_plain(block) else None
        if cells is not None:
            numbers = pl.int_range(block.first_number, block.first_number + block.count, eager=True)
            cells.insert_column(0, numbers.alias("row_number"))
        else:
            plain, irregular = self._separate(block)
            cells = pl.concat(
                [self._split_selected(plain, block), self._split_irregular(irregular, block, body, rejected)]
            )
            cells = cells.sort("row_number")
        return SplitLines(block, cells.select("row_number", *self._fields), rejected)

    def is_plain(self, block: LineBlock) -> bool:
        """Whether lines can be cut at their delimiters, all at once.

        They hold no quotes or control characters, and on the whole as many delimiters as the header demands. (That
        no line has more of them than the header, and so none fewer, shows in the cutting.)
        """
        delimiters = int(np.count_nonzero(block.bytes == ord(self._delimiter)))
        controls = int(np.count_nonzero(block.bytes < ord(" ")))
        return (
            self._header.width > 1
            and not block.is_unterminated
            and delimiters == block.count * (self._header.width - 1)
            and controls == block.count + (delimiters if self._delimiter == b"\t" else 0)
            and b'"' not in block.data
            and b"\x7f" not in block.data
        )

    def is_blank(self, line: str) -> bool:
        """Whether a line holds nothing but delimiters and blanks, as spreadsheets leave them at the end."""
        return not line.strip(" \t\r" + self._header.delimiter)

    def _separate(self, block: LineBlock) -> tuple[list[int], list[int]]:
        """The numbers of the plain lines, and of those that need a closer look; blank lines are in neither."""
        plain: list[int] = []
        irregular: list[int] = []
        is_tabbed = self._delimiter == b"\t"
        for number, line in enumerate(block.lines, block.first_number):
            is_cuttable = line.count(self._delimiter) == self._header.width - 1 > 0 and not _IRREGULAR.search(line)
            if is_cuttable and (is_tabbed or b"\t" not in line) and not block.is_unterminated_line(number):
                plain.append(number)
            elif not self.is_blank(line.decode()):
                irregular.append(number)
        return plain, irregular

    def _split_plain(self, data: bytes) -> pl.DataFrame | None:
        """The cells of plain lines; None where a line turns out to have too many."""
        try:
            return pl.read_csv(
                data,
                has_header=False,
                schema=self._schema,
                separator=self._header.delimiter,
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
        split: list[int] = []
        rows: list[list[str]] = []
        for number in numbers:
            text = block.text(number)
            try:
                rows.append(
                    self.split_cells(
                        text, is_unterminated_line=block.is_unterminated_line(number), is_cut_off=body.is_cut_off
                    )
                )
            except RowRejected as rejection:
                body.is_cut_off |= rejection.reason is Reason.CUT_OFF
                rejected.append(RejectedReading(number, rejection.reason, str(rejection), text))
            else:
                split.append(number)
        columns = zip(*rows, strict=True) if rows else ([] for _ in self._schema)
        cells = [pl.Series(name, column, dtype=pl.String) for name, column in zip(self._schema, columns, strict=True)]
        return pl.DataFrame([pl.Series("row_number", split, dtype=pl.Int64), *cells])

    def split_cells(self, line: str, *, is_unterminated_line: bool = False, is_cut_off: bool = False) -> list[str]:
        """The cells of a line, as many as the header has; raises RowRejected.

        `is_unterminated_line`: the line ends the body and lacks its line break; `is_cut_off`: that is known to be an accident.
        """
        if is_unterminated_line and is_cut_off:
            raise RowRejected(Reason.CUT_OFF)
        try:
            cells = split_line(line, self._header.delimiter)
        except csv.Error as error:
            raise RowRejected(Reason.NOT_TEXT, what="line", value=line) from error
        if len(cells) < self._header.width and is_unterminated_line:
            raise RowRejected(Reason.CUT_OFF)
        if len(cells) != self._header.width:
            raise RowRejected(Reason.WRONG_NUMBER_OF_COLUMNS, count=len(cells), expected=self._header.width)
        return cells
