"""The manifest of a backup: what it contains, by which a restored database and its files are checked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with the name of a variable
from psycopg2.sql import SQL, Composed, Identifier, Literal

FORMAT = 1
MANIFEST_NAME = "manifest.json"
DUMP_NAME = "database"
# Without these the backup's tokens, credentials and sessions are useless; they are kept elsewhere.
SECRETS = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "SOURCE_CREDENTIALS_KEYS")

# Tables with rows of their own: partitions are counted with their parent.
TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1, 2
"""


class BackupError(Exception):
    """A backup cannot be taken or restored; the message says why and what to do."""


class StoredFile(msgspec.Struct, frozen=True):
    """A file's size and checksum."""

    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup contains. `secrets` names the settings that are not in it and are needed with it."""

    format: int
    version: str
    taken_at: datetime
    server_version: int
    migrations: list[str]
    rows: dict[str, int]
    files: dict[str, StoredFile]
    secrets: list[str]
    # The files of archived readings that this database needs, by their name in the storage; they are not in the backup.
    archive_files: dict[str, StoredFile] = {}

    @property
    def size_bytes(self) -> int:
        """The size of all files."""
        return sum(file.size_bytes for file in self.files.values())

    def write(self, folder: Path) -> None:
        """Write it into a backup's folder."""
        (folder / MANIFEST_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a backup whose files are all as they were written. Raise BackupError."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise BackupError(f"{folder} is no complete backup: it has no {MANIFEST_NAME}.") from error
    except msgspec.DecodeError as error:
        raise BackupError(f"{folder / MANIFEST_NAME} cannot be read: {error}.") from error
    if manifest.format != FORMAT:
        raise BackupError(f"{folder} has format {manifest.format}; this version reads format {FORMAT}.")
    found = stored_files(folder)
    if damaged := sorted(name for name in found.keys() | manifest.files if found.get(name) != manifest.files.get(name)):
        raise BackupError(f"{folder} is damaged: {', '.join(damaged[:5])} differ from the manifest.")
    return manifest


def stored_files(folder: Path) -> dict[str, StoredFile]:
    """Return the files of a backup except its manifest, by their path in it."""
    return {
        str(path.relative_to(folder)): StoredFile(path.stat().st_size, _checksum(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST_NAME
    }


def needed_archive_files(cursor: Cursor) -> dict[str, StoredFile]:
    """Return the files of archived readings that count."""
    cursor.execute("SELECT name, byte_count, sha256 FROM archive_file WHERE replaced_at IS NULL ORDER BY name")
    return {name: StoredFile(size, sha256) for name, size, sha256 in cursor.fetchall()}


def row_counts(cursor: Cursor) -> dict[str, int]:
    """Return the number of rows of every table, by its name with its schema unless that is `public`."""
    cursor.execute(TABLES)
    tables = cursor.fetchall()
    if not tables:
        return {}
    cursor.execute(SQL(" UNION ALL ").join(_counts(tables)))
    return dict(sorted(cursor.fetchall()))


def differences(expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Return a sentence for each table whose number of rows differs."""
    return [
        f"{table}: {expected.get(table, 0):,} rows in the backup, {found.get(table, 0):,} restored"
        for table in sorted(expected.keys() | found.keys())
        if expected.get(table) != found.get(table)
    ]


def _counts(tables: Iterable[tuple[str, str]]) -> Iterator[Composed]:
    for schema, table in tables:
        name = table if schema == "public" else f"{schema}.{table}"
        yield SQL("SELECT {}, count(*) FROM {}").format(Literal(name), Identifier(schema, table))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
