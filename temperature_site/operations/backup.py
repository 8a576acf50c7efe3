"""Back up the database while it is in use, and restore it into an empty one.

A backup is a folder: PostgreSQL's dump in its directory format, which is written and read by several processes, and a
manifest. All of it is the state of one moment: dump and row counts read the same snapshot.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class with the name of a variable

from temperature_site.models import Backup
from temperature_site.operations.backup_manifest import (
    DUMP_NAME,
    FORMAT,
    SECRETS,
    BackupError,
    Manifest,
    differences,
    needed_archive_files,
    read_manifest,
    row_counts,
    stored_files,
)
from temperature_site.operations.postgres_programs import Database, find_program

OBJECTS = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""


def back_up(database: Database, folder: Path, *, jobs: int) -> Manifest:
    """Write a backup into a new folder, which appears once it is complete. Raise BackupError or ProgramError."""
    if folder.exists():
        raise BackupError(f"{folder} exists: every backup has a folder of its own.")
    partial = folder.with_name(f"{folder.name}.partial")
    # Readable by its owner only: it contains everything.
    previous_umask = os.umask(0o077)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        manifest = _dump(database, partial, jobs)
        manifest.write(partial)
        partial.rename(folder)
    except OSError as error:
        raise BackupError(f"The backup cannot be written to {folder}: {error.strerror}.") from error
    finally:
        os.umask(previous_umask)
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def record_backup(manifest: Manifest, folder: Path, duration_seconds: float) -> None:
    """Record a completed backup, so that the operator is warned when none has followed for too long."""
    Backup.objects.create(
        taken_at=manifest.taken_at,
        folder=f"{socket.gethostname()}:{folder.resolve()}"[:1000],
        size_bytes=manifest.size_bytes,
        duration_seconds=duration_seconds,
    )


def restore(database: Database, folder: Path, *, jobs: int) -> Manifest:
    """Restore a backup into an empty database and compare the row counts. Raise BackupError or ProgramError."""
    manifest = read_manifest(folder)
    if unknown := _unknown_migrations(manifest):
        raise BackupError(
            f"The backup is of version {manifest.version}, whose migrations this version lacks ({unknown[0]})."
            " Restore it with that version or a newer one."
        )
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(OBJECTS)
        if cursor.fetchone() != (0,):
            raise BackupError("The database is not empty: create a new one, and name it in DATABASE_URL.")
        program = find_program("pg_restore", connection.server_version)
    arguments = ["--exit-on-error", "--no-owner", "--no-privileges", f"--jobs={jobs}"]
    database.run(program, [*arguments, f"--dbname={database.parameters['dbname']}", str(folder / DUMP_NAME)])
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        connection.commit()
        different = differences(manifest.rows, row_counts(cursor))
    if different:
        raise BackupError(f"The restored rows are not those of the backup. {'; '.join(different)}.")
    return manifest


def _dump(database: Database, folder: Path, jobs: int) -> Manifest:
    with closing(database.connect()) as connection:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        with connection.cursor() as cursor:
            # Before the snapshot is taken: a month that was archived after the dump would be missing in the numbers.
            cursor.execute("LOCK TABLE ONLY reading IN ACCESS SHARE MODE")
            cursor.execute("SELECT pg_export_snapshot(), now()")
            snapshot, taken_at = cursor.fetchone() or ("", datetime.now(UTC))
            program = find_program("pg_dump", connection.server_version)
            arguments = ["--format=directory", f"--snapshot={snapshot}", f"--file={folder / DUMP_NAME}"]
            database.run(program, [*arguments, f"--jobs={jobs}"])
            return Manifest(
                format=FORMAT,
                version=settings.VERSION,
                taken_at=taken_at.astimezone(UTC),
                server_version=connection.server_version,
                migrations=_applied_migrations(cursor),
                rows=row_counts(cursor),
                files=stored_files(folder),
                secrets=list(SECRETS),
                archive_files=needed_archive_files(cursor),
            )


def _applied_migrations(cursor: Cursor) -> list[str]:
    cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
    return [name for (name,) in cursor.fetchall()]


def _unknown_migrations(manifest: Manifest) -> list[str]:
    """Return the newest migrations of the backup's own apps that this version lacks."""
    disk = MigrationLoader(None).disk_migrations
    replaced = {key for migration in disk.values() for key in migration.replaces}
    known = {f"{app}.{name}" for app, name in disk.keys() | replaced}
    own = {name.partition(".")[0] for name in known}
    return sorted(name for name in manifest.migrations if name not in known and name.partition(".")[0] in own)


def default_folder(parent: Path) -> Path:
    """Return a folder named after this moment."""
    return parent / f"temperature-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
