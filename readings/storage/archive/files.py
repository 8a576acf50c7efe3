"""The files of the archive, in the storage that the settings name: written, checked and read.

A file is Parquet, compressed with zstd, its rows in order of unit, time and sensor. Files are never changed. Before a
process reads one for the first time it compares its hash with the recorded one; a file that is missing or differs is an
error, never fewer readings.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from threading import Lock

import polars as pl
import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages

from readings.archive_models import ArchiveFile
from readings.storage.archive.rows import SCHEMA
from readings.storage.archive.state import ArchiveError, ArchiveUnavailable, StorageOut

logger = structlog.get_logger(__name__)

STORAGE = "archive"
# A page of a list needs the rows of a short time of each unit; larger groups take fewer bytes a row.
ROWS_A_GROUP = 100_000
COMPRESSION_LEVEL = 12
COPY_BACK = "Copy it back from a backup, see docs/archive.md."
_HASHED_BYTES = 1 << 20

# Size and time of change of each path whose hash was right.
_checked: dict[str, tuple[int, int]] = {}
_checking = Lock()


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written: its name in the storage, its size and its hash."""

    name: str
    byte_count: int
    sha256: str


def archive_storage() -> Storage:
    """Return the storage of the archive."""
    storage: Storage = storages[STORAGE]
    return storage


def folder_of(month: date) -> str:
    """Return the folder of a month's files."""
    return f"{month:%Y/%m}"


def write(month: date, first_unit_id: int, rows: pl.DataFrame) -> Written:
    """Write rows, which are in order of their key, to a new file. Raise StorageOut."""
    buffer = io.BytesIO()
    rows.write_parquet(
        buffer, compression="zstd", compression_level=COMPRESSION_LEVEL, row_group_size=ROWS_A_GROUP, statistics=True
    )
    sha256 = hashlib.sha256(buffer.getbuffer()).hexdigest()
    wanted = f"{folder_of(month)}/readings-{month:%Y-%m}-{max(first_unit_id, 0)}-{sha256[:16]}.parquet"
    written = Written(wanted, buffer.getbuffer().nbytes, sha256)
    storage = archive_storage()
    with using_storage():
        if storage.exists(wanted):
            # Files are named by their content: it is in use, or a stopped run left it, perhaps half of it.
            try:
                checked_path(written)
            except ArchiveUnavailable:
                storage.delete(wanted)
            else:
                _flush(storage, wanted)
                return written
        buffer.seek(0)
        name = storage.save(wanted, File(buffer))
        _flush(storage, name)
    return Written(name, written.byte_count, sha256)


