"""The archive as operators and users of the API meet it: the task and missing files."""

from __future__ import annotations

import os
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from customers.models import Sensor
from readings.archive_models import ArchivedMonth, ArchiveFile, RecalledUnit
from readings.storage.archive import archiving, due, files, reading, windows
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.reading import recall
from readings.storage.archive.state import AlreadyArchiving, ArchiveUnavailable, lock_table
from readings.storage.archive.tests.test_archive import NOON
from readings.storage.archive.tests.world import MONTH, answers, fill
from readings.tasks import archive_readings
from tests.api_clients import client_of
from tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


def remove_file(folder: Path) -> str:
    """Remove the file of the archive; return its name."""
    (path,) = folder.rglob("*.parquet")
    path.unlink()
    files.forget_checks()
    windows.forget()
    return path.name


def test_the_task_archives_what_is_older_than_data_retention_days(
    sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such as that days are not sealed.
    monkeypatch.setattr(due, "_objections", [])
    fill(sensors[:1])
    # They arrived late, just now, and no month with late readings is archived within a day.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE late_readings SET arrived_at = arrived_at - interval '2 days'")
    archive_readings()
    assert ArchivedMonth.objects.filter(month=MONTH, is_archived=True).exists()


def test_the_command_archives_the_months_that_can_be(sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "_objections", [lambda month: "Days are not sealed." if month < MONTH else None])
    fill(sensors[:1])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE late_readings SET arrived_at = arrived_at - interval '2 days'")

    with pytest.raises(CommandError, match=r"^2024-02 cannot be archived yet: Days are not sealed\.$"):
        call_command("archive_readings", stdout=StringIO())

    archived = ArchivedMonth.objects.filter(is_archived=True).values_list("month", flat=True)
    assert set(archived) == {date(2024, 3, 1), date(2024, 4, 1)}


def test_the_list_says_that_there_is_nothing_to_list() -> None:
    printed = StringIO()
    call_command("archive_readings", list=True, stdout=printed)
    assert printed.getvalue() == "No month is archived or to be archived.\n"


def test_the_task_leaves_the_work_to_a_run_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy() -> None:
        raise AlreadyArchiving("Another run is archiving readings.")

    monkeypatch.setattr(due, "remove_replaced_files", busy)
    archive_readings()
    assert not ArchivedMonth.objects.exists()


def test_files_are_on_the_disk_before_their_readings_leave_the_table(
    sensors: list[Sensor], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power failure would leave neither: the operating system writes a new file half a minute later."""
    written: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: written.append(os.fstat(descriptor).st_ino))
    on_the_disk: set[int] = set()

    def lock(mode: str) -> None:
        on_the_disk.update(written)
        lock_table(mode)

    monkeypatch.setattr(archiving, "lock_table", lock)
    fill(sensors[:1])

    archive_month(MONTH)

    (path,) = folder.rglob("*.parquet")
    month, year = path.parent, path.parent.parent
    # A name is in its folder.
    assert {each.stat().st_ino for each in (path, month, year, folder)} <= on_the_disk


def test_the_api_answers_503_and_names_a_file_that_is_missing(sensors: list[Sensor], folder: Path) -> None:
    fill(sensors[:1])
    client = client_of(sensors[0].storage_unit.facility.customer)
    query = {"start_date": "2024-03-10T00:00:00Z", "end_date": "2024-03-11T00:00:00Z"}
    archive_month(MONTH)
    assert client.get("/api/v1/temperature", query).json()["total"] == 25

    name = remove_file(folder)
    answer = client.get("/api/v1/temperature", query)

    assert answer.status_code == 503
    assert name in answer.content.decode()


def test_a_missing_file_is_named_even_if_units_are_recalled(
    sensors: list[Sensor], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ATTEMPTS", 2)
    fill(sensors)
    archive_month(MONTH)
    assert recall([sensors[0].storage_unit_id], NOON, NOON)
    assert RecalledUnit.objects.exists()

    name = remove_file(folder)

    with pytest.raises(ArchiveUnavailable, match=name):
        answers(sensors)


def test_the_admin_lists_archived_months_with_the_files_that_count(sensors: list[Sensor], client: Client) -> None:
    fill(sensors[:1])
    archive_month(MONTH)
    client.force_login(StaffFactory())
    (file,) = ArchiveFile.objects.all()

    listed = client.get(reverse("admin:readings_archivedmonth_changelist")).content.decode()
    page = client.get(reverse("admin:readings_archivedmonth_change", args=[MONTH])).content.decode()

    assert f'<td class="field-readings">{file.reading_count:,}</td>' in listed
    assert 'class="badge badge-good" title="">archived<' in listed
    assert file.name in page
    assert file.sha256 in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["archive_readings", "--month=9999-12"], "“9999-12” is not a month of the years 2000 to 2100"),
        (["archive_readings", "--month=0001-01"], "“0001-01” is not a month of the years 2000 to 2100"),
        (["archive_readings", "--month=2024-13"], "“2024-13” is not a month such as 2024-03"),
        (["restore_readings", "9999-12"], "“9999-12” is not a month of the years 2000 to 2100"),
        (["restore_readings", "2024-03", "--days=3000000"], "--days must be from 0 to 36,500"),
        (["restore_readings", "2024-03", "--days=-1"], "--days must be from 0 to 36,500"),
    ],
)
def test_the_commands_name_months_and_days_that_do_not_exist(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command(*arguments)
    assert not ArchivedMonth.objects.exists()
