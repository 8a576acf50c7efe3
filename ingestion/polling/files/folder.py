"""Files in a folder of this machine, below a folder that the operator allows."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from django.conf import settings

from core.http.guarded_http import FetchFailure
from ingestion.polling.files.store import StoredFile, file_in_folder
from ingestion.polling.request import SourceMisconfigured
from ingestion.sources.file_places import FilePlace


class Folder:
    """A folder. Links are neither listed nor followed, and the folder itself must really be below an allowed one."""

    def __init__(self, place: FilePlace) -> None:
        """Raise SourceMisconfigured if the folder is not allowed."""
        self._folder = _allowed(Path(place.folder))
        # By their keys, those of listed files as the system knows them.
        self._names: dict[str, str] = {}

    def list(self) -> Iterator[StoredFile]:
        """Yield the folder's regular files. Raise FetchFailure."""
        try:
            with os.scandir(self._folder) as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False) and (file := self._described(entry)):
                        self._names[file.key] = entry.name
                        yield file
        except OSError as error:
            raise _not_readable("The folder", error) from error

    def _described(self, entry: os.DirEntry[str]) -> StoredFile | None:
        """Return the file, None if it has been removed or renamed since the folder was read."""
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return file_in_folder(str(self._folder), os.fsencode(entry.name), status.st_size, modified_at)

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[IO[bytes]]:
        """Open a listed file. Raise FetchFailure, also if it has been replaced by a link."""
        try:
            name = self._names.get(file.key, file.name)
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise _not_readable(file.name, error) from error
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FetchFailure("not_readable", f"{file.name} is not a file.")
            yield opened


def _allowed(folder: Path) -> Path:
    bases = [Path(base).resolve() for base in settings.SOURCE_FOLDERS]
    resolved = folder.resolve()
    if not any(resolved.is_relative_to(base) for base in bases):
        # Whether the folder exists is nobody's business then.
        raise SourceMisconfigured("The folder is not below one of SOURCE_FOLDERS, which the operator allows.")
    return resolved


def _not_readable(what: str, error: OSError) -> FetchFailure:
    return FetchFailure("not_readable", f"{what} could not be read: {error.strerror or type(error).__name__}.")
