"""A person sets up a customer and its source in the dashboard, by clicking on what the source sends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from alarms.models import LimitProfile, UnitLimits
from customers.models import Customer
from ingestion.models import Source, SourceSetup
from ingestion.polling.tests.scripted_server import Script, ScriptedServer, answer
from tests.browser.conftest import Visit
from tests.factories import MembershipFactory, StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)

# A person, who types and thinks, has three minutes; the steps by themselves take a part of that on a loaded machine.
LONGEST_SECONDS = 180
CSV = "Messung;Wert;Stelle\n20.11.2026 10:00;4,5;Kühlraum 1\n20.11.2026 10:00;-18,5;Kühlraum 2\n"
JSON = {
    "entries": [
        {"at": "2026-11-20T10:00:00Z", "probe": {"room": name, "value": celsius}}
        for name, celsius in (("Kühlraum 1", 4.5), ("Kühlraum 2", -18.5))
    ]
}
SENT = {
    "CSV": answer(CSV.encode(), headers="Content-Type: text/csv; charset=utf-8\r\n"),
    "JSON": answer(json.dumps(JSON).encode(), headers="Content-Type: application/json\r\n"),
}


@pytest.fixture(params=["CSV", "JSON"])
def server(request: pytest.FixtureRequest, settings: Settings) -> Iterator[ScriptedServer]:
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    script: Script = SENT[request.param]
    with ScriptedServer(script) as running:
        yield running


def click_column(page: Page, role: str, name: str) -> None:
    """Choose a role and click on the title of the column with this name; wait until the preview knows it."""
    page.get_by_role("button", name=role, exact=True).click()
    title = page.get_by_role("columnheader", name=name, exact=True)
    column = title.get_attribute("data-column")
    with page.expect_response(lambda response: response.request.method == "GET" and response.ok):
        title.click()
    expect(page.locator(f"select[name=column-{column}] option:checked")).to_have_text(role)


def test_a_customer_and_its_source_are_set_up_without_the_admin(visit: Visit, server: ScriptedServer) -> None:
    page = visit.sign_in(StaffFactory())
    started = time.monotonic()
    page.get_by_role("link", name="Sources").click()
    page.get_by_role("link", name="Set up a source").click()
    page.get_by_label("Name of the customer").fill("Cold Ltd")
    page.get_by_label("Customer code").fill("COLD")
    page.get_by_role("button", name="Add customer and continue").click()

    page.get_by_label("Name of the source").fill("Rooms")
    page.get_by_label("URL").fill(f"{server.url}/readings?hours={{hours}}")
    page.get_by_label("Authentication").select_option("Bearer token")
    page.get_by_label("Credentials secret").fill("secret-of-cold")
    page.get_by_role("button", name="Test and continue").click()
    assert b"Bearer secret-of-cold" in server.heads[0]

    is_csv = page.get_by_role("columnheader", name="Messung").count()
    columns = ("Messung", "Wert", "Stelle") if is_csv else ("at", "probe.value", "probe.room")
    for role, name in zip(("Time", "Temperature", "Storage unit"), columns, strict=True):
        click_column(page, role, name)
    expect(page.locator("[aria-labelledby=preview]")).to_contain_text("2 would be stored")
    page.get_by_role("button", name="Continue").click()

    # Leaving and returning continues at the same step.
    page.get_by_label("Poll").select_option("Every 15 minutes")
    page.goto(f"{visit.site}/setup")
    page.get_by_role("link", name="Cold Ltd · Rooms").click()
    page.get_by_label("Poll").select_option("Every 15 minutes")
    page.get_by_label("Time zone of its facilities").select_option("Europe/Berlin")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_label("Poll")).to_have_value("900")
    page.get_by_role("button", name="Continue").click()

    frozen = LimitProfile.objects.get(name="frozen food")
    page.get_by_label("Kühlraum 2").select_option(frozen.name)
    page.get_by_role("button", name="Finish and start polling").click()
    expect(page.get_by_text("is set up with 2 storage units")).to_be_visible()
    assert time.monotonic() - started < LONGEST_SECONDS

    source = Source.objects.get(customer=Customer.objects.get(customer_code="COLD"))
    assert (source.is_paused, source.interval_seconds, source.facility_time_zone) == (False, 900, "Europe/Berlin")
    assert [(limits.storage_unit.unit_code, limits.profile) for limits in UnitLimits.objects.all()] == [
        ("Kühlraum 2", frozen)
    ]
    assert not SourceSetup.objects.exists()


def test_an_address_that_does_not_answer_is_explained(phone: Visit, settings: Settings) -> None:
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    membership = MembershipFactory(role="manager")
    page = phone.sign_in(membership.user)
    page.goto(f"{phone.site}/setup")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Name of the source").fill("Rooms")
    page.get_by_label("URL").fill("http://127.0.0.1:9/readings")
    page.get_by_role("button", name="Test and continue").click()

    expect(page.locator("[aria-labelledby=preview] .alert-danger")).to_be_visible()
    assert not phone.scrolls_sideways()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_label("URL")).to_have_value("http://127.0.0.1:9/readings")
    assert Source.objects.get().is_paused
