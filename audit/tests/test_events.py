"""Events that change no row are in the trail: exports, imports and replays."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from customers.models import Membership
from ingestion.loading.file_import import import_file
from ingestion.loading.replay import replay
from ingestion.models import RejectedRow
from tests.api_clients import client_of
from tests.factories import (
    CustomerFactory,
    MembershipFactory,
    RejectedRowFactory,
    StorageUnitFactory,
    store_reading,
)

pytestmark = pytest.mark.django_db


def test_an_export_of_a_unit_is_recorded(client: Client) -> None:
    unit = StorageUnitFactory.create()
    store_reading(unit, 5.0, timezone.now())
    client.force_login(MembershipFactory.create(customer=unit.facility.customer, user__username="anna").user)

    client.get(reverse("unit-csv", args=[unit.public_id]))

    entry = AuditEntry.objects.get(action="exported")
    assert (entry.actor_name, entry.customer_id, entry.storage_unit_id) == ("anna", unit.facility.customer_id, unit.pk)
    assert (entry.after or {})["format"] == "csv"


def test_an_export_over_the_api_is_recorded_and_a_page_of_a_list_is_not() -> None:
    unit = StorageUnitFactory.create()
    client = client_of(unit.facility.customer)

    client.get("/api/v1/temperature?format=csv&limit=5")
    assert not AuditEntry.objects.filter(action="exported").exists()
    client.get("/api/v1/temperature?format=csv")

    entry = AuditEntry.objects.get(action="exported")
    assert (entry.actor_kind, entry.origin, entry.customer_id) == ("token", "api", unit.facility.customer_id)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/temperature?format=csv", 200),
        ("/units/{unit}/readings.csv", 405),
        ("/trail.csv", 405),
        ("/seals.csv", 405),
    ],
)
def test_a_head_request_is_no_export(client: Client, path: str, status: int) -> None:
    unit = StorageUnitFactory.create()
    role = Membership.Role.MANAGER
    client.force_login(MembershipFactory.create(customer=unit.facility.customer, role=role).user)

    response = client.head(path.format(unit=unit.public_id))

    assert response.status_code == status
    assert not AuditEntry.objects.filter(action="exported").exists()


def test_an_import_is_recorded(tmp_path: Path) -> None:
    customer = CustomerFactory.create()
    path = tmp_path / "freezer.csv"
    path.write_text("timestamp,unit_id,temperature_c\n2026-01-01T00:00:00Z,u1,-18.0\n")

    result = import_file(path, customer)

    entry = AuditEntry.objects.get(action="imported")
    assert (entry.object_label, entry.customer_id) == ("freezer.csv", customer.pk)
    assert (entry.after or {})["stored"] == result.delivery.records_stored


def test_a_replay_is_recorded_with_its_result() -> None:
    row = RejectedRowFactory.create()

    replay(RejectedRow.objects.filter(pk=row.pk), by="anna")

    entry = AuditEntry.objects.get(action="replayed")
    details = entry.after or {}
    assert (entry.customer_id, details["by"]) == (row.customer_id, "anna")
    assert details["replayed"] + details["still_rejected"] == 1
