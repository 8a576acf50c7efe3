"""Under the printed rights the application's database role works, and can neither change nor delete records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import InternalError, ProgrammingError, connection, transaction

from audit.models import AuditEntry
from readings.models import Reading
from readings.storage.closing import closes_at
from readings.storage.partitions import existing_partitions
from readings.storage.revisions import NewMeasurement, replace_measurement
from seals.grants import append_only_tables
from seals.tests.sealed_data import BEGAN_AT, DAY, findings_of, seal_until
from tests.factories import StorageUnitFactory, sensor_of, store_reading

pytestmark = pytest.mark.django_db

ROLE = "temperature_app"


@pytest.fixture
def application_role() -> Iterator[None]:
    """Act as a role that has only the printed rights."""
    printed = StringIO()
    call_command("print_grants", ROLE, stdout=printed)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        cursor.execute(printed.getvalue())
        cursor.execute(f"SET ROLE {ROLE}")
        yield
        cursor.execute("RESET ROLE")


@pytest.mark.usefixtures("application_role")
def test_the_role_can_do_what_the_application_does() -> None:
    unit = StorageUnitFactory()
    store_reading(unit, 5.0, datetime(2019, 3, 1, tzinfo=UTC))
    new = NewMeasurement(6.0, "C", 1.0, 1)
    replace_measurement(unit, sensor_of(unit).pk, datetime(2019, 3, 1, tzinfo=UTC), new, by="anna", reason="A typo.")

    assert "reading_2019_03" in existing_partitions()
    assert Reading.objects.get().temperature_c == 6.0
    assert AuditEntry.objects.filter(model="customers.storageunit").exists()
    assert len(seal_until(closes_at(DAY), unit.facility.customer)) == 1


@pytest.mark.usefixtures("application_role")
def test_the_role_can_verify_the_trail() -> None:
    assert findings_of(None) == []


@pytest.mark.usefixtures("application_role")
def test_the_role_can_not_change_or_delete_a_record() -> None:
    for table in append_only_tables():
        column = "position" if table == "audit_chain_link" else "id"
        for change in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"):  # noqa: S608  our tables
            with pytest.raises(ProgrammingError, match=f"permission denied for table {table}"), transaction.atomic():
                run(change)


@pytest.mark.usefixtures("application_role")
def test_the_role_can_not_forge_an_entry() -> None:
    with pytest.raises(ProgrammingError, match="permission denied for table audit_entry"), transaction.atomic():
        AuditEntry.objects.create(happened_at=BEGAN_AT, action="changed", actor_kind="person", transaction_id=1)


@pytest.mark.usefixtures("application_role")
def test_the_role_can_make_no_table_a_partition_of_readings() -> None:
    with pytest.raises(InternalError, match="can not be named customer"), transaction.atomic():
        run("SELECT make_reading_partition('customer', now(), now() + interval '1 day')")


def test_every_table_of_records_is_append_only() -> None:
    assert append_only_tables() == [
        "alarm_signature",
        "audit_chain_link",
        "audit_entry",
        "day_seal",
        "late_readings",
        "reading_block",
        "reading_revision",
        "seal_time_stamp",
    ]


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_name_with_quotes_is_one_name() -> None:
    printed = StringIO()
    call_command("print_grants", 'a"; DROP ROLE b; --', stdout=printed)

    for line in printed.getvalue().splitlines():
        assert line.endswith(('TO "a""; DROP ROLE b; --";', 'FROM "a""; DROP ROLE b; --";'))
