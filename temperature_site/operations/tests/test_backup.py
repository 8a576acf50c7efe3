"""A backup is the state of one moment, and is restored into an empty database only."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from customers.models import Customer
from readings.archive_models import ArchivedMonth, ArchiveFile
from readings.storage.archive import archiving
from readings.storage.archive.state import CannotArchive
from temperature_site.models import Backup
from temperature_site.operations.backup import back_up, restore
from temperature_site.operations.backup_manifest import BackupError, StoredFile, differences, read_manifest
from temperature_site.operations.postgres_programs import Database, ProgramError, current_database, find_program
from tests.factories import CustomerFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def empty_database() -> Iterator[Database]:
    """Create an empty database beside that of the tests."""
    database = current_database()
    name = f"test_restored_{uuid.uuid4().hex[:12]}"
    with closing(database.connect()) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            yield Database(database.parameters | {"dbname": name})
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_backup_is_restored_with_every_row_into_an_empty_database_only(
    tmp_path: Path, empty_database: Database
) -> None:
    CustomerFactory.create(customer_code="KEPT")
    month = ArchivedMonth.objects.create(month=date(2024, 3, 1), is_archived=True)
    for name, replaced_at in (("2024/03/counts.parquet", None), ("2024/03/replaced.parquet", timezone.now())):
        ArchiveFile.objects.create(
            month=month, first_unit_id=0, last_unit_id=9, name=name, byte_count=500, sha256="a1", unit_count=1,
            reading_count=90, fault_count=0, sum_ninth_micro_c=0, written_at=timezone.now(), replaced_at=replaced_at,
        )  # fmt: skip
    folder = tmp_path / "taken"

    manifest = back_up(current_database(), folder, jobs=2)
    assert read_manifest(folder).archive_files == {"2024/03/counts.parquet": StoredFile(500, "a1")}
    assert manifest.rows["customer"] == Customer.objects.count() == 1
    assert "SOURCE_CREDENTIALS_KEYS" in manifest.secrets

    restore(empty_database, folder, jobs=2)
    with closing(empty_database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT customer_code FROM customer")
        assert cursor.fetchall() == [("KEPT",)]

    with pytest.raises(BackupError, match="The database is not empty"):
        restore(empty_database, folder, jobs=2)

    dumped = next(path for path in sorted((folder / "database").iterdir()) if path.name != "toc.dat")
    dumped.write_bytes(dumped.read_bytes()[:-1])
    with pytest.raises(BackupError, match=f"is damaged: database/{dumped.name} differ"):
        read_manifest(folder)


def test_no_month_is_archived_between_the_dump_and_its_numbers(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, empty_database: Database
) -> None:
    """The numbers are those of the dump's moment, or no restored database would have as many readings."""
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "old")}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    monkeypatch.setattr(archiving, "LOCK_ATTEMPTS", 1)
    store_reading(StorageUnitFactory.create(), 4.0, datetime(2024, 3, 10, tzinfo=UTC))

    dump = Database.run

    def dump_and_archive(database: Database, program: Path, arguments: Sequence[str]) -> None:
        dump(database, program, arguments)
        with pytest.raises(CannotArchive, match="others used the readings"):
            archiving.archive_month(date(2024, 3, 1))

    with monkeypatch.context() as patched:
        patched.setattr(Database, "run", dump_and_archive)
        manifest = back_up(current_database(), tmp_path / "taken", jobs=1)

    assert manifest.rows["reading"] == 1
    restore(empty_database, tmp_path / "taken", jobs=1)


def test_the_command_records_when_it_ran_and_its_folder_is_private(tmp_path: Path) -> None:
    output = io.StringIO()
    call_command("backup", str(tmp_path), "--jobs", "1", stdout=output)

    (folder,) = tmp_path.iterdir()
    backup = Backup.objects.get()
    assert backup.folder.endswith(str(folder))
    assert backup.size_bytes == read_manifest(folder).size_bytes
    assert folder.stat().st_mode & 0o077 == 0
    assert "Not included, keep them elsewhere: SECRET_KEY" in output.getvalue()

    with pytest.raises(BackupError, match="every backup has a folder of its own"):
        back_up(current_database(), folder, jobs=1)


@pytest.mark.parametrize("command", ["backup", "restore"])
@pytest.mark.parametrize("jobs", ["0", "-1", "65", "many"])
def test_the_number_of_jobs_has_bounds(tmp_path: Path, command: str, jobs: str) -> None:
    """Each of them is a process and a connection."""
    with pytest.raises(CommandError, match=f"“{jobs}” is not a whole number from 1 to 64"):
        call_command(command, str(tmp_path), f"--jobs={jobs}")


def test_a_backup_of_a_newer_version_and_one_that_was_interrupted_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"is no complete backup: it has no manifest.json"):
        call_command("restore", str(tmp_path))

    manifest = {"format": 1, "version": "9.0.0", "taken_at": "2030-01-01T00:00:00Z", "server_version": 180000}
    manifest |= {"migrations": ["readings.9999_later"], "rows": {}, "files": {}, "secrets": []}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CommandError, match=r"version 9.0.0, whose migrations this version lacks"):
        call_command("restore", str(tmp_path))


def test_a_table_with_other_rows_is_named() -> None:
    assert differences({"customer": 2, "reading": 5}, {"customer": 2, "reading": 4, "extra": 1}) == [
        "extra: 0 rows in the backup, 1 restored",
        "reading: 5 rows in the backup, 4 restored",
    ]


def test_a_program_that_is_too_old_for_the_server_is_not_used() -> None:
    assert find_program("pg_dump", 160_000).is_file()
    with pytest.raises(ProgramError, match="pg_dump 99 is needed"):
        find_program("pg_dump", 990_000)


def test_of_several_hosts_a_backup_is_of_the_one_that_the_system_uses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the attribute it would be of the first, which is a replica after a failover, or lags."""
    program = find_program("pg_dump", 160_000)
    connection.ensure_connection()
    # What the tests' server is not, as a replica is not `read-write`.
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "target_session_attrs", "read-only")

    database = current_database()

    with pytest.raises(psycopg2.OperationalError, match="session is not read-only"):
        database.connect()
    with pytest.raises(ProgramError, match="session is not read-only"):
        database.run(program, ["--schema-only", f"--file={tmp_path / 'dump'}"])
