"""Read the table in a workbook (XLSX) or in a ZIP archive, as a bounded stream of text."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from contextlib import ExitStack
from typing import IO

from ingestion.parsing.body import sheet_reader
from ingestion.parsing.body.identify import Container
from ingestion.parsing.rejection_reasons import Reason
from ingestion.parsing.results import UnreadableBody

# Of a workbook or archive as it was sent, and of a member when it is unpacked.
MAX_ARCHIVE_BYTES = 64 << 20
MAX_MEMBER_BYTES = 256 << 20
_MAX_MEMBERS = 1_000
# More than any table compresses; an archive made to exhaust the memory compresses a thousandfold.
_MAX_RATIO = 200
_MAX_READ_SECONDS = 120
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".dat", ".log")


def table_in(container: Container, data: bytes) -> tuple[str, IO[bytes]]:
    """Return the name and the bytes of the only table in a workbook or an archive. Raise UnreadableBody."""
    if container is Container.XLSX:
        _check_members(_opened(data), "an Excel workbook (XLSX)")
        return "", _sheet_as_csv(data)
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


def _sheet_as_csv(data: bytes) -> IO[bytes]:
    """Return the first sheet with cells as CSV, read by a process whose memory is limited; see sheet_reader."""
    with ExitStack() as closing:
        text = closing.enter_context(tempfile.TemporaryFile())
        try:
            # S603: the command is fixed; the workbook is data on standard input.
            code = subprocess.run(  # noqa: S603
                [sys.executable, "-I", sheet_reader.__file__],
                input=data,
                stdout=text,
                stderr=subprocess.DEVNULL,
                timeout=_MAX_READ_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
        if code != 0:
            raise _unreadable_sheet(code)
        text.seek(0)
        closing.pop_all()  # the caller reads the file, which is deleted when it is closed
    return text


def _unreadable_sheet(code: int) -> UnreadableBody:
    what = "an Excel workbook (XLSX)"
    if code == sheet_reader.NOT_A_WORKBOOK:
        return UnreadableBody(Reason.UNSUPPORTED_FILE, what=what, why=": it is damaged, or not a workbook")
    if code == sheet_reader.NO_CELLS:
        return UnreadableBody(Reason.UNSUPPORTED_FILE, what=what, why=": it has no cells")
    if code == sheet_reader.TOO_MANY_ROWS:
        return UnreadableBody(Reason.TOO_LARGE, why=f"its sheet has more than {sheet_reader.MAX_ROWS:,} rows")
    limit = sheet_reader.MAX_MEMORY_BYTES >> 20
    return UnreadableBody(Reason.TOO_LARGE, why=f"{what} whose first sheet takes more than {limit:,} MiB to read")
