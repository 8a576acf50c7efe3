"""A month in files answers like one in the table, in every reader, and comes back unchanged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from django.db import transaction
from django.utils import timezone

from audit.models import AuditEntry
from customers.models import Sensor
from readings.archive_models import ArchivedMonth, ArchiveFile, RecalledUnit
from readings.models import Reading
from readings.storage.archive import archiving, due, files, windows
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.due import archive_due, archive_or_note, due_months
from readings.storage.archive.restoring import restore_month
from readings.storage.archive.rows import sums
from readings.storage.archive.state import ArchiveUnavailable, CannotArchive
from readings.storage.archive.tests.world import MONTH, answers, fill, rows_of, stored
from readings.storage.archive.verification import archive_problem, damaged_files
from readings.storage.partitions import month_start
from readings.storage.reading_batch import ReadingRow
from readings.storage.revisions import withdraw
from readings.storage.rollups import refresh
from tests.factories import store_reading

pytestmark = pytest.mark.django_db

IN_MONTH = {"recorded_at__gte": datetime(2024, 3, 1, tzinfo=UTC), "recorded_at__lt": datetime(2024, 4, 1, tzinfo=UTC)}
NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def filled(sensors: list[Sensor]) -> None:
    fill(sensors)


def readings() -> list[tuple[object, ...]]:
    names = [field.attname for field in Reading._meta.concrete_fields]
    return sorted(Reading.objects.values_list(*names), key=repr)


def test_an_archived_month_answers_as_before(sensors: list[Sensor]) -> None:
    before = answers(sensors)
    outcome = archive_month(MONTH)

    assert outcome.reading_count > 1_000
    assert not Reading.objects.filter(**IN_MONTH).exists()
    assert repr(answers(sensors)) == repr(before)
    # Reading it left nothing in the table.
    assert not Reading.objects.filter(**IN_MONTH).exists()


def test_several_files_answer_like_one(sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch) -> None:
    before = answers(sensors)
    monkeypatch.setattr(archiving, "ROWS_A_FILE", 10)
    assert archive_month(MONTH).file_count == 2
    assert repr(answers(sensors)) == repr(before)


def test_a_restored_month_is_what_it_was_and_remains_for_a_week(sensors: list[Sensor]) -> None:
    before, answered = readings(), answers(sensors)
    archive_month(MONTH)
    restore_month(MONTH)

    assert readings() == before
    assert repr(answers(sensors)) == repr(answered)
    assert not ArchivedMonth.objects.get().is_archived
    assert MONTH not in due_months(timedelta(days=1))
    assert MONTH in due_months(timedelta(days=1), timezone.now() + timedelta(days=8))


def test_the_audit_trail_records_archiving_and_restoring() -> None:
    archive_month(MONTH)
    restore_month(MONTH)
    archived, restored = AuditEntry.objects.filter(model="readings.reading").order_by("id")
    assert (archived.action, restored.action) == ("archived", "restored")
    assert archived.object_id == restored.object_id == "2024-03"


def test_files_hold_rows_in_order_of_unit_and_time(folder: Path) -> None:
    archive_month(MONTH)
    (path,) = folder.rglob("*.parquet")
    rows = pl.read_parquet(path)
    assert rows.rows() == rows.sort("storage_unit_id", "recorded_at", "sensor_id").rows()
    assert ArchiveFile.objects.get().reading_count == len(rows)


def test_a_late_row_is_stored_once_and_merged(sensors: list[Sensor]) -> None:
    archive_month(MONTH)
    sensor = sensors[0]
    late = ReadingRow(sensor.storage_unit_id, sensor.pk, NOON + timedelta(minutes=7), 5.5)

    assert stored(late).stored == 1
    assert stored(late).duplicates == 1
    known = next(row for row in rows_of(sensor, timedelta(hours=1)) if row.recorded_at == NOON)
    assert stored(known).duplicates == 1
    assert stored(known._replace(temperature_c=-40.0)).contradictions == [0]
    assert RecalledUnit.objects.get().storage_unit_id == sensor.storage_unit_id

    refresh()
    before = answers(sensors)
    archive_month(MONTH)
    assert not RecalledUnit.objects.exists()
    assert not Reading.objects.filter(**IN_MONTH).exists()
    assert repr(answers(sensors)) == repr(before)
    assert stored(late).duplicates == 1


def test_archived_readings_can_be_withdrawn(sensors: list[Sensor]) -> None:
    unit = sensors[0].storage_unit
    span = stored(ReadingRow(unit.pk, sensors[0].pk, NOON + timedelta(minutes=9), 7.0)).spans
    archive_month(MONTH)
    assert withdraw(unit, span, by="somebody", reason="a mistake") == 1
    archive_month(MONTH)
    assert not any(
        row["recorded_at"] == NOON + timedelta(minutes=9)
        for file in ArchiveFile.objects.filter(replaced_at=None)
        for row in files.read(file, None, NOON, NOON + timedelta(hours=1)).iter_rows(named=True)
    )


def test_readings_that_change_meanwhile_keep_a_month_in_the_table(
    sensors: list[Sensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_while_storing(month: date, first_unit_id: int, rows: pl.DataFrame) -> files.Written:
        stored(ReadingRow(sensors[0].storage_unit_id, sensors[0].pk, NOON + timedelta(minutes=1), 6.0))
        return files.write(month, first_unit_id, rows)

    monkeypatch.setattr(archiving, "write_file", write_while_storing)
    with pytest.raises(CannotArchive, match="stored or changed"):
        archive_month(MONTH)
    assert Reading.objects.filter(**IN_MONTH).exists()
    assert not ArchiveFile.objects.exists()


def test_a_month_that_ended_a_month_ago_is_too_new() -> None:
    with pytest.raises(CannotArchive, match="too new"):
        archive_month(month_start(timezone.now() - timedelta(days=31)).date())


def test_a_month_is_due_once_all_of_it_is_older() -> None:
    # The readings of the fixture arrived late, just now.
    tomorrow = timezone.now() + timedelta(days=1)
    age_of_last = tomorrow - datetime(2024, 4, 1, tzinfo=UTC)
    assert MONTH not in due_months(age_of_last + timedelta(seconds=1), tomorrow)
    assert MONTH in due_months(age_of_last, tomorrow)
    assert MONTH not in due_months(age_of_last, tomorrow - timedelta(hours=1))


def test_a_month_that_is_too_new_leaves_no_trace() -> None:
    with pytest.raises(CannotArchive, match="too new"):
        archive_month(timezone.now().date())

    assert not ArchivedMonth.objects.exists()


def test_the_health_check_shows_no_more_of_an_unexpected_error_than_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("postgres://owner:secret@10.0.0.5/temperature")

    monkeypatch.setattr(due, "objection_to", lambda _: None)
    monkeypatch.setattr(archiving, "_write_files", fail)
    with pytest.raises(RuntimeError, match="secret"):
        archive_or_note(MONTH)

    assert archive_problem() == (
        "2024-03: It could not be archived because of a RuntimeError. The logs of the worker say more."
    )


def test_the_health_check_shows_no_sums_of_readings_that_were_read_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "objection_to", lambda _: None)
    monkeypatch.setattr(archiving, "sums", lambda rows: replace(sums(rows), sum_ninth_micro_c=1))

    assert archive_or_note(MONTH) is None
    assert archive_problem() == (
        "2024-03: What was read of 2024-03 is not what the table holds; nothing was changed. The logs say more."
    )


def test_the_health_check_names_no_customer_that_keeps_a_month_from_being_archived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The objection came up after the first look: a delivery arrived in between."""
    objections = iter([None, "Days of the customer ACME are not sealed yet."])
    monkeypatch.setattr(due, "objection_to", lambda _: next(objections))

    assert archive_or_note(MONTH) is None
    assert archive_problem() is None


