"""Uploaded files are stored in the background, each exactly once, whatever happens to the workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone
from time_machine import Traveller

from core.leases import ClaimLost
from customers.models import Customer
from ingestion.imports import drafts, storing, undoing
from ingestion.imports.tests.imported import ROWS, UNKNOWN, first_file, map_files, run, store, stored, undo, uploaded
from ingestion.loading import replay
from ingestion.models import Delivery, FileImport, ImportFile, RejectedRow
from readings.models import Reading
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


def test_files_are_stored_each_as_a_delivery(customer: Customer) -> None:
    file_import = stored(customer, ROWS, "time,temp,note\n2026-11-20 10:00,-18,a\n")

    assert file_import.state == FileImport.State.STORED
    files = [file for file in file_import.files.all() if file.delivery]
    counts = [(each.name, each.state, each.delivery.records_stored, bytes(each.content)) for each in files]
    assert counts == [("fridge.csv", "stored", 3, b""), ("1fridge.csv", "stored", 1, b"")]
    assert sorted(Reading.objects.values_list("storage_unit__unit_code", flat=True).distinct()) == ["1fridge", "fridge"]
    assert storing.claim_due() == []


def test_a_worker_that_was_killed_leaves_the_file_to_the_next(customer: Customer) -> None:
    file_import = uploaded(customer, ROWS)
    drafts.store(file_import)
    [lost] = storing.claim_due()
    FileImport.objects.update(lease_until=timezone.now())

    run(file_import)

    assert (file_import.state, Reading.objects.count()) == (FileImport.State.STORED, 3)
    with pytest.raises(ClaimLost):
        undoing.run_claimed(lost)


def test_files_that_a_run_has_no_time_for_are_left_to_the_next(
    customer: Customer, noon: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_long(step: Callable[..., None]) -> Callable[..., None]:
        def taking_long(*arguments: object) -> None:
            noon.shift(undoing.RUN_TIME * 2)
            step(*arguments)

        return taking_long

    monkeypatch.setattr(storing, "_record_stored", take_long(storing._record_stored))
    monkeypatch.setattr(undoing, "_undo_rows_for_review", take_long(undoing._undo_rows_for_review))

    file_import = stored(customer, ROWS, "time,temp\n2026-11-20 10:00,-18\n")
    assert (file_import.state, file_import.claim_id, Reading.objects.count()) == ("storing", None, 3)
    assert (run(file_import).state, Reading.objects.count()) == ("stored", 4)

    undo(file_import)
    assert (file_import.state, file_import.claim_id, Reading.objects.count()) == ("undoing", None, 3)
    assert (run(file_import).state, Reading.objects.count()) == ("undone", 0)


def test_a_worker_that_lost_its_claim_stores_nothing(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts.store(uploaded(customer, ROWS))
    [claim] = storing.claim_due()

    def lose(progress: object, read_bytes: int) -> None:
        FileImport.objects.update(claim_id=None)

    monkeypatch.setattr(storing._Progress, "reach", lose)
    with pytest.raises(ClaimLost):
        undoing.run_claimed(claim)

    assert (Reading.objects.count(), Delivery.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_only_the_one_that_took_over_stores(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    file_import = uploaded(customer, ROWS)
    drafts.store(file_import)
    [first] = storing.claim_due()
    has_stored, is_claimed = threading.Event(), threading.Event()
    lost: list[ClaimLost] = []

    def pause(progress: object, read_bytes: int) -> None:
        if threading.current_thread() is holder:
            has_stored.set()
            assert is_claimed.wait(30)

    def hold_on() -> None:
        try:
            undoing.run_claimed(first)
        except ClaimLost as error:
            lost.append(error)
        finally:
            connection.close()

    monkeypatch.setattr(storing._Progress, "reach", pause)
    holder = threading.Thread(target=hold_on)
    holder.start()
    assert has_stored.wait(30)
    FileImport.objects.update(lease_until=timezone.now())
    [second] = storing.claim_due()
    is_claimed.set()
    undoing.run_claimed(second)
    holder.join(30)

    file_import.refresh_from_db()
    assert (file_import.state, len(lost)) == (FileImport.State.STORED, 1)
    assert (Reading.objects.count(), Delivery.objects.get().records_stored) == (3, 3)


def test_leases_and_due_times_are_by_the_databases_clock(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    file_import = uploaded(customer, ROWS)
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2001, 1, 1, tzinfo=UTC))

    drafts.store(file_import)
    [claim] = storing.claim_due()
    file_import.refresh_from_db()

    assert file_import.due_at.year > 2001
    assert file_import.lease_until is not None
    assert file_import.lease_until - file_import.due_at >= storing.import_leases.lease
    with storing.import_leases.work(claim):
        assert storing.claim_due() == []


def test_a_file_that_ends_its_worker_every_time_fails(customer: Customer) -> None:
    file_import = uploaded(customer, ROWS)
    drafts.store(file_import)
    ImportFile.objects.update(attempt_count=storing.MAX_ATTEMPTS)

    run(file_import)

    file = ImportFile.objects.get()
    assert (file.state, Reading.objects.count()) == ("failed", 0)
    assert "was interrupted 3 times" in file.error_message


def test_a_file_that_turns_out_to_be_unreadable_is_kept_and_stored_with_another_mapping(customer: Customer) -> None:
    file_import = uploaded(customer, UNKNOWN)
    ImportFile.objects.update(error_message="")
    store(file_import)
    file = first_file(file_import)
    assert (file.state, file.delivery and file.delivery.status) == ("failed", "failure")
    assert "No header line" in file.error_message

    drafts.correct(file_import)
    store(map_files(file_import, time_field="when", temperature_field="what"))

    assert (ImportFile.objects.get().state, Reading.objects.count()) == ("stored", 2)


def test_a_rejected_row_is_replayed_with_the_mapping_of_its_file(customer: Customer) -> None:
    file_import = uploaded(customer, "when,what\n2026-11-20 10:00,40.1\n2026-11-20 11:00,cold\n", ROWS)
    map_files(file_import, time_zone="Europe/Madrid")
    file = first_file(file_import)
    file.time_field, file.temperature_field, file.scale = "when", "what", "F"
    file.save()
    drafts.check_files(drafts.files_to_preview(file_import))
    store(file_import)
    RejectedRow.objects.update(raw="2026-11-20 11:00,41")

    replay.replay(RejectedRow.objects.all(), by="anna")

    newest = Reading.objects.filter(storage_unit__unit_code="fridge").latest("recorded_at")
    assert (newest.recorded_at.hour, newest.temperature_c, newest.scale) == (10, 5.0, "F")
    assert newest.storage_unit.facility.time_zone == "Europe/Madrid"
