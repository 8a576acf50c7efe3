"""The pages of the audit trail: the search, its export, and the histories of objects."""

from __future__ import annotations

import codecs
import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit.context import Actor, AuditContext, begin_work, end_work
from audit.events import record_event
from audit.models import AuditEntry
from core.scope import Scope
from customers.models import Customer, Membership, StorageUnit
from customers.trail.selectors import TrailFilter, search
from customers.web.trail import MAX_TEXT, TEXT_SEARCH_DAYS
from tests.alarm_factories import AlarmFactory
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    SensorFactory,
    SourceFactory,
    StaffFactory,
    StorageUnitFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory.create(name="Freezer 3", facility__customer__name="Acme")


@pytest.fixture
def customer(unit: StorageUnit) -> Customer:
    return unit.facility.customer


@pytest.fixture
def manager(client: Client, customer: Customer) -> Client:
    client.force_login(MembershipFactory.create(customer=customer, role="manager", user__username="anna").user)
    return client


def change(unit: StorageUnit, reason: str = "") -> None:
    """Change the unit's set temperature as Ben."""
    actor = Actor("person", "ben", 77, "Ben Jones")
    work = begin_work(lambda: AuditContext(actor, "page", address="192.0.2.7", reason=reason))
    StorageUnit.objects.filter(pk=unit.pk).update(set_temperature=4.0)
    end_work(work)


def text_of(client: Client, name: str, *arguments: object, **query: str) -> str:
    """Return the page's HTML."""
    response = client.get(reverse(name, args=arguments), query)
    assert response.status_code == 200
    return response.content.decode()


def test_a_units_history_says_who_changed_what_and_why(manager: Client, unit: StorageUnit) -> None:
    change(unit, reason="New goods.")

    page = text_of(manager, "unit-history", unit.public_id)

    assert "Ben Jones" in page
    assert "<dt>set temperature</dt> <dd>5 → 4</dd>" in page
    assert "New goods." in page
    # Addresses of people are for the search.
    assert "192.0.2.7" not in page


def test_objects_are_named_with_their_ids_and_times_are_local(manager: Client, unit: StorageUnit) -> None:
    unit.facility.time_zone = "Asia/Kolkata"
    unit.facility.save()
    sensor = SensorFactory.create(storage_unit=unit)
    sensor.retired_at = datetime(2026, 3, 1, 20, 15, 30, 123456, tzinfo=UTC)
    sensor.save()

    page = text_of(manager, "unit-history", unit.public_id)

    assert f"<dt>storage unit</dt> <dd>Freezer 3 (ID {unit.pk})</dd>" in page
    exact = "2026-03-01T20:15:30.123456+00:00"
    assert f'<dd>– → <time datetime="{exact}" title="{exact}">2 Mar 2026, 01:45:30</time></dd>' in page


def test_deleted_objects_keep_their_names_and_unknown_ones_their_ids(manager: Client, customer: Customer) -> None:
    unit = StorageUnitFactory.create(facility=FacilityFactory.create(customer=customer, name="Old plant"))
    facility_id = unit.facility_id
    unit.delete()
    unit.facility.delete()
    record_event("exported", model="customers.sensor", customer_id=customer.pk, details={"storage_unit_id": 987654})

    page = text_of(manager, "trail")

    assert f"<dt>facility</dt> <dd>Old plant (ID {facility_id})</dd>" in page
    assert "<dt>storage unit</dt> <dd>987654</dd>" in page


def test_the_names_of_all_entries_take_one_query(manager: Client, unit: StorageUnit) -> None:
    text_of(manager, "unit-history", unit.public_id)
    with CaptureQueriesContext(connection) as few:
        text_of(manager, "unit-history", unit.public_id)
    SensorFactory.create_batch(10, storage_unit=unit)

    with CaptureQueriesContext(connection) as many:
        page = text_of(manager, "unit-history", unit.public_id)

    assert page.count("Freezer 3 (ID") >= 10
    assert len(many) == len(few)


@pytest.mark.parametrize("role", ["viewer", "operator", "manager"])
def test_whoever_sees_an_object_sees_its_history(client: Client, unit: StorageUnit, role: str) -> None:
    alarm, source = AlarmFactory.create(storage_unit=unit), SourceFactory.create(customer=unit.facility.customer)
    client.force_login(MembershipFactory.create(customer=unit.facility.customer, role=role).user)

    for name, public_id in (
        ("unit-history", unit.public_id),
        ("alarm-history", alarm.public_id),
        ("source-history", source.public_id),
    ):
        assert 'id="entries"' in text_of(client, name, public_id)


def test_histories_of_another_customers_objects_do_not_exist(manager: Client) -> None:
    unit, source, other = StorageUnitFactory.create(), SourceFactory.create(), CustomerFactory.create()
    member = MembershipFactory.create(customer=other)
    addresses = [
        reverse("unit-history", args=[unit.public_id]),
        reverse("source-history", args=[source.public_id]),
        reverse("settings-history", args=[other.public_id]),
        reverse("settings-member-history", args=[other.public_id, member.pk]),
        reverse("trail") + f"?customer={other.customer_code}",
        reverse("trail-csv") + f"?customer={other.customer_code}",
    ]

    assert {manager.get(address).status_code for address in addresses} == {404}


def test_text_is_searched_for_in_the_last_three_months_unless_a_day_is_chosen(
    manager: Client, customer: Customer, unit: StorageUnit
) -> None:
    change(unit, reason="New goods.")
    today = timezone.now().date()
    assert "<td>New goods." in text_of(manager, "trail", text="goods")

    with time_machine.travel(timezone.now() + timedelta(days=TEXT_SEARCH_DAYS + 2)):
        manager.force_login(customer.memberships.get().user)
        recent = text_of(manager, "trail", text="goods")
        assert "<td>New goods." not in recent
        assert "Choose an earlier day under “From”" in recent
        assert "New goods." not in exported(manager, text="goods")
        assert "<td>New goods." in text_of(manager, "trail", text="goods", since=today.isoformat())
        assert "New goods." in exported(manager, text="goods", since=today.isoformat())


