"""An undone import leaves what there would be without it, and everything can be sent again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from alarms.models import Excursion
from core.leases import ClaimLost
from customers.models import Customer, StorageUnit
from ingestion.imports import storing, undoing
from ingestion.imports.tests.imported import ROWS, run, stored, undo
from ingestion.loading import conflicts, replay, undone_rows
from ingestion.loading.source_push import SentBody, load_sent
from ingestion.models import Conflict, FileImport, RejectedRow, Source, SourceUnit
from readings.models import DailyRollup, LatestReading, Reading, ReadingRevision
from readings.storage.archive.archiving import archive_month
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    PushSourceFactory,
    SensorFactory,
    StorageUnitFactory,
    store_reading,
)

pytestmark = pytest.mark.django_db

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def fridge(customer: Customer) -> StorageUnit:
    return StorageUnitFactory(facility=FacilityFactory(customer=customer), unit_code="fridge")


@pytest.fixture
def source(customer: Customer) -> Source:
    return PushSourceFactory(customer=customer, default_unit_code="fridge")


def push(source: Source, text: str) -> tuple[int, int, int]:
    """Push rows; return how many were stored, duplicate and conflicting."""
    delivery = load_sent(source, SentBody(data=text.encode())).delivery
    return delivery.records_stored, delivery.records_duplicate, delivery.records_conflicting


def temperatures() -> list[float | None]:
    return list(Reading.objects.order_by("recorded_at").values_list("temperature_c", flat=True))


def test_an_undone_import_leaves_only_what_others_stored(customer: Customer, fridge: StorageUnit) -> None:
    sensor = SensorFactory(storage_unit=fridge, sensor_code="")
    store_reading(fridge, 4.5, TEN, sensor=sensor)
    file_import = stored(customer, f"{ROWS},5,no time\n")
    assert (Reading.objects.count(), Excursion.objects.count(), RejectedRow.objects.count()) == (3, 1, 1)

    undo(file_import, "The wrong fridge.")

    assert file_import.state == FileImport.State.UNDONE
    assert [reading.recorded_at for reading in Reading.objects.all()] == [TEN]
    assert LatestReading.objects.get().recorded_at == TEN
    assert sum(DailyRollup.objects.values_list("reading_count", flat=True)) == 1
    assert Excursion.objects.count() == 0
    assert list(RejectedRow.objects.values_list("state", "decided_by")) == [("undone", "anna")]
    revisions = ReadingRevision.objects.values_list("by", "reason", "after_scale")
    assert list(revisions) == [("anna", "The wrong fridge.", "")] * 2


@pytest.mark.usefixtures("fridge")
def test_undoing_all_readings_of_a_unit_ends_its_excursions(customer: Customer) -> None:
    file_import = stored(customer, ROWS)
    assert Excursion.objects.count() == 1

    undo(file_import)

    assert (Reading.objects.count(), Excursion.objects.count(), LatestReading.objects.count()) == (0, 0, 0)


def test_an_import_is_undone_once(customer: Customer) -> None:
    file_import = stored(customer, ROWS)

    assert undoing.undo(file_import, by="anna", reason="A test.") is True
    assert undoing.undo(file_import, by="bert", reason="Again.") is False


def test_an_undo_that_was_interrupted_is_continued(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    file_import = stored(customer, "time,temp,unit_id\n2026-11-20 10:00,4.5,a\n2026-11-20 10:00,4.5,b\n")
    undoing.undo(file_import, by="anna", reason="A test.")
    [claim] = storing.claim_due()
    look_back_for = undone_rows.look_back_for

    def interrupt(unit: StorageUnit, first: datetime) -> None:
        look_back_for(unit, first)
        if not Reading.objects.exists():
            raise ClaimLost

    monkeypatch.setattr(undone_rows, "look_back_for", interrupt)
    with pytest.raises(ClaimLost):
        undoing.run_claimed(claim)
    assert (Reading.objects.count(), ReadingRevision.objects.count()) == (1, 1)
    monkeypatch.undo()
    FileImport.objects.update(lease_until=timezone.now())

    [claim] = storing.claim_due()
    undoing.run_claimed(claim)

    file_import.refresh_from_db()
    assert (file_import.state, Reading.objects.count()) == ("undone", 0)
    assert ReadingRevision.objects.count() == 2


def test_replayed_rows_are_undone_with_their_import(customer: Customer) -> None:
    file_import = stored(customer, f"{ROWS}2026-11-20 13:00,warm,d\n")
    RejectedRow.objects.update(raw="2026-11-20 13:00,5,d")
    replay.replay(RejectedRow.objects.all(), by="anna")
    assert (Reading.objects.count(), RejectedRow.objects.get().state) == (4, "replayed")

    undo(file_import)

    assert (Reading.objects.count(), RejectedRow.objects.get().state) == (0, "undone")
    assert ReadingRevision.objects.count() == 4


def test_rows_of_an_import_that_is_being_undone_are_not_replayed(customer: Customer) -> None:
    file_import = stored(customer, f"{ROWS}2026-11-20 13:00,warm,d\n")
    RejectedRow.objects.update(raw="2026-11-20 13:00,5,d")
    undoing.undo(file_import, by="anna", reason="A test.")

    result = replay.replay(RejectedRow.objects.all(), by="anna")

    assert (result.replayed, RejectedRow.objects.get().state, Reading.objects.count()) == (0, "waiting", 3)


def test_an_undone_file_is_stored_when_it_is_uploaded_again(customer: Customer, fridge: StorageUnit) -> None:
    store_reading(fridge, 5.5, TEN, sensor=SensorFactory(storage_unit=fridge, sensor_code=""))
    Customer.objects.update(requires_reason=True)
    text = f"{ROWS}2026-11-20 13:00,warm,d\n"
    undo(stored(customer, text))
    assert list(Conflict.objects.values_list("state", flat=True)) == ["undone"]

    again = stored(customer, text)

    delivery = again.files.get().delivery
    assert delivery is not None
    counts = (delivery.records_stored, delivery.records_conflicting, delivery.records_rejected)
    assert (counts, Reading.objects.count()) == ((2, 1, 1), 3)
    assert Excursion.objects.count() == 1
    for row in (RejectedRow.objects.get(), Conflict.objects.get()):
        assert (row.state, row.delivery, row.decided_by, row.decided_at) == ("waiting", delivery, "", None)
    undo(again)
    assert {RejectedRow.objects.get().state, Conflict.objects.get().state} == {"undone"}


def test_a_rejected_row_that_was_received_again_since_still_waits(customer: Customer) -> None:
    text = f"{ROWS}2026-11-20 13:00,warm,d\n"
    first = stored(customer, text)
    stored(customer, text)

    undo(first)

    assert RejectedRow.objects.get().state == "waiting"


@pytest.mark.usefixtures("fridge")
def test_a_pushed_body_of_duplicates_is_loaded_again_after_an_undo(customer: Customer, source: Source) -> None:
    file_import = stored(customer, ROWS)
    assert (push(source, ROWS), push(source, ROWS)) == ((0, 3, 0), (0, 3, 0))
    assert source.deliveries.count() == 1

    undo(file_import)

    assert push(source, ROWS) == (3, 0, 0)
    assert Reading.objects.count() == 3


def test_what_contradicted_an_imported_reading_takes_its_place(
    customer: Customer, fridge: StorageUnit, source: Source
) -> None:
    file_import = stored(customer, ROWS)
    assert push(source, "time,temp,note\n2026-11-20 10:10,5.0,b\n") == (0, 0, 1)

    undo(file_import)

    assert (temperatures(), Conflict.objects.get().state) == ([5.0], "accepted")
    assert LatestReading.objects.get(storage_unit=fridge).temperature_c == 5.0
    assert sum(DailyRollup.objects.values_list("reading_count", flat=True)) == 1
    assert Excursion.objects.count() == 0


def test_an_accepted_conflict_of_the_import_is_returned(customer: Customer, fridge: StorageUnit) -> None:
    store_reading(fridge, 4.5, TEN, sensor=SensorFactory(storage_unit=fridge, sensor_code=""))
    file_import = stored(customer, "time,temp\n2026-11-20 10:00,25\n")
    conflicts.accept(Conflict.objects.all(), by="bert")
    assert (temperatures(), Excursion.objects.count()) == ([25.0], 1)

    undo(file_import)

    assert (temperatures(), Excursion.objects.count()) == ([4.5], 0)
    assert Conflict.objects.get().state == "undone"
    assert list(ReadingRevision.objects.values_list("by", flat=True)) == ["bert", "anna"]


@pytest.mark.usefixtures("fridge")
def test_what_took_the_place_of_an_undone_reading_is_undone_with_its_own_import(customer: Customer) -> None:
    first = stored(customer, "time,temp\n2026-11-20 10:00,25\n")
    second = stored(customer, "time,temp\n2026-11-20 10:00,5\n")
    undo(first)
    assert temperatures() == [5.0]

    undo(second)

    assert temperatures() == []


@pytest.mark.usefixtures("fridge")
@pytest.mark.parametrize("undone_first", [0, 1])
def test_undone_imports_whose_rows_replaced_one_reading_leave_what_it_was(
    customer: Customer, source: Source, undone_first: int
) -> None:
    push(source, "time,temp,note\n2026-11-20 10:00,4.5,a\n")
    imports = []
    for temperature in (25, 7):
        imports.append(stored(customer, f"time,temp\n2026-11-20 10:00,{temperature}\n"))
        conflicts.accept(Conflict.objects.filter(state="waiting"), by="bert")
    assert temperatures() == [7.0]

    undo(imports[undone_first])
    assert temperatures() == [(7.0, 25.0)[undone_first]]
    undo(imports[1 - undone_first])

    assert (temperatures(), Excursion.objects.count()) == ([4.5], 0)


@pytest.mark.usefixtures("fridge")
def test_the_conflict_accepted_last_takes_the_place_of_an_undone_reading(customer: Customer, source: Source) -> None:
    file_import = stored(customer, "time,temp\n2026-11-20 10:00,25\n")
    for temperature in (5, 7):
        push(source, f"time,temp,note\n2026-11-20 10:00,{temperature},a\n")
        conflicts.accept(Conflict.objects.filter(state="waiting"), by="bert")

    undo(file_import)

    assert temperatures() == [7.0]


def test_a_conflict_that_was_received_again_since_still_waits(
    customer: Customer, fridge: StorageUnit, source: Source
) -> None:
    store_reading(fridge, 4.5, TEN, sensor=SensorFactory(storage_unit=fridge, sensor_code=""))
    file_import = stored(customer, "time,temp\n2026-11-20 10:00,25\n")
    assert push(source, "time,temp,note\n2026-11-20 10:00,25,a\n") == (0, 0, 1)

    undo(file_import)

    assert Conflict.objects.get().state == "waiting"


def test_what_contradicted_a_reading_dated_ahead_takes_its_place_ahead(
    customer: Customer, fridge: StorageUnit, source: Source
) -> None:
    ahead = f"{timezone.now() + timedelta(hours=3):%Y-%m-%d %H:%M}"
    file_import = stored(customer, f"time,temp\n{ahead},25\n")
    assert push(source, f"time,temp,note\n{ahead},5,a\n") == (0, 0, 1)

    undo(file_import)

    assert list(fridge.future_readings.values_list("temperature_c", flat=True)) == [5.0]
    assert Reading.objects.count() == 0


def test_an_accepted_conflict_about_a_reading_dated_ahead_is_returned(
    customer: Customer, fridge: StorageUnit, source: Source
) -> None:
    ahead = f"{timezone.now() + timedelta(hours=3):%Y-%m-%d %H:%M}"
    push(source, f"time,temp,note\n{ahead},5,a\n")
    file_import = stored(customer, f"time,temp\n{ahead},25\n")
    conflicts.accept(Conflict.objects.all(), by="bert")

    undo(file_import)

    assert list(fridge.future_readings.values_list("temperature_c", flat=True)) == [5.0]


@pytest.mark.usefixtures("fridge")
def test_an_accepted_conflict_about_an_archived_reading_is_returned(
    customer: Customer, settings: Settings, tmp_path: Path
) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    stored(customer, "time,temp\n2024-03-05 10:00,4.5\n")
    file_import = stored(customer, "time,temp\n2024-03-05 10:00,25\n")
    conflicts.accept(Conflict.objects.all(), by="bert")
    archive_month(date(2024, 3, 1))
    assert temperatures() == []

    undo(file_import)

    assert (temperatures(), Excursion.objects.count()) == ([4.5], 0)


def test_polls_look_back_to_what_was_withdrawn(customer: Customer, fridge: StorageUnit, source: Source) -> None:
    file_import = stored(customer, ROWS)
    progress = SourceUnit.objects.create(
        source=source, storage_unit=fridge, complete_until=TEN + timedelta(days=1), looked_at=TEN
    )

    undo(file_import)

    progress.refresh_from_db()
    assert (progress.complete_until, progress.looked_at) == (TEN, None)


def test_readings_dated_ahead_are_undone_as_well(customer: Customer, fridge: StorageUnit) -> None:
    ahead = timezone.now() + timedelta(hours=3)
    file_import = stored(customer, f"time,temp\n2026-11-20 10:00,4\n{ahead:%Y-%m-%d %H:%M},5\n")
    assert (Reading.objects.count(), fridge.future_readings.count()) == (1, 1)

    undo(file_import)

    assert (Reading.objects.count(), fridge.future_readings.count()) == (0, 0)


def test_undoing_that_ends_its_worker_each_time_is_given_up_until_it_is_asked_for_again(
    customer: Customer, fridge: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Ends the worker: no handler of exceptions runs."""

    def end_process(*_: object) -> None:
        raise Killed

    file_import = stored(customer, ROWS)
    undoing.undo(file_import, by="anna", reason="The wrong fridge.")
    with monkeypatch.context() as patch:
        patch.setattr(undoing, "_undo_file", end_process)
        for _ in range(storing.MAX_ATTEMPTS):
            with pytest.raises(Killed):
                run(file_import)
            FileImport.objects.update(lease_until=timezone.now())

        assert run(file_import).state == FileImport.State.STORED
    assert "interrupted 3 times" in file_import.files.get().error_message
    assert storing.claim_due() == []

    assert undo(file_import).state == FileImport.State.UNDONE
