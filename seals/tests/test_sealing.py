"""The sealing task: it waits for running transactions, runs once at a time, and the commands report what it sealed."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from audit.models import AuditEntry
from customers.models import Customer, StorageUnit
from readings.archive_models import ArchiveFile
from readings.models import FutureReading, LateReadings, Reading
from readings.storage.archive.archiving import archive_month
from readings.storage.archive.state import CannotArchive
from readings.storage.closing import closes_at, start_of
from seals.checkpoint import advance_checkpoint
from seals.days import customers_with_due_days, due_day
from seals.models import ChainLink, DaySeal, SettledCheckpoint
from seals.sealing import CHAINED_WITHIN, SEALED_WITHIN, objection_to_archiving, seal, sealing_problem
from seals.tasks import seal_trail
from seals.tests.sealed_data import BEGAN_AT, DAY, arrive_late, last_entry_id, seal_until, settled_at, store_in_time
from seals.transactions import SEALING_LOCK
from tests.factories import CustomerFactory, StorageUnitFactory, store_reading


def other_connection() -> psycopg2.extensions.connection:
    """Return another connection to the same database."""
    other: psycopg2.extensions.connection = psycopg2.connect(**connection.get_connection_params())
    return other


@pytest.mark.django_db(transaction=True)
def test_entries_are_chained_once_the_transactions_that_were_running_have_ended() -> None:
    CustomerFactory(customer_code="EARLY")
    slow = other_connection()
    with slow.cursor() as cursor:
        # It has the id of its entry before the next customer's, and commits after it.
        cursor.execute("UPDATE customer SET name = 'Slow' WHERE customer_code = 'EARLY'")
    CustomerFactory(customer_code="LATER")

    for _ in range(3):
        assert seal().entries == 0

    slow.commit()
    slow.close()
    seal_until_all_is_chained()
    entry_ids = list(ChainLink.objects.order_by("position").values_list("entry_id", flat=True))
    assert entry_ids == sorted(entry_ids)


@pytest.mark.django_db(transaction=True)
def test_a_second_run_leaves_the_work_to_the_first() -> None:
    CustomerFactory()
    other = other_connection()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [SEALING_LOCK])
        seal_trail()
        assert not SettledCheckpoint.objects.exists()
        cursor.execute("SELECT pg_advisory_unlock(%s)", [SEALING_LOCK])
    other.close()

    seal_until_all_is_chained()


@pytest.mark.django_db
def test_a_checkpoint_of_another_server_is_begun_again() -> None:
    SettledCheckpoint.objects.create(
        started_at=BEGAN_AT, pending_at=BEGAN_AT, pending_entry_id=5, pending_transaction_id=2**60
    )

    checkpoint = advance_checkpoint()

    assert checkpoint.settled_at is None
    assert checkpoint.pending_at is not None
    assert timezone.now() - checkpoint.pending_at < timedelta(minutes=1)
    assert checkpoint.pending_transaction_id < 2**60
    assert checkpoint.pending_entry_id >= last_entry_id()


@pytest.mark.django_db
def test_a_file_of_the_archive_that_is_missing_delays_no_other_customer(
    sealed_customer: Customer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    unit = StorageUnit.objects.get(facility__customer=sealed_customer)
    late_at = closes_at(DAY) + timedelta(hours=1)
    arrive_late(unit, [7.0], start=start_of(DAY) + timedelta(hours=3), arrived_at=late_at)
    archive_month(DAY)
    (file,) = ArchiveFile.objects.all()
    (tmp_path / file.name).unlink()
    other = CustomerFactory()
    Customer.objects.filter(pk=other.pk).update(created_at=BEGAN_AT)
    checkpoint = settled_at(closes_at(DAY + timedelta(days=1)))
    monkeypatch.setattr("seals.sealing.advance_checkpoint", lambda: checkpoint)

    seal()

    assert DaySeal.of(sealed_customer.pk).count() == 1
    assert DaySeal.of(other.pk).exists()


@pytest.fixture
def sealed_customer() -> Customer:
    unit = StorageUnitFactory(facility__customer__customer_code="ACME")
    store_in_time(unit, [5.0, 6.0])
    customer = unit.facility.customer
    seal_until(closes_at(DAY), customer)
    return customer


@pytest.mark.django_db
@pytest.mark.usefixtures("sealed_customer")
def test_verify_trail_says_how_much_is_unchanged() -> None:
    printed = StringIO()
    call_command("verify_trail", stdout=printed)

    assert "1 seals, 2 readings of 1 storage units verified: nothing was changed." in printed.getvalue()


@pytest.mark.django_db
@pytest.mark.usefixtures("sealed_customer")
def test_verify_trail_fails_and_says_where() -> None:
    Reading.objects.filter(recorded_at=start_of(DAY)).update(temperature_c=1.0)
    printed = StringIO()

    with pytest.raises(CommandError, match="verified: 1 findings"):
        call_command("verify_trail", customer="ACME", stdout=printed)

    assert "Edited: reading of ACME facility" in printed.getvalue()
    assert "2026-06-01 00:00:00.000000 UTC" in printed.getvalue()


@pytest.mark.django_db
@pytest.mark.usefixtures("sealed_customer")
def test_verify_trail_finds_a_function_that_no_longer_records_changes() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION audit_record_change() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END'"
        )
    printed = StringIO()

    with pytest.raises(CommandError, match="1 findings"):
        call_command("verify_trail", stdout=printed)

    assert "Edited: function audit_record_change(). It is not as this version declares it" in printed.getvalue()


@pytest.mark.django_db
def test_roots_kept_outside_show_that_seals_were_removed_or_made_again(
    sealed_customer: Customer, tmp_path: Path
) -> None:
    seal_until(closes_at(DAY + timedelta(days=2)), sealed_customer)
    roots = tmp_path / "roots.csv"
    call_command("export_roots", str(roots), stdout=StringIO())
    call_command("verify_trail", roots=roots, stdout=StringIO())

    DaySeal.objects.filter(sequence=3).delete()
    call_command("verify_trail", stdout=StringIO())
    printed = StringIO()
    with pytest.raises(CommandError, match="1 findings"):
        call_command("verify_trail", roots=roots, stdout=printed)
    assert "Deleted: seal 3 of ACME. Its root is in the file of known roots." in printed.getvalue()


@pytest.mark.django_db
def test_roots_are_found_after_the_customers_code_was_changed(sealed_customer: Customer, tmp_path: Path) -> None:
    """A file of roots names customers by their codes as of then: a new code is no sign that seals were removed."""
    roots = tmp_path / "roots.csv"
    call_command("export_roots", str(roots), stdout=StringIO())
    Customer.objects.filter(pk=sealed_customer.pk).update(customer_code="RENAMED")
    other = CustomerFactory(customer_code="ACME")
    seal_until(closes_at(DAY), other)

    call_command("verify_trail", roots=roots, stdout=StringIO())


@pytest.mark.django_db
def test_roots_of_an_unknown_customer_are_not_written(tmp_path: Path) -> None:
    """A file without any root would be kept as if it proved something."""
    with pytest.raises(CommandError, match="There is no customer with the code “NOBODY”"):
        call_command("export_roots", str(tmp_path / "roots.csv"), customer="NOBODY", stdout=StringIO())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CommandError, match="can't be written"):
        call_command("export_roots", str(tmp_path / "no folder" / "roots.csv"), stdout=StringIO())


@pytest.mark.django_db
def test_verify_trail_names_what_it_can_not_find(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no customer with the code “NOBODY”"):
        call_command("verify_trail", customer="NOBODY")
    (tmp_path / "other.csv").write_text("a,b")
    with pytest.raises(CommandError, match="its first line must be customer,day,sequence,root"):
        call_command("verify_trail", roots=tmp_path / "other.csv")


def seal_until_all_is_chained() -> None:
    """Run the task until every entry has a link: transactions in other databases of the server delay it, too."""
    deadline = time.monotonic() + 30
    while ChainLink.objects.count() < AuditEntry.objects.count():
        assert time.monotonic() < deadline, "The entries were not chained."
        seal_trail()


@pytest.mark.django_db
def test_the_seals_of_a_deleted_customer_are_verified() -> None:
    customer = CustomerFactory(has_limits=False)
    seal_until(closes_at(DAY), customer)
    customer_id = customer.pk
    customer.delete()
    call_command("verify_trail", stdout=StringIO())

    DaySeal.objects.filter(customer_id=customer_id).update(reading_count=1)
    printed = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_trail", stdout=printed)
    assert f"of the deleted customer {customer_id}" in printed.getvalue()


@pytest.mark.django_db
def test_entries_that_are_not_chained_in_time_are_a_problem() -> None:
    CustomerFactory.create(has_limits=False)
    written_at = AuditEntry.objects.earliest("id").happened_at

    assert sealing_problem(written_at + CHAINED_WITHIN) == ""
    problem = sealing_problem(written_at + CHAINED_WITHIN + timedelta(seconds=1))
    assert problem.startswith("entries of the audit trail since ")
    assert problem.endswith(" UTC are not chained")

    seal_until(BEGAN_AT, None)
    SettledCheckpoint.objects.update(started_at=written_at)
    assert sealing_problem(written_at + CHAINED_WITHIN + timedelta(seconds=1)) == ""


@pytest.mark.django_db
def test_days_that_are_not_sealed_in_time_are_a_problem(sealed_customer: Customer) -> None:
    next_closes_at = closes_at(DAY + timedelta(days=1))
    seal_until(next_closes_at, None)
    in_time = next_closes_at + SEALED_WITHIN - timedelta(seconds=1)
    assert sealing_problem(in_time) == ""
    assert sealing_problem(next_closes_at + SEALED_WITHIN) == "1 customer has closed days that are not sealed"

    seal_until(next_closes_at, sealed_customer)
    assert sealing_problem(next_closes_at + SEALED_WITHIN) == ""


@pytest.mark.django_db
def test_the_first_seal_of_a_customer_and_those_of_the_system_itself_are_missed_too() -> None:
    customer = CustomerFactory.create(has_limits=False)
    Customer.objects.update(created_at=BEGAN_AT)
    settled_at(BEGAN_AT)
    seal_until(BEGAN_AT, None)
    late = closes_at(DAY) + SEALED_WITHIN
    assert sealing_problem(late - timedelta(seconds=1)) == ""

    assert sealing_problem(late) == (
        "1 customer has closed days that are not sealed; "
        "the system's own part of the audit trail has closed days that are not sealed"
    )

    seal_until(closes_at(DAY), customer)
    seal_until(closes_at(DAY), None)
    assert sealing_problem(late) == ""


@pytest.mark.django_db
@pytest.mark.parametrize("settled", [closes_at(DAY), closes_at(DAY) + timedelta(hours=23, minutes=59)])
@pytest.mark.parametrize("began_at", [BEGAN_AT, closes_at(DAY) - timedelta(seconds=1), closes_at(DAY)])
def test_days_are_looked_up_only_of_customers_that_may_have_one(settled: datetime, began_at: datetime) -> None:
    created = [BEGAN_AT, closes_at(DAY) - timedelta(seconds=1), closes_at(DAY), closes_at(DAY) + timedelta(hours=1)]
    for instant in created:
        customer = CustomerFactory(has_limits=False)
        Customer.objects.filter(pk=customer.pk).update(created_at=instant)
    checkpoint = settled_at(settled)
    checkpoint.started_at = began_at

    due = [each for each in (None, *Customer.objects.order_by("id")) if due_day(each, checkpoint)]

    assert customers_with_due_days(checkpoint) == due
    assert len(due) == (3 if began_at < closes_at(DAY) else 0)


class TestArchiving:
    """A month is archived once every reading in it is in a seal: seals are made from the table."""

    MONTH = DAY.replace(day=1)
    LAST = date(2026, 6, 30)
    OBJECTION = "Days of the customer NEW are not sealed yet."

    @pytest.fixture(autouse=True)
    def archive(self, settings: Settings, tmp_path: Path) -> None:
        folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
        settings.STORAGES = settings.STORAGES | {"archive": folder}

    @pytest.fixture(autouse=True)
    def others(self, archive: None, sealed_customer: Customer) -> None:
        seal_until(closes_at(self.LAST), sealed_customer)

    @pytest.fixture
    def new(self) -> StorageUnit:
        """Return a unit of a customer that was created today."""
        return StorageUnitFactory.create(facility__customer__customer_code="NEW")

    @pytest.mark.django_db
    def test_a_customer_without_readings_of_a_month_does_not_keep_it_in_the_table(self, new: StorageUnit) -> None:
        store_reading(new, 4.0, start_of(self.MONTH) - timedelta(microseconds=1))
        store_reading(new, 4.0, start_of(date(2026, 7, 1)))
        assert objection_to_archiving(self.MONTH) is None

    @pytest.mark.django_db
    @pytest.mark.parametrize("day", [DAY, date(2026, 6, 30)])
    def test_readings_that_are_not_sealed_keep_their_month_in_the_table(self, new: StorageUnit, day: date) -> None:
        store_reading(new, 4.0, start_of(day))
        assert objection_to_archiving(self.MONTH) == self.OBJECTION

        LateReadings.objects.filter(storage_unit=new).update(arrived_at=start_of(day))
        seal_until(closes_at(self.LAST), new.facility.customer)
        assert objection_to_archiving(self.MONTH) is None

    @pytest.mark.django_db
    def test_a_reading_dated_ahead_will_be_one_of_its_month(self, new: StorageUnit) -> None:
        store_reading(new, 4.0, start_of(self.LAST), received_at=start_of(self.LAST) - timedelta(hours=2))
        assert FutureReading.objects.exists()
        assert objection_to_archiving(self.MONTH) == self.OBJECTION

    @pytest.mark.django_db
    def test_what_arrives_for_an_archived_month_keeps_it_from_being_archived_again(self, new: StorageUnit) -> None:
        archive_month(self.MONTH, objection_to_archiving)
        store_reading(new, 4.0, start_of(DAY))
        with pytest.raises(CannotArchive, match=self.OBJECTION):
            archive_month(self.MONTH, objection_to_archiving)
        assert Reading.objects.filter(storage_unit=new).exists()

    @pytest.mark.django_db
    def test_an_import_during_a_run_keeps_the_month_in_the_table(self, new: StorageUnit) -> None:
        def objection_before_an_import(month: date) -> str | None:
            objection = objection_to_archiving(month)
            store_reading(new, 4.0, start_of(DAY))
            return objection

        with pytest.raises(CannotArchive, match="stored or changed while it was archived"):
            archive_month(self.MONTH, objection_before_an_import)
        assert not ArchiveFile.objects.exists()
