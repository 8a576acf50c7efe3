"""How far an import has come, and what became of its files, as the pages show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingestion.models import FileImport, ImportFile


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import has come, in bytes."""

    done_bytes: int
    size_bytes: int

    @property
    def percent(self) -> int:
        """The share that is done; 100 only when all of it is."""
        return 100 * self.done_bytes // self.size_bytes if self.size_bytes else 100


def progress_of(file_import: FileImport) -> Progress:
    """Return the progress of an import: of the bytes of its files, how many have been stored, or undone."""
    is_undo = file_import.state in (FileImport.State.UNDOING, FileImport.State.UNDONE)
    unfinished = ImportFile.State.STORED if is_undo else ImportFile.State.WAITING
    done = size = 0
    for state, size_bytes, read_bytes in file_import.files.values_list("state", "size_bytes", "read_bytes"):
        size += size_bytes
        done += min(read_bytes, size_bytes) if state == unfinished else size_bytes
    return Progress(done, size)


def stored_count(files: Iterable[ImportFile]) -> int:
    """Return how many readings of these files were stored."""
    return sum(file.delivery.records_stored for file in files if file.delivery)


def present_files(file_import: FileImport) -> list[ImportFile]:
    """Return the files of an import with their deliveries, without their contents."""
    return list(file_import.files.defer("content", "spans").select_related("delivery").order_by("pk"))
