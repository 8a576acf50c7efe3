"""The dashboard in a browser: live updates of the overview, and zooming of the chart."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from customers.models import StorageUnit
from readings.models import Reading
from readings.web import views
from tests.browser.conftest import Visit
from tests.factories import (
    FacilityFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    make_token,
    store_reading,
    store_readings,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", facility__name="Kolkata", facility__time_zone="Asia/Kolkata")


@pytest.fixture
def member(unit: StorageUnit) -> User:
    return MembershipFactory(customer=unit.facility.customer).user


@pytest.fixture
def day(unit: StorageUnit) -> None:
    """Create a day of readings, one every 15 minutes, with a gap and a fault."""
    start = timezone.now().replace(microsecond=0) - timedelta(hours=23, minutes=50)
    store_readings(unit, [5.0 + number % 4 for number in range(40)], start=start)
    store_readings(unit, [None, *(4.0 + number % 3 for number in range(40))], start=start + timedelta(hours=13))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "REFRESH_SECONDS", 1)


def shown_chart(page: Page) -> str:
    """Wait until the chart shows the requested range, and return the URL of its data."""
    requested = page.locator("#range").get_attribute("data-series") or ""
    expect(page.locator("#chart")).to_have_attribute("data-shows", requested)
    return requested


def open_unit(visit: Visit, unit: Any, member: Any, query: str = "") -> Page:
    visit.sign_in(member)
    page = visit.open(reverse("unit", args=[unit.public_id]) + query)
    shown_chart(page)
    return page


def test_the_overview_updates_when_a_reading_arrives(visit: Visit, unit: StorageUnit, member: User) -> None:
    store_reading(unit, 5.0)
    page = visit.sign_in(member)
    tile = page.get_by_role("link", name=re.compile("Cold room"))
    expect(tile).to_contain_text("in limits")
    tile.focus()
    store_reading(unit, 12.5, timezone.now() + timedelta(seconds=1))
    expect(tile).to_contain_text("critical")
    expect(tile).to_contain_text("12.5")
    expect(tile).to_be_focused()


def test_the_overview_keeps_its_place_while_it_updates(visit: Visit, unit: StorageUnit, member: User) -> None:
    StorageUnitFactory.create_batch(120, facility=unit.facility)
    page = visit.sign_in(member)
    page.evaluate("window.scrollTo(0, 700)")
    seen = page.locator("#units .small .number").inner_text()
    expect(page.locator("#units .small .number")).not_to_have_text(seen)
    assert page.evaluate("window.scrollY") == 700


def test_filters_of_the_overview_are_part_of_the_url(visit: Visit, unit: StorageUnit, member: User) -> None:
    StorageUnitFactory(name="Freezer", facility=FacilityFactory(customer=unit.facility.customer, name="Delhi"))
    page = visit.sign_in(member)
    page.get_by_label("Search").fill("free")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"text=free"))
    page.get_by_label("Search").fill("")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("Facility").select_option("Kolkata")
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".tile")).to_contain_text("Cold room")
    page.get_by_role("link", name=re.compile("in limits")).click()
    expect(page.locator("#units")).to_contain_text("No units match these filters")
    page.reload()
    expect(page.locator("#units")).to_contain_text("No units match these filters")


def test_filters_of_the_overview_apply_at_once(visit: Visit, unit: StorageUnit) -> None:
    StorageUnitFactory(name="Freezer", facility__name="Delhi")
    page = visit.sign_in(StaffFactory())
    page.get_by_label("Facility").select_option("Kolkata")
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_label("Facility").select_option("All")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("Customer").select_option(unit.facility.customer.customer_code)
    expect(page.locator(".tile")).to_have_count(1)


def test_a_lost_connection_is_reported(visit: Visit, unit: StorageUnit, member: User) -> None:
    page = visit.sign_in(member)
    visit.expects_errors = True
    page.context.set_offline(True)
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()


def test_a_session_that_ends_leads_to_the_sign_in_page(visit: Visit, unit: StorageUnit) -> None:
    token, text = make_token(unit.facility.customer, permissions=["read"])
    page = visit.open("/")
    page.get_by_label("User name or customer code").fill(unit.facility.customer.customer_code)
    page.get_by_label("Password or API token").fill(text)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator(".tile")).to_have_count(1)
    token.revoked_at = timezone.now()
    token.save()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()


def test_dragging_zooms_the_chart_and_a_double_click_resets_it(
    visit: Visit, unit: StorageUnit, member: User, day: None
) -> None:
    page = open_unit(visit, unit, member)
    whole = shown_chart(page)
    box = page.locator("#chart canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2, steps=4)
    expect(page.locator(".chart-selection")).to_be_visible()
    page.mouse.up()
    expect(page.get_by_role("heading", name="Custom period")).to_be_visible()
    assert "start=" in shown_chart(page)
    expect(page).to_have_url(re.compile("start="))
    hours = page.evaluate("(unitChart.span()[1] - unitChart.span()[0]) / 3600000")
    assert 3.5 < hours < 7
    page.locator("#chart").dblclick()
    expect(page.get_by_role("heading", name="Last 24 hours")).to_be_visible()
    assert shown_chart(page) == whole


def test_the_wheel_and_the_keys_zoom_and_move_the_chart(
    visit: Visit, unit: StorageUnit, member: User, day: None
) -> None:
    page = open_unit(visit, unit, member)
    page.locator("#chart").hover()
    page.mouse.wheel(0, -100)
    expect(page.get_by_role("heading", name="Custom period")).to_be_visible()
    shown_chart(page)
    assert page.evaluate("(unitChart.span()[1] - unitChart.span()[0]) / 3600000") == pytest.approx(19.2, abs=0.1)
    page.locator("#chart").focus()
    for key in ("+", "ArrowLeft"):
        before = shown_chart(page)
        page.keyboard.press(key)
        expect(page.locator("#chart")).not_to_have_attribute("data-shows", before)
    assert page.evaluate("(unitChart.span()[1] - unitChart.span()[0]) / 3600000") == pytest.approx(9.6, abs=0.1)
    page.keyboard.press("0")
    expect(page.get_by_role("heading", name="Last 24 hours")).to_be_visible()


def test_zooming_out_ends_at_the_earliest_time_of_readings(
    visit: Visit, unit: StorageUnit, member: User, day: None
) -> None:
    page = open_unit(visit, unit, member, "?range=1y")
    page.locator("#chart").focus()
    for _ in range(6):
        page.keyboard.press("-")
    expect(page.get_by_role("heading", name="Custom period")).to_be_visible()
    shown_chart(page)
    assert page.evaluate("new Date(unitChart.span()[0]).toISOString()") == "2000-01-01T00:00:00.000Z"


def test_a_period_that_ends_before_it_starts_is_refused_with_the_reason(
    visit: Visit, unit: StorageUnit, member: User, day: None
) -> None:
    page = open_unit(visit, unit, member)
    visit.expects_errors = True
    page.get_by_label("From").fill("2026-03-02T10:00")
    page.get_by_label("To", exact=True).fill("2026-03-01T10:00")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#connection")).to_have_text("The end must be at least a minute after the start.")


LEGEND = """Chart.getChart(document.querySelector("#chart canvas")).legend.legendItems.map(({ text }) => text)"""
AXIS_LABELS = """Chart.getChart(document.querySelector("#chart canvas")).scales.y.ticks.map(({ label }) => label)"""


def test_another_range_changes_chart_statistics_and_readings(
    visit: Visit, unit: StorageUnit, member: User, day: None
) -> None:
    store_reading(unit, 9.0, timezone.now() - timedelta(days=5))
    page = open_unit(visit, unit, member)
    readings = page.locator("#statistics div", has_text="Readings").locator("dd")
    expect(readings).to_have_text("81")
    page.get_by_role("link", name="7 days").click()
    expect(readings).to_have_text("82")
    assert "range=7d" in shown_chart(page)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    page.evaluate("history.go(-2)")
    expect(page.get_by_role("heading", name="Last 24 hours")).to_be_visible()
    shown_chart(page)
    assert page.evaluate(LEGEND) == ["Average", "Set temperature", "Warning", "Critical"]
    page.get_by_role("link", name="1 year").click()
    expect(page.get_by_role("heading", name="Last 1 year")).to_be_visible()
    shown_chart(page)
    assert page.evaluate(LEGEND) == ["Average", "Minimum to maximum", "Set temperature", "Warning", "Critical"]


def test_the_export_equals_the_database(
    visit: Visit, unit: StorageUnit, member: User, day: None, tmp_path: Path
) -> None:
    page = open_unit(visit, unit, member)
    page.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("heading", name="Last 7 days")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    download.value.save_as(tmp_path / "readings.csv")
    with (tmp_path / "readings.csv").open() as file:
        exported = [(row["recorded_at"], row["temperature"]) for row in csv.DictReader(file)]
    stored = Reading.objects.filter(storage_unit=unit).order_by("-recorded_at")
    assert exported == [
        (each.recorded_at.isoformat(), "" if each.temperature_c is None else str(each.temperature_c)) for each in stored
    ]
    assert len(exported) == 81


def test_the_times_are_those_of_the_facility(visit: Visit, unit: StorageUnit, member: User, day: None) -> None:
    page = open_unit(visit, unit, member)
    newest = Reading.objects.filter(storage_unit=unit).order_by("-recorded_at")[0].recorded_at
    local = newest.astimezone(unit.facility.zone)
    expect(page.locator("#range tbody tr").first).to_contain_text(f"{local:%H:%M:%S}")
    expect(page.locator("#chart-note")).to_contain_text("Times in Asia/Kolkata")
    expect(page.locator("#chart-note")).to_contain_text("sensor faults marked ✕")


# The radius of each point of a chart's line.
DOTS = """Chart.getChart(document.querySelector("#chart canvas")).getDatasetMeta(0).data
    .filter((point) => !point.skip).map((point) => point.options.radius)"""


def test_a_reading_between_two_gaps_is_visible(visit: Visit, unit: StorageUnit, member: User) -> None:
    """A reading is valid for 45 minutes; those that follow each other in less are joined by a line."""
    start = timezone.now().replace(microsecond=0) - timedelta(days=6, hours=23)
    store_readings(unit, [5.0] * 96, start=start)
    store_readings(unit, [5.0] * 60, start=start + timedelta(hours=25), every=timedelta(hours=2))
    page = open_unit(visit, unit, member)
    page.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("heading", name="Last 7 days")).to_be_visible()
    shown_chart(page)

    assert page.evaluate(DOTS) == [0] * 96 + [2] * 60


def test_an_hour_between_two_without_readings_is_visible(visit: Visit, unit: StorageUnit, member: User) -> None:
    start = timezone.now() - timedelta(days=6)
    store_readings(unit, [-5.0] * 40, start=start, every=timedelta(hours=2))
    visit.sign_in(member)
    page = visit.open(f"{reverse('analytics')}?interval=hour&days=7")

    assert page.evaluate(DOTS) == [2] * 40
    assert page.evaluate(LEGEND) == ["Average", "Minimum to maximum"]
    assert {label[0] for label in page.evaluate(AXIS_LABELS)} == {"\N{MINUS SIGN}"}


def test_marks_of_half_a_year_are_months(visit: Visit, unit: StorageUnit, member: User, day: None) -> None:
    page = open_unit(visit, unit, member)
    half_a_year = "Date.UTC(2026, 0, 10), Date.UTC(2026, 6, 20), 'Asia/Kolkata'"

    labels = page.evaluate(f"chartTime.marks({half_a_year}, 20).map(chartTime.labels({half_a_year}))")

    assert labels == ["Feb 2026", "Mar 2026", "Apr 2026", "May 2026", "Jun 2026", "Jul 2026"]


def test_no_page_scrolls_horizontally_on_a_phone(phone: Visit, unit: StorageUnit, member: User, day: None) -> None:
    StorageUnitFactory(facility=unit.facility, name="A name that is far too long for the width of any phone " * 2)
    phone.sign_in(member)
    facility = reverse("facility", args=[unit.facility.public_id])
    for path in ["/", reverse("facilities"), facility, reverse("unit", args=[unit.public_id]), "/nowhere"]:
        phone.open(path)
        assert not phone.scrolls_sideways(), path
    phone.expects_errors = True  # The console reports the missing page.


def test_the_keyboard_reaches_everything(visit: Visit, unit: StorageUnit, member: User, day: None) -> None:
    page = visit.sign_in(member)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('tile')"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Cold room")).to_be_visible()
    shown_chart(page)
    page.locator("#chart").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Earlier")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Custom period")).to_be_visible()
