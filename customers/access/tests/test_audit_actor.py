"""What the audit trail records of requests: who, from where, and why."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry
from core.api.fields import MAX_REASON
from customers.models import Customer, Membership, StorageUnit
from tests.api_clients import client_of
from tests.factories import CustomerFactory, MembershipFactory, StaffFactory, StorageUnitFactory, make_token

pytestmark = pytest.mark.django_db


def latest(model: str) -> AuditEntry:
    """Return the newest entry about a model."""
    entry: AuditEntry = AuditEntry.objects.filter(model=model).latest("id")
    return entry


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory.create(set_temperature=5.0)


@pytest.fixture
def manager(client: Client, unit: StorageUnit) -> Client:
    person = MembershipFactory.create(
        customer=unit.facility.customer, role="manager", user__username="anna", user__first_name="Anna"
    ).user
    client.force_login(person)
    return client


def change_on_page(client: Client, unit: StorageUnit, **fields: object) -> int:
    """Change the unit's set temperature on its page; return the response's status."""
    address = reverse("settings-unit", args=[unit.facility.customer.public_id, unit.public_id])
    values = {"name": unit.name, "set_temperature": 4, "interval_seconds": f"{unit.interval_seconds} s", **fields}
    return client.post(address, values, REMOTE_ADDR="192.0.2.7").status_code


def put(unit: StorageUnit, customer: Customer, **fields: object) -> tuple[int, object]:
    """Change the unit's set temperature over the REST API; return status and body."""
    response = client_of(customer).put(
        f"/api/v1/units/{unit.public_id}", {"set_temperature": 4, **fields}, format="json"
    )
    return response.status_code, response.json()


def test_a_change_on_a_page_names_the_person_the_address_and_the_reason(manager: Client, unit: StorageUnit) -> None:
    assert change_on_page(manager, unit, reason="New goods.") == 302

    entry = latest("customers.storageunit")
    person = User.objects.get(username="anna")
    assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("person", person.pk, "anna")
    assert (entry.actor_display_name, entry.origin, entry.address) == ("Anna", "page", "192.0.2.7")
    assert entry.process.startswith("POST /settings/<uuid:public_id>")
    assert entry.reason == "New goods."


def test_a_change_over_the_api_names_the_token_and_the_reason(unit: StorageUnit) -> None:
    status, _ = put(unit, unit.facility.customer, reason="New goods.")

    entry = latest("customers.storageunit")
    assert status == 200
    assert (entry.actor_kind, entry.origin, entry.reason) == ("token", "api", "New goods.")
    assert entry.actor_name == f"token {entry.actor_id}"
    assert entry.actor_display_name


def test_a_change_in_the_admin_is_recorded_like_any_other(client: Client) -> None:
    staff = StaffFactory.create(username="operator")
    membership = MembershipFactory.create(role="viewer")
    client.force_login(staff)

    client.post(
        reverse("admin:customers_membership_change", args=[membership.pk]),
        {"user": membership.user_id, "customer": membership.customer_id, "role": "operator"},
    )

    entry = latest("customers.membership")
    assert (entry.actor_name, entry.origin, entry.after) == ("operator", "admin", {"role": "operator"})
    assert entry.person_id == membership.user_id


def test_the_changes_of_one_request_have_its_id(manager: Client, unit: StorageUnit) -> None:
    change_on_page(manager, unit)
    change_on_page(manager, unit, set_temperature=3)

    entries = AuditEntry.objects.filter(origin="page", model__in=["customers.storageunit", "alarms.limitversion"])
    assert len({entry.request_id for entry in entries}) == 2
    assert entries.count() > 2


@pytest.mark.django_db(transaction=True)
def test_a_page_asks_for_a_required_reason_with_the_form_as_it_was_sent(manager: Client, unit: StorageUnit) -> None:
    Customer.objects.update(requires_reason=True)
    address = reverse("settings-unit", args=[unit.facility.customer.public_id, unit.public_id])
    values = {"name": "Cold room", "set_temperature": 4, "interval_seconds": "15 min"}

    response = manager.post(address, values)

    assert "this customer requires a reason for this change" in response.content.decode()
    assert dict(response.context["fields"]) == {k: str(v) for k, v in values.items()}
    assert StorageUnit.objects.get().set_temperature == 5
    assert manager.post(address, values | {"reason": "New goods."}).status_code == 302
    assert StorageUnit.objects.get().set_temperature == 4


def test_the_api_requires_a_reason_where_the_customer_does(unit: StorageUnit) -> None:
    Customer.objects.update(requires_reason=True)

    assert put(unit, unit.facility.customer) == (
        400,
        {"reason": ["This customer requires a reason for this change."]},
    )
    assert StorageUnit.objects.get().set_temperature == 5
    assert put(unit, unit.facility.customer, reason="New goods.")[0] == 200


@pytest.mark.django_db(transaction=True)
def test_revoking_a_token_states_its_reason_as_a_parameter() -> None:
    customer = CustomerFactory.create(requires_reason=True)
    token, _ = make_token(customer)
    address = f"/api/v1/customers/tokens/{token.public_id}"
    client = client_of(customer)

    assert client.delete(address).status_code == 400
    assert client.delete(f"{address}?reason=Lost%20device").status_code == 200
    assert latest("customers.apitoken").reason == "Lost device"


def test_reading_pages_and_lists_costs_nothing(manager: Client, unit: StorageUnit) -> None:
    recorded = AuditEntry.objects.count()

    manager.get(reverse("unit", args=[unit.public_id]))
    manager.get("/api/v1/facilities")

    assert AuditEntry.objects.count() == recorded
    assert Membership.objects.count() == 1


def test_a_reason_is_cut_off_where_no_form_limits_it(manager: Client, unit: StorageUnit) -> None:
    """Entries are kept for ever, and every entry of the request repeats the reason."""
    customer = unit.facility.customer
    token, _ = make_token(customer)
    reason = "x" * (MAX_REASON + 1)
    manager.post(reverse("settings-revoke-token", args=[customer.public_id, token.public_id]), {"reason": reason})

    assert latest("customers.apitoken").reason == "x" * MAX_REASON
