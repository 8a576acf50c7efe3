"""Every change of sealed readings that is not on record is found, with the place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from customers.models import StorageUnit
from readings.archive_models import ArchiveFile
from readings.models import FutureReading, LateReadings, Reading, ReadingRevision
from readings.storage.archive import files
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.reading import recall
from readings.storage.closing import closes_at, start_of
from readings.storage.future_readings import store_due
from readings.storage.revisions import NewMeasurement, replace_measurement, withdraw
from readings.storage.store import StoredSpan
from seals.models import DaySeal, ReadingBlock
from seals.tests.sealed_data import DAY, NEXT_DAY, arrive_late, findings_of, seal_until, store_in_time
from seals.verification.findings import Change, Finding
from tests.factories import CustomerFactory, StorageUnitFactory, sensor_of, store_readings

pytestmark = pytest.mark.django_db

CLOSE = closes_at(DAY)
QUARTER = timedelta(minutes=15)
THIRD = start_of(DAY) + 2 * QUARTER


@pytest.fixture
def unit() -> StorageUnit:
    unit = StorageUnitFactory(unit_code="F7", facility__facility_code="north", facility__customer__customer_code="ACME")
    store_in_time(unit, [5.0, 5.5, 6.0, 6.5])
    seal_until(CLOSE, unit.facility.customer)
    return unit


def run(sql: str, *parameters: datetime | int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def found(unit: StorageUnit) -> list[Finding]:
    return findings_of(unit.facility.customer)


@pytest.fixture
def archive(settings: Settings, tmp_path: Path) -> Path:
    """Return the folder of the archive."""
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    return tmp_path


@pytest.mark.usefixtures("archive")
def test_archived_readings_are_verified_like_others(
    unit: StorageUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive_month(DAY)
    assert not Reading.objects.exists()
    assert found(unit) == []

    monkeypatch.setattr(files, "checked_path", exchanged(files.checked_path, tmp_path / "other.parquet"))
    (finding,) = found(unit)
    assert (finding.change, "00:30:00" in finding.where) == (Change.EDITED, True)


def lose(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    path.write_bytes(b"damaged")


@pytest.mark.parametrize(("harm", "problem"), [(lose, "is missing"), (damage, "is damaged")])
def test_a_file_that_cannot_be_read_is_a_finding_and_everything_else_is_verified(
    harm: Callable[[Path], None], problem: str, archive: Path
) -> None:
    unit, recalled = StorageUnitFactory.create_batch(2, facility__customer=CustomerFactory())
    store_in_time(unit, [5.0])
    store_in_time(recalled, [6.0])
    seal_until(CLOSE, unit.facility.customer)
    archive_month(DAY)
    recall([recalled.pk], start_of(DAY), CLOSE)
    Reading.objects.filter(storage_unit=recalled).update(temperature_c=1.0)
    (file,) = ArchiveFile.objects.all()
    harm(archive / file.name)
    files.forget_checks()

    edited, unreadable = found(unit)

    assert (edited.change, f"(unit {recalled.pk})" in edited.where) == (Change.EDITED, True)
    assert (unreadable.change, unreadable.where) == (Change.UNREADABLE, "archived readings of 2026-06")
    assert f"The file {file.name} of the archive of readings {problem}" in unreadable.detail
    assert "Copy it back from a backup" in unreadable.detail


def exchanged(path_of: Callable[[ArchiveFile], Path], other: Path) -> Callable[[ArchiveFile], Path]:
    """Return a function like `path_of` whose file has another temperature, as if its hash had been exchanged, too."""

    def path_of_other(file: ArchiveFile) -> Path:
        is_third = pl.col("recorded_at") == THIRD
        edited = pl.when(is_third).then(4.0).otherwise(pl.col("temperature_c")).alias("temperature_c")
        pl.read_parquet(path_of(file)).with_columns(edited).write_parquet(other)
        return other

    return path_of_other


def test_an_edited_reading_is_named(unit: StorageUnit) -> None:
    run("UPDATE reading SET temperature_c = 4.0 WHERE recorded_at = %s", THIRD)

    (finding,) = found(unit)
    assert str(finding) == (
        f"Edited: reading of ACME north F7 (unit {unit.pk}), sensor {sensor_of(unit).pk}, "
        "2026-06-01 00:30:00.000000 UTC. It differs from what was sealed. 4 were sealed, 4 are there."
    )


def test_a_trigger_that_could_change_readings_before_they_are_stored_is_found(unit: StorageUnit) -> None:
    run("CREATE FUNCTION warmer() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.temperature_c := 5; RETURN NEW; END'")
    run("CREATE TRIGGER warmer BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION warmer()")

    assert [str(finding) for finding in found(unit)] == [
        "Inserted: trigger reading: warmer. It is not of this system, and may change rows unseen."
    ]


def test_a_deleted_reading_is_named_by_its_place(unit: StorageUnit) -> None:
    run("DELETE FROM reading WHERE recorded_at = %s", THIRD)

    (finding,) = found(unit)
    assert finding.change == Change.DELETED
    assert finding.where == f"reading 3 of 4 in the readings of ACME north F7 (unit {unit.pk}) on 2026-06-01"


def test_all_readings_of_a_day_deleted_are_found(unit: StorageUnit) -> None:
    run("DELETE FROM reading")

    assert [finding.change for finding in found(unit)] == [Change.DELETED] * 4


def test_an_inserted_reading_is_named_whatever_its_arrival(unit: StorageUnit) -> None:
    store_readings(unit, [3.0], start=THIRD + timedelta(minutes=1))
    LateReadings.objects.all().delete()
    assert [finding.change for finding in found(unit)] == [Change.INSERTED]

    Reading.objects.filter(temperature_c=3.0).update(created_at=THIRD)
    (finding,) = found(unit)
    assert finding.change == Change.INSERTED
    assert "00:31:00" in finding.where


def test_an_inserted_reading_of_a_unit_without_any_that_day_is_found(unit: StorageUnit) -> None:
    store_in_time(StorageUnitFactory(facility=unit.facility), [4.0])

    (finding,) = found(unit)
    assert (finding.change, finding.detail) == (Change.INSERTED, "Its day was sealed without it.")


def test_swapped_times_are_found(unit: StorageUnit) -> None:
    sensor_id = sensor_of(unit).pk
    run(
        """UPDATE reading SET temperature_c = CASE recorded_at WHEN %s THEN 5.5 ELSE 6.0 END
        WHERE sensor_id = %s AND recorded_at IN (%s, %s)""",
        THIRD,
        sensor_id,
        THIRD,
        THIRD - QUARTER,
    )

    assert [finding.change for finding in found(unit)] == [Change.EDITED, Change.EDITED]


def test_late_readings_are_protected_before_and_after_they_are_sealed(unit: StorageUnit) -> None:
    start = start_of(DAY) + timedelta(minutes=5)
    arrive_late(unit, [9.0, 9.5], start=start, arrived_at=CLOSE + timedelta(hours=1))
    assert found(unit) == []

    run("DELETE FROM reading WHERE recorded_at = %s", start)
    (finding,) = found(unit)
    assert (finding.change, finding.detail) == (Change.DELETED, "2 were registered, 1 are there.")


def test_an_edited_late_reading_is_found(unit: StorageUnit) -> None:
    start = start_of(DAY) + timedelta(minutes=5)
    arrive_late(unit, [9.0, 9.5], start=start, arrived_at=CLOSE + timedelta(hours=1))
    seal_until(closes_at(NEXT_DAY), unit.facility.customer)
    run("UPDATE reading SET temperature_c = 5.0 WHERE recorded_at = %s", start)

    assert [finding.change for finding in found(unit)] == [Change.EDITED]


def test_a_replaced_reading_that_is_edited_again_is_found(unit: StorageUnit) -> None:
    new = NewMeasurement(7.0, "C", 1.0, 1)
    replace_measurement(unit, sensor_of(unit).pk, THIRD, new, by="anna", reason="The probe was swapped.")
    run("UPDATE reading SET temperature_c = 8.0 WHERE recorded_at = %s", THIRD)

    (finding,) = found(unit)
    assert finding.change == Change.EDITED
    assert "It is not what its revision of" in finding.detail


def test_a_forged_revision_is_found(unit: StorageUnit) -> None:
    new = NewMeasurement(7.0, "C", 1.0, 1)
    replace_measurement(unit, sensor_of(unit).pk, THIRD, new, by="anna", reason="The probe was swapped.")
    ReadingRevision.objects.update(before_temperature_c=1.0)

    assert [finding.change for finding in found(unit)] == [Change.EDITED]


@pytest.mark.parametrize(
    ("tamper", "where"),
    [
        (lambda: DaySeal.objects.filter(sequence=2).delete(), "seal 2 before"),
        (lambda: DaySeal.objects.filter(sequence=2).update(reading_count=7), "seal 2 of ACME"),
        (lambda: DaySeal.objects.filter(sequence=2).update(root=bytes(32)), "seal 2 of ACME"),
        (lambda: ReadingBlock.objects.update(reading_count=7), "blocks of readings in seal 1 of ACME"),
        (lambda: ReadingBlock.objects.update(root=bytes(32)), "blocks of readings in seal 1 of ACME"),
        (lambda: ReadingBlock.objects.all().delete(), "blocks of readings in seal 1 of ACME"),
    ],
)
def test_a_changed_seal_is_found(unit: StorageUnit, tamper: Callable[[], object], where: str) -> None:
    seal_until(closes_at(NEXT_DAY + timedelta(days=1)), unit.facility.customer)

    tamper()

    assert any(finding.where.startswith(where) for finding in found(unit))


EDITS = [
    "temperature_c = temperature_c + 0.0000000001",
    "recorded_at = recorded_at + interval '1 microsecond'",
    "created_at = created_at - interval '1 microsecond'",
    "quality_score = quality_score - 0.000001",
    "equipment_status_id = equipment_status_id + 1",
    "scale = 'F'",
]


@given(number=st.integers(0, 3), edit=st.sampled_from(EDITS))
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_edit_of_any_column_is_found(unit: StorageUnit, number: int, edit: str) -> None:
    run("SAVEPOINT before_edit")
    run(f"UPDATE reading SET {edit} WHERE recorded_at = %s", start_of(DAY) + number * QUARTER)  # noqa: S608  of EDITS

    assert [finding.change for finding in found(unit)] == [Change.EDITED]
    run("ROLLBACK TO SAVEPOINT before_edit")


def test_a_reading_that_was_replaced_before_its_time_came_is_sealed_as_it_was_then(unit: StorageUnit) -> None:
    at = CLOSE + timedelta(hours=2)
    FutureReading.objects.create(
        storage_unit=unit, sensor=sensor_of(unit), recorded_at=at, temperature_c=5.0, scale="C", equipment_status_id=1
    )
    new = NewMeasurement(7.0, "C", 1.0, 1)
    replace_measurement(unit, sensor_of(unit).pk, at, new, by="anna", reason="The probe was swapped.")
    store_due(unit.pk, at)
    Reading.objects.filter(recorded_at=at).update(created_at=at - 2 * QUARTER)
    ReadingRevision.objects.update(arrived_at=at - 2 * QUARTER, revised_at=at - QUARTER)

    seal_until(closes_at(at.date()), unit.facility.customer)

    assert (Reading.objects.get(recorded_at=at).temperature_c, found(unit)) == (7.0, [])
    run("UPDATE reading SET temperature_c = 5.0 WHERE recorded_at = %s", at)
    assert {finding.change for finding in found(unit)} == {Change.EDITED}


def test_a_reading_dated_ahead_may_be_replaced_and_withdrawn_before_its_time_comes(unit: StorageUnit) -> None:
    at = start_of(timezone.now().date()) + timedelta(days=2)
    key = {"storage_unit": unit, "sensor": sensor_of(unit), "recorded_at": at}
    waiting = FutureReading.objects.create(**key, temperature_c=5.0, scale="C", equipment_status_id=1)
    new = NewMeasurement(7.0, "C", 1.0, 1)
    replace_measurement(unit, sensor_of(unit).pk, at, new, by="anna", reason="The probe was swapped.")
    waiting.refresh_from_db()

    assert found(unit) == []
    run("SAVEPOINT before_edit")
    run("UPDATE future_reading SET temperature_c = 5.0 WHERE recorded_at = %s", at)
    assert [finding.change for finding in found(unit)] == [Change.EDITED]
    run("ROLLBACK TO SAVEPOINT before_edit")
    withdraw(unit, [StoredSpan(waiting.created_at, unit.pk, at, at)], by="anna", reason="The import was undone.")

    assert (FutureReading.objects.exists(), ReadingRevision.objects.count(), found(unit)) == (False, 2, [])