def _flush(storage: Storage, name: str) -> None:
    """Wait until a file in a folder is on the disk under its name: its readings will be nowhere else."""
    try:
        path, root = Path(storage.path(name)), Path(storage.path(""))
    except NotImplementedError:
        return
    for written in (path, *(folder for folder in path.parents if folder.is_relative_to(root))):
        descriptor = os.open(written, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(
    file: ArchiveFile | Written, unit_ids: Collection[int] | None, first: datetime, last: datetime
) -> pl.DataFrame:
    """Return the rows of these units (None: all), both instants included, in order of their key.

    Raise ArchiveUnavailable.
    """
    path = checked_path(file)
    lazy = pl.scan_parquet(path).filter(pl.col("recorded_at").is_between(first, last))
    if unit_ids is not None:
        wanted = sorted(unit_ids)
        lazy = lazy.filter(pl.col("storage_unit_id").is_between(wanted[0], wanted[-1]))
        if len(wanted) > 1:
            lazy = lazy.filter(pl.col("storage_unit_id").is_in(wanted))
    try:
        rows = lazy.collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _failed(file, "cannot be read", error) from error
    return rows.select(SCHEMA.names()).cast(SCHEMA)


def checked_path(file: ArchiveFile | Written) -> Path:
    """Return the path of a file, or of a copy if the storage is not a folder. Raise ArchiveUnavailable."""
    path = _local_path(file)
    try:
        status = path.stat()
        state = status.st_size, status.st_mtime_ns
        with _checking:
            if _checked.get(str(path)) == state:
                return path
        found = _hash_of(path)
    except FileNotFoundError as error:
        raise _unavailable(file, "is missing") from error
    except OSError as error:
        raise _failed(file, "cannot be read", error) from error
    if found != file.sha256:
        if path == _path_of_copy(file):
            # What is in the storage may be whole, or be replaced from a backup: it is fetched again.
            path.unlink(missing_ok=True)
        raise _damaged(file, found)
    with _checking:
        _checked[str(path)] = state
    return path


def check_stored(file: ArchiveFile) -> None:
    """Compare the file in the storage itself, rather than a copy of it, with its hash. Raise ArchiveUnavailable."""
    found = hashlib.sha256()
    with _opened(archive_storage(), file) as source:
        for chunk in source.chunks():
            found.update(chunk)
    if found.hexdigest() != file.sha256:
        raise _damaged(file, found.hexdigest())


def check_size(file: ArchiveFile) -> None:
    """Look whether a file is in the storage in its size, without reading it. Raise ArchiveUnavailable."""
    storage = archive_storage()
    with using_storage():
        if not storage.exists(file.name):
            raise _unavailable(file, "is missing")
        if (size := storage.size(file.name)) != file.byte_count:
            raise _unavailable(file, f"is damaged: it has {size:,} bytes instead of {file.byte_count:,}")


@contextmanager
def using_storage() -> Iterator[None]:
    """Raise StorageOut if the storage fails: each kind of storage has exceptions of its own."""
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:
        logger.warning("storage of the archive failed", error=str(error))
        raise StorageOut(
            f"The storage of archived readings cannot be used: {_kind_of(error)}. Check ARCHIVE_DIR, or ARCHIVE_STORAGE"
            " and ARCHIVE_OPTIONS."
        ) from error


def forget_checks() -> None:
    """Check every file again before it is next read."""
    with _checking:
        _checked.clear()


def _local_path(file: ArchiveFile | Written) -> Path:
    storage = archive_storage()
    try:
        return Path(storage.path(file.name))
    except NotImplementedError:
        return _copied(storage, file)


def _path_of_copy(file: ArchiveFile | Written) -> Path:
    return Path(settings.DATA_DIR) / "archive-cache" / f"{file.sha256}.parquet"


def _copied(storage: Storage, file: ArchiveFile | Written) -> Path:
    """Return the path of a local copy of a file in a storage that is not a folder."""
    cached = _path_of_copy(file)
    if not cached.exists():
        with _opened(storage, file) as source:
            cached.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cached.parent) as folder:
                copy = Path(folder) / cached.name
                with copy.open("wb") as target:
                    for chunk in source.chunks():
                        target.write(chunk)
                copy.replace(cached)
    return cached


@contextmanager
def _opened(storage: Storage, file: ArchiveFile | Written) -> Iterator[File[bytes]]:
    """Open a file in the storage. Raise ArchiveUnavailable, also for what fails while it is read or copied."""
    try:
        with storage.open(file.name) as source:
            yield source
    except FileNotFoundError as error:
        raise _unavailable(file, "is missing") from error
    except Exception as error:  # each storage has exceptions of its own
        raise _failed(file, "cannot be fetched", error) from error


def _hash_of(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_HASHED_BYTES):
            found.update(piece)
    return found.hexdigest()


def _damaged(file: ArchiveFile | Written, found: str) -> ArchiveUnavailable:
    return _unavailable(file, f"is damaged: its SHA-256 is {found[:16]}… instead of {file.sha256[:16]}…")


def _failed(file: ArchiveFile | Written, problem: str, error: Exception) -> ArchiveUnavailable:
    logger.warning("file of the archive failed", file=file.name, problem=problem, error=str(error))
    return _unavailable(file, f"{problem} ({_kind_of(error)})")


def _kind_of(error: Exception) -> str:
    """Return what kind of error it is: the health check shows it to everybody, and others may name hosts or paths."""
    return getattr(error, "strerror", None) or type(error).__name__


def _unavailable(file: ArchiveFile | Written, problem: str) -> ArchiveUnavailable:
    return ArchiveUnavailable(f"The file {file.name} of the archive of readings {problem}. {COPY_BACK}")
