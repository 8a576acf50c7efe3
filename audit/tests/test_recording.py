"""What the triggers record of changes of rows, whoever makes them and however."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alarms.models import Channel
from audit.context import Actor, AuditContext, begin_work, end_work, stating_reason
from audit.events import record_event
from audit.functions import CONTEXT_SETTING
from audit.models import AuditEntry
from audit.writes import ReasonRequired
from core.crypto.encryption import encrypt
from customers.models import Customer, StorageUnit
from ingestion.loading.registration import fill_in_units
from ingestion.models import Source
from ingestion.parsing.results import UnitDescription
from readings.models import Reading
from tests.factories import (
    CustomerFactory,
    SourceFactory,
    StorageUnitFactory,
    UserFactory,
    store_reading,
    store_readings,
    withdraw_readings,
)

pytestmark = pytest.mark.django_db


def latest(model: str, **filters: Any) -> AuditEntry:
    """Return the newest entry about a model."""
    entry: AuditEntry = AuditEntry.objects.filter(model=model, **filters).latest("id")
    return entry


def test_a_created_row_is_recorded_with_all_its_columns() -> None:
    unit = StorageUnitFactory.create(name="Freezer 3", set_temperature=-18.5)

    entry = latest("customers.storageunit", action=AuditEntry.Action.CREATED)

    assert (entry.object_id, entry.object_label) == (str(unit.pk), "Freezer 3")
    assert (entry.customer_id, entry.storage_unit_id) == (unit.facility.customer_id, unit.pk)
    assert entry.before is None
    assert (entry.after or {})["set_temperature"] == -18.5


def test_a_changed_row_is_recorded_with_what_changed() -> None:
    unit = StorageUnitFactory.create(set_temperature=5.0)

    unit.set_temperature = 4.0
    unit.save()

    entry = latest("customers.storageunit", before__has_key="set_temperature")
    assert entry.action == AuditEntry.Action.CHANGED
    assert entry.before == {"set_temperature": 5}
    assert entry.after == {"set_temperature": 4}


def test_a_save_without_a_change_is_not_recorded() -> None:
    customer = CustomerFactory.create()
    recorded = AuditEntry.objects.count()

    customer.save()

    assert AuditEntry.objects.count() == recorded


def test_a_bulk_update_is_recorded_row_by_row() -> None:
    units = StorageUnitFactory.create_batch(2)

    StorageUnit.objects.update(set_temperature=F("set_temperature") + 1)

    changes = AuditEntry.objects.filter(model="customers.storageunit", before={"set_temperature": 5})
    assert {entry.storage_unit_id for entry in changes} == {unit.pk for unit in units}


def test_a_deleted_row_is_recorded_with_what_it_was() -> None:
    source = SourceFactory.create(name="North wing")

    source.delete()

    entry = latest("ingestion.source")
    assert (entry.action, entry.after) == (AuditEntry.Action.DELETED, None)
    assert (entry.before or {})["name"] == "North wing"


def test_deleting_a_person_deletes_no_entry() -> None:
    person = UserFactory.create(username="anna")
    work = begin_work(lambda: AuditContext(Actor("person", "anna", person.pk, "Anna Smith"), "page"))
    customer = CustomerFactory.create()
    end_work(work)

    person.delete()

    entry = latest("customers.customer", object_id=str(customer.pk))
    assert (entry.actor_name, entry.actor_display_name) == ("anna", "Anna Smith")
    assert AuditEntry.objects.filter(person_id=person.pk or entry.actor_id).count() == 2


def test_direct_sql_is_recorded_with_the_database_user() -> None:
    customer = CustomerFactory.create(name="before")

    with connection.cursor() as cursor:
        # As from psql: nothing of the application is in front of the statement.
        cursor.execute("SELECT set_config('audit.context', '', true); UPDATE customer SET name = 'after'")
        cursor.execute("SELECT session_user")
        (database_user,) = cursor.fetchone()

    entry = latest("customers.customer")
    assert (entry.actor_kind, entry.origin) == (AuditEntry.ActorKind.DATABASE, AuditEntry.Origin.SQL)
    assert entry.actor_name == entry.database_user == database_user
    assert (entry.object_id, entry.after) == (str(customer.pk), {"name": "after"})


def test_secrets_are_recorded_as_changed_only() -> None:
    source = SourceFactory.create()
    Source.objects.filter(pk=source.pk).update(credentials_name="X-Key", credentials_secret="canary-secret")

    Source.objects.filter(pk=source.pk).update(credentials_secret="canary-other")

    entry = latest("ingestion.source")
    assert entry.before == entry.after == {"credentials_secret": "(secret)"}
    assert "canary" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("address", "recorded"),
    [
        ("https://hooks.example.com/services/T0/canary", "https://hooks.example.com/…"),
        ("https://canary:canary@hooks.example.com:8443?key=canary", "https://hooks.example.com:8443/…"),
        ("hooks.example.com/canary", "(secret)"),
        ("anna@example.com, ben@example.com", "anna@example.com, ben@example.com"),
        ("", ""),
    ],
)
def test_an_address_is_recorded_without_what_may_be_secret(address: str, recorded: str) -> None:
    Channel.objects.create(customer=CustomerFactory.create(), kind="webhook", name="on call", address=address)

    assert (latest("alarms.channel").after or {})["address"] == recorded


def test_what_is_encrypted_is_a_secret_in_a_column_that_is_not_declared_as_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_values(%s, '{added,name}', '{}', '{}')",
            [json.dumps({"added": encrypt("canary-secret"), "name": "gAAAA"})],
        )
        [recorded] = cursor.fetchone()
    assert json.loads(recorded) == {"added": "(secret)", "name": "gAAAA"}


def test_a_password_is_recorded_as_changed_only() -> None:
    person = UserFactory.create()

    person.set_password("canary staple battery")
    person.save()

    entry = latest("auth.user")
    assert entry.before == entry.after == {"password": "(secret)"}
    assert entry.person_id == person.pk


def test_polling_writes_no_entries() -> None:
    source = SourceFactory.create()
    recorded = AuditEntry.objects.count()

    Source.objects.filter(pk=source.pk).update(
        next_due_at=timezone.now(), lease_until=timezone.now(), failures_in_a_row=3, last_error="503", cursor_at=None
    )

    assert AuditEntry.objects.count() == recorded


def test_a_falsified_reading_is_recorded_although_storing_one_is_not() -> None:
    unit = StorageUnitFactory.create()
    store_reading(unit, 5.0, timezone.now())
    assert not AuditEntry.objects.filter(model="readings.reading").exists()

    Reading.objects.filter(storage_unit=unit).update(temperature_c=4.0)

    entry = latest("readings.reading")
    assert (entry.before, entry.after) == ({"temperature_c": 5}, {"temperature_c": 4})
    assert entry.storage_unit_id == unit.pk


def test_withdrawn_readings_are_recorded_once_for_a_unit_and_a_statement() -> None:
    unit = StorageUnitFactory.create(name="Vaccines")
    start = timezone.now().replace(microsecond=0) - timedelta(hours=1)
    store_readings(unit, [5.0, 6.0, 7.0], start=start)

    withdraw_readings(unit, start, start + timedelta(minutes=30))

    [entry] = AuditEntry.objects.filter(model="readings.reading")
    assert (entry.action, entry.object_label, entry.storage_unit_id) == ("deleted", "Vaccines", unit.pk)
    assert entry.customer_id == unit.facility.customer_id
    assert entry.before is not None
    assert (entry.before["withdrawn"], entry.before["by"], entry.before["reason"]) == (3, "anna", "A wrong file.")


def test_a_reading_that_is_deleted_without_a_revision_is_recorded() -> None:
    unit = StorageUnitFactory.create()
    now = timezone.now()
    store_reading(unit, 5.0, now)
    withdraw_readings(unit, now)
    store_reading(unit, 6.0, now)

    Reading.objects.filter(storage_unit=unit).delete()

    entry = latest("readings.reading")
    assert entry.before is not None
    assert (AuditEntry.objects.filter(model="readings.reading").count(), entry.before["temperature_c"]) == (2, 6)


def test_entries_cannot_be_changed_or_deleted() -> None:
    CustomerFactory.create()

    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        AuditEntry.objects.update(actor_name="somebody else")
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        AuditEntry.objects.all().delete()


def test_a_rolled_back_change_leaves_no_entry() -> None:
    recorded = AuditEntry.objects.count()

    with transaction.atomic():
        CustomerFactory.create()
        transaction.set_rollback(True)

    assert AuditEntry.objects.count() == recorded


def test_the_context_is_sent_along_and_costs_no_statement(django_assert_num_queries: Any) -> None:
    customer = CustomerFactory.create()
    context = AuditContext(
        Actor("token", "token 7", 7), "api", "PUT /api/v1/x", "2001:db8::1", reason="100 % “sure” \\"
    )
    work = begin_work(lambda: context)

    with django_assert_num_queries(1):
        Customer.objects.filter(pk=customer.pk).update(name="%s %")
    end_work(work)

    entry = latest("customers.customer")
    assert (entry.actor_kind, entry.actor_id, entry.origin, entry.process) == ("token", 7, "api", "PUT /api/v1/x")
    assert (entry.address, entry.reason) == ("2001:db8::1", "100 % “sure” \\")
    assert entry.after == {"name": "%s %"}


def test_what_nobody_asked_for_is_recorded_as_done_by_the_process() -> None:
    CustomerFactory.create()

    entry = latest("customers.customer")

    assert (entry.actor_kind, entry.origin) == (AuditEntry.ActorKind.PROCESS, AuditEntry.Origin.COMMAND)
    assert entry.actor_name


def test_a_user_name_is_never_given_to_another_account() -> None:
    UserFactory.create(username="anna").delete()

    with pytest.raises(DatabaseError, match="User names are never reused"), transaction.atomic():
        UserFactory.create(username="Anna")


def test_an_account_may_return_to_an_earlier_user_name_of_its_own() -> None:
    person = UserFactory.create(username="anna")

    for name in ("anna.smith", "anna"):
        User.objects.filter(pk=person.pk).update(username=name)

    assert User.objects.get(pk=person.pk).username == "anna"


def test_an_event_is_recorded_with_its_details_and_another_actor(django_assert_num_queries: Any) -> None:
    customer = CustomerFactory.create()

    with django_assert_num_queries(1):
        entry_id = record_event(
            AuditEntry.Action.EXPORTED,
            details={"format": "csv", "rows": 12},
            customer_id=customer.pk,
            actor=Actor("person", "anna", 5, "Anna Smith"),
        )

    entry = AuditEntry.objects.get(pk=entry_id)
    assert (entry.action, entry.actor_name, entry.customer_id) == ("exported", "anna", customer.pk)
    assert (entry.before, entry.after) == (None, {"format": "csv", "rows": 12})


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        (r"See C:\u0000", r"See C:\u0000"),
        (r"\\u0000", r"\\u0000"),
        ("a\0\0b\\\0", "ab\\"),
        ("\ud800", "?"),
        ('50 % of "%s"', '50 % of "%s"'),
    ],
)
def test_any_text_can_be_a_reason_or_a_detail(sent: str, recorded: str) -> None:
    """PostgreSQL holds neither NULs nor lone surrogates; a text that only looks like an escape is kept."""
    with stating_reason(sent):
        CustomerFactory.create()
    assert latest("customers.customer").reason == recorded

    record_event(AuditEntry.Action.EXPORTED, model="readings.reading", details={"text": sent})
    assert latest("readings.reading").after == {"text": recorded}


def test_a_required_reason_must_be_stated_by_people_and_not_by_processes() -> None:
    unit = StorageUnitFactory.create(facility__customer__requires_reason=True)
    units = StorageUnit.objects.filter(pk=unit.pk)
    units.update(set_temperature=6.0)

    work = begin_work(lambda: AuditContext(Actor("person", "anna", 5), "page"))
    with pytest.raises(ReasonRequired), transaction.atomic():
        units.update(set_temperature=7.0)
    units.update(name="Another name")
    with stating_reason("Moved to another room."):
        units.update(set_temperature=8.0)
    end_work(work)

    entry = latest("customers.storageunit")
    assert (entry.after, entry.reason) == ({"set_temperature": 8}, "Moved to another room.")


def test_a_reason_is_required_to_delete_a_customer_and_to_require_none_any_more() -> None:
    customers = Customer.objects.filter(pk=CustomerFactory.create(requires_reason=True).pk)

    work = begin_work(lambda: AuditContext(Actor("person", "anna", 5), "page"))
    for change in (customers.delete, lambda: customers.update(requires_reason=False)):
        with pytest.raises(ReasonRequired), transaction.atomic():
            change()
    assert customers.get().requires_reason
    with stating_reason("The contract has ended."):
        customers.delete()
    end_work(work)

    assert latest("customers.customer").reason == "The contract has ended."


def test_a_recorded_column_can_be_retyped_and_removed() -> None:
    StorageUnitFactory.create()

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE storage_unit ALTER COLUMN name TYPE varchar(500)")
        cursor.execute("ALTER TABLE storage_unit DROP COLUMN size_unit")
        cursor.execute("UPDATE storage_unit SET name = 'still recorded'")

    assert latest("customers.storageunit").after == {"name": "still recorded"}


def test_a_push_needs_no_reason_for_what_it_describes() -> None:
    unit = StorageUnitFactory.create(facility__customer__requires_reason=True, set_temperature=None)
    description = UnitDescription(facility_code="", unit_code=unit.unit_code, set_temperature=-18.0)

    work = begin_work(lambda: AuditContext(Actor("token", "token 7", 7), "api"))
    fill_in_units({unit.pk: description})
    end_work(work)

    entry = latest("customers.storageunit", after__has_key="set_temperature", action="changed")
    assert (entry.actor_name, entry.reason) == ("token 7", "As described by the customer's system.")


def test_storing_readings_sends_no_context_and_calls_no_trigger() -> None:
    unit = StorageUnitFactory.create()
    store_reading(unit, 5.0, timezone.now() - timedelta(hours=1))

    with CaptureQueriesContext(connection) as queries:
        store_reading(unit, 5.0, timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = 'reading'::regclass AND tgtype & 4 = 4")
        triggers_of_inserts = cursor.fetchall()

    assert not [query for query in queries if CONTEXT_SETTING in query["sql"]]
    assert triggers_of_inserts == []
