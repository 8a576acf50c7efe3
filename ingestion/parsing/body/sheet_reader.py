"""Print the first visible sheet with cells of a workbook, given on standard input, as CSV.

Its name and those of the other sheets with cells go to standard error, a line each.

`ingestion.parsing.body.archives` runs this file as a process of its own, because a small workbook can be made to take
any amount of memory: by two cells in opposite corners, by long texts that every cell refers to, or by parts that unpack
to more than they declare. The limits end this process instead of the one that collects readings. It imports nothing of
the project.
"""

from __future__ import annotations

import csv
import io
import resource
import sys
from collections.abc import Iterator
from datetime import date, datetime

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetVisibleEnum

MAX_MEMORY_BYTES = 512 << 20
MAX_CPU_SECONDS = 60
MAX_OUTPUT_BYTES = 256 << 20
MAX_ROWS = 1_048_576
# Exit codes that say why there is no CSV; any other one means that a limit was reached.
NOT_A_WORKBOOK, NO_CELLS, TOO_MANY_ROWS = 3, 4, 5


def _limit() -> None:
    for limit, value in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, MAX_OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _first_filled(data: bytes) -> CalamineSheet:
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        hidden = [each.name for each in workbook.sheets_metadata if each.visible is not SheetVisibleEnum.Visible]
        sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
        filled = [sheet for sheet in sheets if sheet.total_height]
        first = min(filled, key=lambda sheet: sheet.name in hidden, default=None)
        if first is not None:
            names = [first.name, *(sheet.name for sheet in filled if sheet.name != first.name)]
            sys.stderr.write("".join(f"{' '.join(name.split())}\n" for name in names))
            return first
    except (CalamineError, OSError, ValueError):
        sys.exit(NOT_A_WORKBOOK)
    sys.exit(NO_CELLS)


def _rows(sheet: CalamineSheet) -> Iterator[list[object]]:
    if sheet.total_height > MAX_ROWS:
        sys.exit(TOO_MANY_ROWS)
    yield from map(list, sheet.iter_rows())


def _cell_text(cell: object, *, is_instant: bool) -> str:
    """Return a cell as the text that a CSV export in an unambiguous format would hold.

    `is_instant`: the column holds times with dates, so that a date means its midnight.
    """
    if is_instant and isinstance(cell, date) and not isinstance(cell, datetime):
        return f"{cell} 00:00:00"
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).replace("\n", " ").replace("\r", " ")


def main() -> None:
    """Copy the sheet from standard input to standard output."""
    _limit()
    sheet = _first_filled(sys.stdin.buffer.read())
    text = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    instants = {column for row in _rows(sheet) for column, cell in enumerate(row) if isinstance(cell, datetime)}
    for row in _rows(sheet):
        writer.writerow([_cell_text(cell, is_instant=column in instants) for column, cell in enumerate(row)])
    text.flush()


if __name__ == "__main__":
    main()
