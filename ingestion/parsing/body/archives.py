"""Read the table in a workbook (XLSX) or in a ZIP archive, as a bounded stream of text."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import IO

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from ingestion.parsing.body.identify import Container
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

# Of a workbook or archive as it was sent, and of a member when it is unpacked.
MAX_ARCHIVE_BYTES = 64 << 20
MAX_MEMBER_BYTES = 256 << 20
_MAX_MEMBERS = 1_000
# More than any table compresses; an archive made to exhaust the memory compresses a thousandfold.
_MAX_RATIO = 200
_MAX_ROWS = 1_048_576
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".dat", ".log")


def table_in(container: Container, data: bytes) -> tuple[str, IO[bytes]]:
    """Return the name and the bytes of the only table in a workbook or an archive. Raise UnreadableBody."""
    if container is Container.XLSX:
        _check_members(_opened(data), "an Excel workbook (XLSX)")
        return "", io.BytesIO(_sheet_as_csv(data))
    return _member(data)


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise UnreadableBody(Reason.UNDECODABLE, why="its ZIP compression is damaged") from error


def _check_members(archive: zipfile.ZipFile, what: str) -> None:
    """Refuse an archive that would be unpacked to more than it should, before unpacking it."""
    members = archive.infolist()
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members) or 1
    if len(members) > _MAX_MEMBERS or size > MAX_MEMBER_BYTES or (size > 1 << 20 and size / packed > _MAX_RATIO):
        raise UnreadableBody(Reason.TOO_LARGE, why=f"{what} that holds {size:,} bytes in {len(members):,} members")


def _member(data: bytes) -> tuple[str, IO[bytes]]:
    archive = _opened(data)
    _check_members(archive, "a ZIP archive")
    tables = [each for each in archive.infolist() if each.filename.lower().endswith(_TABLE_SUFFIXES)]
    if len(tables) != 1:
        why = f": it holds {len(tables)} tables instead of one" if tables else ": it holds no table"
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="a ZIP archive", why=why)
    if tables[0].flag_bits & 0x1:
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="a ZIP archive", why=": it is encrypted")
    try:
        return tables[0].filename, io.BytesIO(archive.read(tables[0]))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise UnreadableBody(Reason.UNDECODABLE, why="its ZIP compression is damaged") from error


def _sheet_as_csv(data: bytes) -> bytes:
    """Return the first sheet with cells as CSV."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = [workbook.get_sheet_by_name(name) for name in workbook.sheet_names]
    except (CalamineError, OSError, ValueError) as error:
        why = ": it is damaged, or not a workbook"
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="an Excel workbook (XLSX)", why=why) from error
    filled = [sheet for sheet in sheets if sheet.total_height]
    if not filled:
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what="an Excel workbook (XLSX)", why=": it has no cells")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    instants = {column for row in _rows(filled[0]) for column, cell in enumerate(row) if isinstance(cell, datetime)}
    for row in _rows(filled[0]):
        writer.writerow([_cell_text(cell, is_instant=column in instants) for column, cell in enumerate(row)])
    return text.getvalue().encode()


def _rows(sheet: CalamineSheet) -> Iterator[list[object]]:
    if sheet.total_height > _MAX_ROWS:
        raise UnreadableBody(Reason.TOO_LARGE, why=f"its sheet has more than {_MAX_ROWS:,} rows")
    for row in sheet.iter_rows():
        yield list(row)


def _cell_text(cell: object, *, is_instant: bool) -> str:
    """Return a cell as the text that a CSV export in an unambiguous format would hold.

    `is_instant`: the column holds times with dates, so that a date means its midnight.
    """
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return f"{cell.isoformat()} 00:00:00" if is_instant else cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).replace("\n", " ").replace("\r", " ")
