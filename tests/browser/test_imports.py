"""A person imports files of two loggers by clicking on their columns, and undoes the import."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from customers.models import Membership
from ingestion.imports import storing, undoing
from ingestion.models import ImportFile
from readings.models import Reading, ReadingRevision
from tests.browser.conftest import Visit
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = "Messung;Wert;Stelle\n20.11.2026 10:00;40,1;Kühlraum 1\n20.11.2026 10:10;41;Kühlraum 2\n"
HOBO = '"Plot Title: Fridge 7"\n"#","Date Time, GMT+00:00","Temp, °C (LGR S/N: 1)"\n1,11/20/26 09:00:00 AM,4.5\n'


@pytest.fixture
def member() -> Membership:
    return MembershipFactory(role="manager")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    texts = {"rooms.csv": UNKNOWN, "fridge 7.csv": HOBO}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return [tmp_path / name for name in texts]


def open_imports(visit: Visit, member: Membership) -> Page:
    page = visit.sign_in(member.user)
    page.goto(f"{visit.site}/imports")
    return page


def drop(page: Page, files: list[Path]) -> None:
    """Drop files on the form."""
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    dropped = page.evaluate_handle(
        """texts => {
            const dropped = new DataTransfer();
            for (const [name, text] of Object.entries(texts)) dropped.items.add(new File([text], name));
            return dropped;
        }""",
        texts,
    )
    page.dispatch_event("form[data-drop-files]", "drop", {"dataTransfer": dropped})


def click_column(page: Page, role: str, name: str) -> None:
    """Choose a role and click on the title of the column; wait until the preview knows it."""
    page.get_by_role("button", name=role, exact=True).click()
    with page.expect_response(lambda response: response.request.method == "GET" and response.ok):
        page.get_by_role("columnheader", name=name, exact=True).click()
    position = page.get_by_role("columnheader", name=name, exact=True).get_attribute("data-column")
    expect(page.locator(f"select[name=column-{position}] option:checked")).to_have_text(role)


def run_import() -> None:
    [claim] = storing.claim_due()
    undoing.run_claimed(claim)


def test_files_of_two_loggers_are_mapped_by_clicking_stored_and_undone(
    visit: Visit, member: Membership, files: list[Path]
) -> None:
    page = open_imports(visit, member)
    page.get_by_label("Files:").set_input_files(files)
    page.get_by_role("button", name="Upload and preview").click()
    listed = page.get_by_role("region", name="2 files")
    expect(listed.get_by_role("row", name="rooms.csv")).to_contain_text("Cannot be stored yet")
    expect(listed.get_by_role("row", name="fridge 7.csv")).to_contain_text("Ready")
    expect(page.get_by_role("button", name="Store 1 of 2 files")).to_be_visible()

    for role, name in (("Time", "Messung"), ("Temperature", "Wert"), ("Storage unit", "Stelle")):
        click_column(page, role, name)
    preview = page.get_by_role("region", name="Preview of rooms.csv")
    expect(preview).to_contain_text("2 would be stored")
    for label, option in (("Time zone", "Europe/Berlin"), ("Scale", "°F")):
        with page.expect_response(lambda response: response.request.method == "GET" and response.ok):
            page.get_by_label(label, exact=False).first.select_option(option)
    expect(preview).to_contain_text("09:00:00 UTC")
    expect(preview).to_contain_text("4.5\N{NO-BREAK SPACE}°C")
    page.get_by_role("link", name="fridge 7.csv").click()
    expect(page.get_by_role("region", name="Preview of fridge 7.csv")).to_contain_text("1 would be stored")
    expect(page.get_by_text("Template “Onset HOBO (HOBOware)” was recognised")).to_be_visible()

    page.get_by_role("button", name="Store all 2 files").click()
    expect(page.get_by_role("heading", name="Storing")).to_be_visible()
    expect(page.locator("progress")).to_have_attribute("value", "0")
    run_import()
    expect(page.get_by_role("row", name="rooms.csv")).to_contain_text("Stored")
    units = Reading.objects.values_list("storage_unit__unit_code", flat=True)
    assert sorted(units) == ["Kühlraum 1", "Kühlraum 2", "fridge 7"]

    page.get_by_label("Reason").fill("The wrong rooms.")
    page.get_by_role("button", name="Undo import").click()
    expect(page.get_by_role("heading", name="Undoing")).to_be_visible()
    run_import()
    expect(page.get_by_text("The wrong rooms. Its readings were withdrawn.")).to_be_visible()
    assert (Reading.objects.count(), ReadingRevision.objects.count()) == (0, 3)


def test_on_a_phone_dropped_files_that_cannot_be_read_offer_no_storing_and_are_removed(
    phone: Visit, member: Membership, files: list[Path]
) -> None:
    page = open_imports(phone, member)
    drop(page, files)
    page.get_by_role("button", name="Upload and preview").click()
    page.get_by_role("button", name="Remove fridge 7.csv").click()

    expect(page.get_by_role("heading", name="rooms.csv")).to_be_visible()
    expect(page.get_by_role("region", name="Preview")).to_contain_text("Choose the columns of the time")
    expect(page.get_by_text("Nothing can be stored yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Store", exact=False)).to_have_count(0)
    assert not phone.scrolls_sideways()
    assert ImportFile.objects.get().name == "rooms.csv"
