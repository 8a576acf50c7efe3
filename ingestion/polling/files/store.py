"""What a place of files is to a poll, whatever serves it: a list of files, each of which can be read."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

# A folder with more entries fails the poll.
MAX_LISTED = 100_000
# A poll reads no more files: the next one reads the others.
MAX_READ = 10_000
MAX_PATH_LENGTH = 1_000
# What a column of the database holds. A server that lists a larger file, or one of fewer than 0 bytes, is wrong.
_MAX_SIZE = 2**63 - 1
# Names that senders give to files that they are still writing.
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".writing", ".lock", "~")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its store lists it. `key` identifies it there; `path` and its last part `name` are for people."""

    key: str
    path: str
    name: str
    size_bytes: int
    modified_at: datetime


def listed_size(size_bytes: int | None) -> int:
    """Return the size of a file as its server lists it, within the bounds of what can be stored."""
    return min(max(size_bytes or 0, 0), _MAX_SIZE)


def file_in_folder(folder: str, name: bytes, size_bytes: int | None, modified_at: datetime) -> StoredFile:
    """Return a file with a name in any encoding. Like a CSV line, it is shown as cp1252 if it is not UTF-8.

    Several names may be shown alike then. As Latin-1 each byte is a character, and no name has a slash.
    """
    folder = folder.rstrip("/")
    try:
        shown = name.decode()
        key = f"{folder}/{shown}"
    except UnicodeDecodeError:
        shown = name.decode("cp1252", "replace")
        key = f"{folder}//{name.decode('latin-1')}"
    return StoredFile(key, f"{folder}/{shown}", shown, listed_size(size_bytes), modified_at)


class FileStore(Protocol):
    """A place that files are read from. Its methods raise FetchFailure or SourceMisconfigured."""

    def list(self) -> Iterator[StoredFile]:
        """Yield the files in the source's folder, in any order, without following links."""

    def open(self, file: StoredFile) -> AbstractContextManager[IO[bytes]]:
        """Open a listed file for reading."""


def is_wanted(file: StoredFile, pattern: str) -> bool:
    """Return whether a file matches the source's pattern and has been written completely, by its name."""
    name = file.name
    if (
        not name
        or "\0" in file.key
        or name.startswith(".")
        or name.lower().endswith(_UNFINISHED_SUFFIXES)
        or len(file.key) > MAX_PATH_LENGTH
    ):
        return False
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())