def exported(client: Client, **query: str) -> str:
    response = client.get(reverse("trail-csv"), query)
    assert isinstance(response, StreamingHttpResponse)
    return response.getvalue().decode()


def test_an_export_records_its_filters_and_nothing_else_that_was_sent(manager: Client) -> None:
    """Entries are kept for ever, so that nobody can fill the trail with parameters."""
    exported(manager, action="created", until="", text="x" * (MAX_TEXT + 1), other="y")

    details = AuditEntry.objects.filter(action=AuditEntry.Action.EXPORTED).latest("id").after
    assert details == {"format": "csv", "action": "created", "text": "x" * MAX_TEXT}


def test_a_customers_history_is_searched_by_text_action_actor_and_day(customer: Customer, unit: StorageUnit) -> None:
    change(unit, reason="New goods.")
    scope = Scope.of_customer(customer.pk)
    happened_on = AuditEntry.objects.latest("id").happened_at.date()
    changed = AuditEntry.objects.get(reason="New goods.")

    for wanted in (
        TrailFilter(text="jones"),
        TrailFilter(text="new GOODS"),
        TrailFilter(actor_kind="person"),
        TrailFilter(action="changed", text="Freezer", actor_kind="person", since=happened_on, until=happened_on),
    ):
        assert list(search(scope, wanted)) == [changed]
    assert not search(scope, TrailFilter(until=date(2020, 1, 1))).exists()
    assert not search(scope, TrailFilter(action="exported")).exists()


def test_managers_see_their_customers_trail_and_nothing_else(manager: Client, unit: StorageUnit) -> None:
    change(unit)
    other = StorageUnitFactory.create(name="Not ours")
    change(other)

    page = text_of(manager, "trail")

    assert "Freezer 3" in page
    assert "192.0.2.7" in page
    assert "Not ours" not in page
    # What belongs to no customer is the operator's.
    assert "limit profile" not in page


def test_the_operator_sees_the_trail_of_the_whole_system(client: Client, unit: StorageUnit) -> None:
    client.force_login(StaffFactory.create())
    StorageUnitFactory.create(name="Another customer's")

    page = text_of(client, "trail")

    assert "Freezer 3" in page
    assert "Another customer&#x27;s" in page


@pytest.mark.parametrize("role", ["viewer", "operator"])
@pytest.mark.parametrize("name", ["trail", "trail-csv"])
def test_only_managers_search_and_export(client: Client, customer: Customer, role: str, name: str) -> None:
    client.force_login(MembershipFactory.create(customer=customer, role=role).user)

    assert client.get(reverse(name)).status_code == 403
    assert not AuditEntry.objects.filter(action="exported").exists()


def test_the_settings_lead_those_who_may_search_to_the_trail(client: Client, customer: Customer) -> None:
    link = f'href="{reverse("trail")}"'
    for role, is_shown in (("viewer", False), ("operator", False), ("manager", True)):
        client.force_login(MembershipFactory.create(customer=customer, role=role).user)
        assert (link in text_of(client, "settings")) is is_shown


def test_the_export_has_every_column_and_is_itself_recorded(manager: Client, unit: StorageUnit) -> None:
    change(unit, reason="=1+1")

    response = manager.get(reverse("trail-csv"), {"text": "jones"})

    assert isinstance(response, StreamingHttpResponse)
    content = response.getvalue()
    # Excel reads it as UTF-8.
    assert content.startswith(codecs.BOM_UTF8 + b"id,")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert len(rows) == 1
    assert (rows[0]["before"], rows[0]["after"]) == ('{"set_temperature": 5}', '{"set_temperature": 4}')
    assert (rows[0]["address"], rows[0]["reason"]) == ("192.0.2.7", "'=1+1")
    recorded = AuditEntry.objects.get(action="exported")
    assert (recorded.actor_name, recorded.after) == ("anna", {"format": "csv", "text": "jones"})


@pytest.mark.parametrize("name", ["trail", "trail-csv"])
@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"until": "9999-12-31"}, {"until": "0001-01-01", "text": "anna"}],
    ids=["no day", "no day follows", "no day precedes"],
)
def test_a_day_that_is_none_is_refused(manager: Client, name: str, query: dict[str, str]) -> None:
    assert manager.get(reverse(name), query).status_code == 400


def test_a_persons_history_has_what_happened_to_them_and_what_they_did(manager: Client, customer: Customer) -> None:
    member = Membership.objects.get(user__username="anna")
    Membership.objects.filter(pk=member.pk).update(role="operator")
    Membership.objects.filter(pk=member.pk).update(role="manager")

    page = text_of(manager, "settings-member-history", customer.public_id, member.pk)

    assert "<dt>role</dt> <dd>operator → manager</dd>" in page


def test_the_admin_shows_entries_and_changes_none(client: Client, unit: StorageUnit) -> None:
    client.force_login(StaffFactory.create())
    entry = AuditEntry.objects.latest("id")
    address = reverse("admin:audit_auditentry_change", args=[entry.pk])

    assert client.get(reverse("admin:audit_auditentry_changelist")).status_code == 200
    assert client.get(address).status_code == 200
    assert client.post(address, {"actor_name": "somebody else"}).status_code == 403
    assert client.get(reverse("admin:audit_auditentry_add")).status_code == 403
    assert client.post(reverse("admin:audit_auditentry_delete", args=[entry.pk])).status_code == 403
