"""Read the table in a ZIP archive or a workbook (XLSX), as a bounded stream of text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, cast

from ingestion.parsing.body import sheet_reader
from ingestion.parsing.body.identify import Container
from ingestion.parsing.limits import SPOOLED_BYTES
from ingestion.parsing.notes import names_listed
from ingestion.parsing.rejection_reasons import Reason, quoted
from ingestion.parsing.results import UnreadableBody

# Of a workbook or archive as it was sent, and of its members when they are unpacked.
MAX_ARCHIVE_BYTES = 64 << 20
MAX_MEMBER_BYTES = 256 << 20
_MAX_MEMBERS = 1_000
# More than any table compresses; an archive made to exhaust the memory compresses a thousandfold.
_MAX_RATIO = 200
_MAX_READ_SECONDS = 120
_CHUNK_BYTES = 1 << 18
# Of the directory of an archive with the most members, which `zipfile` reads at once.
_MAX_READ_BYTES = 1 << 20
# Files that systems hide, and the metadata that a Mac adds.
_HIDDEN = re.compile(r"(?:^|/)(?:__MACOSX/|\.)")
_MAX_SHEET_NAMES_BYTES = 1 << 14
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl", ".dat", ".log")


def table_in(container: Container, data: IO[bytes]) -> tuple[str, IO[bytes], tuple[str, ...]]:
    """Return the name and the bytes of the table in a workbook or an archive, and notes on it. Raise UnreadableBody."""
    what = "an Excel workbook (XLSX)" if container is Container.XLSX else "a ZIP archive"
    archive = _opened(data)
    _check_members(archive, what)
    if container is Container.XLSX:
        return "", *_sheet_as_csv(data)
    return *_member(archive, what), ()


class _ShortReads:
    """A file of which no more is read at once than the directory of an archive with few members takes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(min(size, _MAX_READ_BYTES + 1) if size >= 0 else _MAX_READ_BYTES + 1)
        if len(data) > _MAX_READ_BYTES:
            raise UnreadableBody(Reason.TOO_LARGE, why=f"it is an archive of more than {_MAX_MEMBERS:,} members")
        return data


def _opened(data: IO[bytes]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(cast("IO[bytes]", _ShortReads(data)))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _damaged() from error


def _damaged() -> UnreadableBody:
    return UnreadableBody(Reason.UNDECODABLE, why="its ZIP compression is damaged")


def _check_members(archive: zipfile.ZipFile, what: str) -> None:
    """Refuse an archive that would be unpacked to more than it should, before unpacking it."""
    members = archive.infolist()
    size = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members) or 1
    if len(members) > _MAX_MEMBERS or size > MAX_MEMBER_BYTES or (size > 1 << 20 and size / packed > _MAX_RATIO):
        raise UnreadableBody(
            Reason.TOO_LARGE, why=f"it is {what} that holds {size:,} bytes in {len(members):,} members"
        )


def _member(archive: zipfile.ZipFile, what: str) -> tuple[str, IO[bytes]]:
    members = [each for each in archive.infolist() if not _HIDDEN.search(each.filename)]
    tables = [each for each in members if each.filename.lower().endswith(_TABLE_SUFFIXES)]
    if len(tables) != 1:
        why = f": it holds {len(tables)} tables instead of one" if tables else ": it holds no table"
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what=what, why=why)
    table = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115  (lives as long as the body)
    for chunk in _chunks(archive, tables[0], what):
        table.write(chunk)
    table.seek(0)
    return tables[0].filename, cast("IO[bytes]", table)


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo, what: str) -> Iterator[bytes]:
    """Yield a member's content. It is never longer than its declared size, of which the sum has been checked."""
    if member.flag_bits & 0x1:
        raise UnreadableBody(Reason.UNSUPPORTED_FILE, what=what, why=": it is encrypted")
    try:
        with archive.open(member) as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise _damaged() from error


def _sheet_as_csv(data: IO[bytes]) -> tuple[IO[bytes], tuple[str, ...]]:
    """Return the first visible sheet with cells as CSV, and a note on the others.

    It is read by a process whose memory is limited; see sheet_reader.
    """
    with ExitStack() as closing:
        text = closing.enter_context(tempfile.TemporaryFile())
        data.seek(0)
        file = closing.enter_context(tempfile.TemporaryFile())
        names = closing.enter_context(tempfile.TemporaryFile())
        shutil.copyfileobj(data, file)  # a process needs a file of the system
        file.seek(0)
        try:
            # S603: the command is fixed; the workbook is data on standard input.
            code = subprocess.run(  # noqa: S603
                [sys.executable, "-I", sheet_reader.__file__],
                stdin=file,
                stdout=text,
                stderr=names,
                timeout=_MAX_READ_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
        if code != 0:
            raise _unreadable_sheet(code)
        text.seek(0)
        names.seek(0)
        notes = _sheets_note(names.read(_MAX_SHEET_NAMES_BYTES).decode("utf-8", "replace").splitlines())
        file.close()
        names.close()
        closing.pop_all()  # the caller reads the file, which is deleted when it is closed
    return text, notes


def _sheets_note(names: list[str]) -> tuple[str, ...]:
    """Return the note on the sheets that are not read; the first name is that of the one that is."""
    if len(names) < 2:
        return ()
    rest = f"Not read: {names_listed(names[1:])}. Import them as files of their own."
    return (f"Of several sheets {quoted(names[0])} was read. {rest}",)


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
