"""The archive in a storage that is not a folder, such as a bucket: files are copied before they are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.core.management import CommandError, call_command
from pytest_django import Settings
from typing_extensions import override

from customers.models import Sensor
from readings.archive_models import ArchiveFile
from readings.models import Reading
from readings.storage.archive import due, files, windows
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.due import archive_due
from readings.storage.archive.restoring import restore_month
from readings.storage.archive.state import ArchiveUnavailable
from readings.storage.archive.tests.test_archive import IN_MONTH, readings
from readings.storage.archive.tests.world import MONTH, answers, fill
from readings.storage.archive.verification import archive_problem, damaged_files

pytestmark = pytest.mark.django_db


class Bucket(Storage):
    """A storage without paths, as those of django-storages are."""

    contents: ClassVar[dict[str, bytes]] = {}

    def _open(self, name: str, mode: str) -> ContentFile[bytes]:
        if name not in self.contents:
            raise FileNotFoundError(name)
        return ContentFile(self.contents[name], name)

    def _save(self, name: str, content: File[bytes]) -> str:
        self.contents[name] = content.read()
        return name

    @override
    def exists(self, name: str) -> bool:
        return name in self.contents

    @override
    def size(self, name: str) -> int:
        return len(self.contents[name])

    @override
    def delete(self, name: str) -> None:
        del self.contents[name]

    @override
    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        return [], [name.removeprefix(f"{path}/") for name in self.contents if name.startswith(f"{path}/")]


@pytest.fixture(autouse=True)
def cache(settings: Settings, folder: Path) -> Path:
    """Archive to a storage without paths; return the folder of the copies."""
    Bucket.contents.clear()
    settings.STORAGES = settings.STORAGES | {"archive": {"BACKEND": f"{__name__}.Bucket"}}
    settings.DATA_DIR = folder
    return folder / "archive-cache"


def forget_copies(cache: Path) -> None:
    """Forget what was read, as another machine has not read it."""
    for copy in cache.iterdir():
        copy.unlink()
    files.forget_checks()
    windows.forget()


def test_a_month_answers_as_before_and_comes_back(sensors: list[Sensor], cache: Path) -> None:
    fill(sensors)
    stored, before = readings(), answers(sensors)
    archive_month(MONTH)
    forget_copies(cache)

    assert not Reading.objects.filter(**IN_MONTH).exists()
    assert repr(answers(sensors)) == repr(before)
    restore_month(MONTH)
    assert readings() == stored


def test_a_file_that_is_missing_is_an_error(sensors: list[Sensor], cache: Path) -> None:
    fill(sensors)
    archive_month(MONTH)
    forget_copies(cache)
    files.archive_storage().delete(ArchiveFile.objects.get().name)
    with pytest.raises(ArchiveUnavailable, match="is missing"):
        answers(sensors)


def test_a_copy_that_fails_half_way_leaves_nothing(
    sensors: list[Sensor], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is fetched again and again: what remained each time would fill the disk."""

    def begin(self: File[bytes], chunk_size: int | None = None) -> Iterator[bytes]:
        yield self.read(1_000)
        raise ConnectionResetError("Connection reset by peer")

    fill(sensors)
    before = answers(sensors)
    archive_month(MONTH)
    forget_copies(cache)
    with monkeypatch.context() as patch:
        patch.setattr(ContentFile, "chunks", begin)
        with pytest.raises(ArchiveUnavailable, match=r"cannot be fetched \(ConnectionResetError\)"):
            answers(sensors)
    assert list(cache.iterdir()) == []

    assert repr(answers(sensors)) == repr(before)


def test_what_keeps_a_copy_from_being_written_is_named(
    sensors: list[Sensor], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sensors)
    archive_month(MONTH)
    forget_copies(cache)
    cache.rmdir()
    cache.write_text("No folder can be made here.")
    with pytest.raises(ArchiveUnavailable, match=r"cannot be fetched \(.*File exists"):
        answers(sensors)


def test_a_damaged_copy_is_an_error(sensors: list[Sensor], cache: Path) -> None:
    fill(sensors)
    archive_month(MONTH)
    [copy] = cache.iterdir()
    copy.write_bytes(copy.read_bytes()[:-1])
    files.forget_checks()
    windows.forget()
    with pytest.raises(ArchiveUnavailable, match="is damaged"):
        answers(sensors)


def test_a_damaged_file_is_read_once_it_was_copied_back(sensors: list[Sensor], cache: Path) -> None:
    """What to do about a damaged file is to copy it back and nothing else: its copies are not kept."""
    fill(sensors)
    before = answers(sensors)
    archive_month(MONTH)
    name = ArchiveFile.objects.get().name
    whole = Bucket.contents[name]
    forget_copies(cache)
    Bucket.contents[name] = whole[:-1]
    with pytest.raises(ArchiveUnavailable, match="is damaged"):
        answers(sensors)

    Bucket.contents[name] = whole

    assert repr(answers(sensors)) == repr(before)


def test_verifying_compares_the_files_and_not_their_copies(sensors: list[Sensor], cache: Path) -> None:
    """A machine that has read a file before says nevertheless that the bucket has lost or changed it."""
    fill(sensors)
    archive_month(MONTH)
    name = ArchiveFile.objects.get().name
    assert list(cache.iterdir())
    assert damaged_files() == []

    Bucket.contents[name] = Bucket.contents[name][:-1]
    assert [problem.split(": its")[0] for problem in damaged_files()] == [
        f"The file {name} of the archive of readings is damaged"
    ]
    del Bucket.contents[name]
    assert [problem.split(". ")[0] for problem in damaged_files()] == [
        f"The file {name} of the archive of readings is missing"
    ]


def refuse(*_: object) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_a_bucket_that_does_not_answer_is_a_problem_until_it_does(
    sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sensors)
    archive_month(MONTH)
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "exists", refuse)
        archive_due(timedelta(days=36_500))
        assert archive_problem() == (
            "2024-03: The storage of archived readings cannot be used: Connection refused. Check ARCHIVE_DIR, or"
            " ARCHIVE_STORAGE and ARCHIVE_OPTIONS."
        )
    archive_due(timedelta(days=36_500))
    assert archive_problem() is None


@pytest.mark.parametrize("operation", ["listdir", "exists", "_save"])
def test_the_command_says_that_a_bucket_does_not_answer(
    operation: str, sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "_objections", [])
    fill(sensors[:1])
    stored = readings()
    monkeypatch.setattr(Bucket, operation, refuse)
    with pytest.raises(CommandError, match="cannot be used: Connection refused"):
        call_command("archive_readings", "--month", "2024-03")
    assert readings() == stored