class TestDamage:
    @pytest.fixture(autouse=True)
    def archived(self) -> None:
        archive_month(MONTH)
        files.forget_checks()
        windows.forget()

    def test_a_missing_file_is_an_error_that_names_it(self, folder: Path, sensors: list[Sensor]) -> None:
        (path,) = folder.rglob("*.parquet")
        path.unlink()
        with pytest.raises(ArchiveUnavailable, match=f"{path.name} of the archive of readings is missing"):
            answers(sensors)
        archive_due(timedelta(days=36_500))
        assert "is missing" in (archive_problem() or "")

    def test_a_damaged_file_is_an_error(self, folder: Path, sensors: list[Sensor]) -> None:
        (path,) = folder.rglob("*.parquet")
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(ArchiveUnavailable, match="is damaged"):
            answers(sensors)
        with pytest.raises(ArchiveUnavailable, match="is damaged"), transaction.atomic():
            store_reading(sensors[0].storage_unit, 4.0, NOON + timedelta(minutes=3))
        with pytest.raises(ArchiveUnavailable, match="is damaged"):
            restore_month(MONTH)
        assert len(damaged_files()) == 1

    def test_a_file_that_is_back_is_no_problem_any_more(self, folder: Path, sensors: list[Sensor]) -> None:
        (path,) = folder.rglob("*.parquet")
        content = path.read_bytes()
        path.unlink()
        archive_due(timedelta(days=36_500))
        path.write_bytes(content)
        archive_due(timedelta(days=36_500))
        assert archive_problem() is None
        assert answers(sensors)
