"""The page of the seals, and the download of their roots."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from audit.models import AuditEntry
from customers.models import Customer
from readings.storage.closing import closes_at
from seals.models import DaySeal, TimeStamp
from seals.sealing import SEALED_WITHIN
from seals.tests.sealed_data import DAY, NEXT_DAY, seal_until, store_in_time
from seals.verification import roots
from seals.verification.roots import read_roots
from tests.factories import CustomerFactory, MembershipFactory, StaffFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> Customer:
    """Return a customer with two seals; the first covers two readings."""
    unit = StorageUnitFactory.create(facility__customer__customer_code="ACME")
    store_in_time(unit, [5.0, 6.0])
    seal_until(closes_at(NEXT_DAY), unit.facility.customer)
    return unit.facility.customer


@pytest.fixture
def manager(client: Client, customer: Customer) -> Client:
    client.force_login(MembershipFactory.create(customer=customer, role="manager", user__username="anna").user)
    return client


def page_of(client: Client, **query: str) -> str:
    response = client.get(reverse("seals"), query)
    assert response.status_code == 200
    return response.content.decode()


def download(client: Client, **query: str) -> str:
    response = client.get(reverse("seals-csv"), query)
    assert isinstance(response, StreamingHttpResponse)
    return response.getvalue().decode()


def test_managers_see_the_seals_of_their_customer_only(manager: Client, customer: Customer) -> None:
    other = CustomerFactory.create(customer_code="OTHER")
    seal_until(closes_at(DAY), other)
    seal_until(closes_at(DAY), None)

    page = page_of(manager)

    first, second = DaySeal.of(customer.pk)
    assert f"<code>{bytes(first.root).hex()}</code>" in page
    assert f"after {bytes(second.previous_root).hex()}" in page
    assert "the first seal" in page
    assert '<td class="text-end">2</td>' in page
    assert "OTHER" not in page
    assert "The system" not in page


def test_the_operator_sees_all_and_those_of_the_system(client: Client, customer: Customer) -> None:
    seal_until(closes_at(DAY), None)
    client.force_login(StaffFactory.create())

    assert "The system" in page_of(client)
    assert "The system" not in page_of(client, customer="ACME")


@pytest.mark.parametrize("name", ["seals", "seals-csv"])
def test_others_see_no_seals(manager: Client, customer: Customer, name: str) -> None:
    CustomerFactory.create(customer_code="OTHER")
    assert manager.get(reverse(name), {"customer": "OTHER"}).status_code == 404

    for role in ("viewer", "operator"):
        manager.force_login(MembershipFactory.create(customer=customer, role=role).user)
        assert manager.get(reverse(name)).status_code == 403


def test_the_page_says_which_seals_are_stamped(manager: Client, customer: Customer, settings: Settings) -> None:
    assert "No time-stamping service is configured." in page_of(manager)
    settings.TIME_STAMP_URL = "https://tsa.example.com"
    first = DaySeal.of(customer.pk).earliest("id")
    stamped_at = datetime(2026, 6, 2, 6, 10, 3, tzinfo=UTC)
    TimeStamp.objects.create(
        first_seal_id=first.pk, last_seal_id=first.pk, root=first.root, token=b"", stamped_at=stamped_at
    )

    page = page_of(manager)

    assert "06:10:03" in page
    assert page.count("Pending") == 1


def test_the_download_is_what_export_roots_writes_and_is_on_record(
    manager: Client, customer: Customer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last piece is full.
    monkeypatch.setattr(roots, "ROWS_A_PIECE", 1)
    call_command("export_roots", str(tmp_path / "roots.csv"), customer="ACME", stdout=io.StringIO())

    downloaded = download(manager, customer="ACME")

    assert downloaded == (tmp_path / "roots.csv").read_bytes().decode()
    assert read_roots(io.StringIO(downloaded)) == {
        ("ACME", seal.sequence): bytes(seal.root).hex() for seal in DaySeal.of(customer.pk)
    }
    recorded = AuditEntry.objects.get(action="exported")
    assert (recorded.actor_name, recorded.object_label, recorded.customer_id) == ("anna", "roots of seals", customer.pk)


def test_the_trail_leads_to_the_seals(manager: Client, customer: Customer) -> None:
    link = f'href="{reverse("seals")}'
    assert link in manager.get(reverse("trail")).content.decode()
    assert link in manager.get(reverse("settings-history", args=[customer.public_id])).content.decode()


def test_the_page_belongs_to_the_settings(manager: Client) -> None:
    assert f'<a href="{reverse("settings")}" aria-current="page">' in page_of(manager)


def test_a_seal_that_the_system_made_too_late_says_so(manager: Client, customer: Customer) -> None:
    in_time, late = DaySeal.objects.filter(customer=customer).order_by("sequence")
    DaySeal.objects.filter(pk=in_time.pk).update(sealed_at=in_time.closed_at + SEALED_WITHIN)
    DaySeal.objects.filter(pk=late.pk).update(sealed_at=late.closed_at + timedelta(hours=5, minutes=30))

    page = page_of(manager)

    assert re.findall(r"(\d+) h after closing", page) == ["5"]
