"""Imports: uploaded files are stored in the background, exactly once, and can be undone as a whole."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from alarms.models import Excursion
from core.leases import ClaimLost
from customers.models import Customer, StorageUnit
from ingestion.imports import storing, undoing, uploads
from ingestion.imports.mappings import ColumnError, assign_columns
from ingestion.loading import replay
from ingestion.models import Delivery, FileImport, ImportFile, RejectedRow, SavedMapping
from ingestion.parsing.head import HeadColumn
from readings.models import DailyRollup, LatestReading, Reading, ReadingRevision
from tests.factories import CustomerFactory, FacilityFactory, SensorFactory, StorageUnitFactory, store_reading

pytestmark = pytest.mark.django_db

ROWS = "time,temp,note\n2026-11-20 10:00,4.5,a\n2026-11-20 10:10,25.0,b\n2026-11-20 12:10,4.5,c\n"


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def fridge(customer: Customer) -> StorageUnit:
    return StorageUnitFactory(facility=FacilityFactory(customer=customer), unit_code="fridge")


def uploaded(customer: Customer, *texts: str, name: str = "fridge.csv") -> FileImport:
    files = [
        SimpleUploadedFile(name if not number else f"{number}{name}", text.encode())
        for number, text in enumerate(texts)
    ]
    return uploads.create_import(customer, files, by="anna")


def run(file_import: FileImport) -> FileImport:
    """Store or undo the import as a worker does."""
    [claim] = storing.claim_due()
    undoing.run_claimed(claim)
    file_import.refresh_from_db()
    return file_import


def stored(customer: Customer, *texts: str, name: str = "fridge.csv") -> FileImport:
    file_import = uploaded(customer, *texts, name=name)
    uploads.store(file_import, uploads.preview_file(first_file(file_import)))
    return run(file_import)


def first_file(file_import: FileImport) -> ImportFile:
    return uploads.files_to_preview(file_import)[0]


def test_files_are_stored_each_as_a_delivery(customer: Customer) -> None:
    file_import = stored(customer, ROWS, "time,temp,note\n2026-11-20 10:00,-18,a\n")

    assert file_import.state == FileImport.State.STORED
    files = [file for file in file_import.files.all() if file.delivery]
    counts = [(each.name, each.state, each.delivery.records_stored, bytes(each.content)) for each in files]
    assert counts == [("fridge.csv", "stored", 3, b""), ("1fridge.csv", "stored", 1, b"")]
    assert sorted(StorageUnit.objects.values_list("unit_code", flat=True)) == ["1fridge", "fridge"]
    assert storing.claim_due() == []


def test_a_draft_stores_nothing(customer: Customer) -> None:
    preview = uploads.preview_file(first_file(uploaded(customer, ROWS)))

    assert preview.stored == 3
    assert (Reading.objects.count(), storing.claim_due()) == (0, [])


def test_a_worker_that_was_killed_leaves_the_file_to_the_next(customer: Customer) -> None:
    file_import = uploaded(customer, ROWS)
    uploads.store(file_import, uploads.preview_file(first_file(file_import)))
    [lost] = storing.claim_due()
    FileImport.objects.update(lease_until=timezone.now())

    run(file_import)

    assert (file_import.state, Reading.objects.count()) == (FileImport.State.STORED, 3)
    with pytest.raises(ClaimLost):
        storing.store_files(lost)


def test_a_worker_that_lost_its_claim_stores_nothing(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    file_import = uploaded(customer, ROWS)
    uploads.store(file_import, uploads.preview_file(first_file(file_import)))
    [claim] = storing.claim_due()

    def lose(progress: object, read_bytes: int) -> None:
        FileImport.objects.update(claim_id=None)

    monkeypatch.setattr(storing._Progress, "reach", lose)
    with pytest.raises(ClaimLost):
        storing.store_files(claim)

    assert (Reading.objects.count(), Delivery.objects.count()) == (0, 0)


def test_a_file_that_cannot_be_read_is_kept_and_stored_with_another_mapping(customer: Customer) -> None:
    file_import = stored(customer, "when,what\n2026-11-20 10:00,4.5\n")
    file = first_file(file_import)
    assert (file.state, file.delivery and file.delivery.status) == ("failed", "failure")
    assert "No header line" in file.error_message

    uploads.correct(file_import)
    FileImport.objects.update(time_field="when", temperature_field="what")
    file_import.refresh_from_db()
    uploads.store(file_import, uploads.preview_file(first_file(file_import)))

    run(file_import)
    assert (ImportFile.objects.get().state, Reading.objects.count()) == ("stored", 1)


def test_an_undone_import_leaves_only_what_others_stored(customer: Customer, fridge: StorageUnit) -> None:
    sensor = SensorFactory(storage_unit=fridge, sensor_code="")
    before = datetime(2026, 11, 20, 10, tzinfo=UTC)
    store_reading(fridge, 4.5, before, sensor=sensor)
    file_import = stored(customer, f"{ROWS},5,no time\n")
    assert (Reading.objects.count(), Excursion.objects.count(), RejectedRow.objects.count()) == (3, 1, 1)

    undoing.undo(file_import, by="anna", reason="The wrong fridge.")
    run(file_import)

    assert file_import.state == FileImport.State.UNDONE
    assert [reading.recorded_at for reading in Reading.objects.all()] == [before]
    assert LatestReading.objects.get().recorded_at == before
    assert sum(DailyRollup.objects.values_list("reading_count", flat=True)) == 1
    assert Excursion.objects.count() == 0
    assert list(RejectedRow.objects.values_list("state", flat=True)) == ["dismissed"]
    revisions = ReadingRevision.objects.values_list("by", "reason", "after_scale")
    assert list(revisions) == [("anna", "The wrong fridge.", "")] * 2


@pytest.mark.usefixtures("fridge")
def test_undoing_all_readings_of_a_unit_ends_its_excursions(customer: Customer) -> None:
    file_import = stored(customer, ROWS)
    assert Excursion.objects.count() == 1

    undoing.undo(file_import, by="anna", reason="A test.")
    run(file_import)

    assert (Reading.objects.count(), Excursion.objects.count(), LatestReading.objects.count()) == (0, 0, 0)


def test_a_rejected_row_is_replayed_with_the_mapping_of_its_import(customer: Customer) -> None:
    file_import = uploaded(customer, "when,what\n2026-11-20 10:00,40.1\n2026-11-20 11:00,cold\n")
    FileImport.objects.update(time_field="when", temperature_field="what", scale="F", time_zone="Europe/Madrid")
    file_import.refresh_from_db()
    uploads.store(file_import, uploads.preview_file(first_file(file_import)))
    run(file_import)
    RejectedRow.objects.update(raw="2026-11-20 11:00,41")

    replay.replay(RejectedRow.objects.all(), by="anna")

    newest = Reading.objects.latest("recorded_at")
    assert (newest.recorded_at.hour, newest.temperature_c, newest.scale) == (10, 5.0, "F")


def test_an_import_is_undone_once(customer: Customer) -> None:
    file_import = stored(customer, ROWS)

    assert undoing.undo(file_import, by="anna", reason="A test.") is True
    assert undoing.undo(file_import, by="bert", reason="Again.") is False


def test_the_mapping_is_remembered_for_files_with_the_same_header(customer: Customer) -> None:
    file_import = uploaded(customer, "when,what\n2026-11-20 10:00,40.1\n")
    FileImport.objects.update(time_field="when", temperature_field="what", scale="F")
    file_import.refresh_from_db()
    uploads.store(file_import, uploads.preview_file(first_file(file_import)))

    again = uploaded(customer, "When, What\n2026-11-21 10:00,41\n", name="other.csv")
    of_others = uploaded(CustomerFactory(), "when,what\n2026-11-21 10:00,41\n")

    assert (again.time_field, again.temperature_field, again.scale) == ("when", "what", "F")
    assert (again.mapping_origin, of_others.mapping_origin) == ("Saved mapping “when, what”", "")
    assert SavedMapping.objects.get().customer == customer


COLUMNS = [
    HeadColumn(name="when"),
    HeadColumn(name="T1", field="temperature"),
    HeadColumn(name="T2"),
    HeadColumn(name="S", field="sensor"),
]


def test_only_columns_that_are_chosen_differently_change_the_mapping() -> None:
    mapping = FileImport()

    assign_columns(mapping, COLUMNS, {0: "time", 1: "temperature", 2: "", 3: ""})

    assert (mapping.time_field, mapping.temperature_field, mapping.sensor_field) == ("when", "", "=")


def test_two_columns_cannot_be_the_time() -> None:
    with pytest.raises(ColumnError, match="Only one column can be the time: choose one of “when”, “T2”"):
        assign_columns(FileImport(), COLUMNS, {0: "time", 2: "time"})


@pytest.mark.parametrize(("content", "says"), [(b"  \n", "is empty"), (b"\x1f\x8bdamaged", "is damaged")])
def test_an_upload_that_cannot_be_imported_says_why(customer: Customer, content: bytes, says: str) -> None:
    with pytest.raises(uploads.UploadRefused, match=says):
        uploads.create_import(customer, [SimpleUploadedFile("a.csv", content)], by="anna")
    assert not FileImport.objects.exists()
