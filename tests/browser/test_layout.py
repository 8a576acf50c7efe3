"""The layout of pages on phones, laptops and paper: nothing is cut off, overlaps or breaks within words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from tests.alarm_factories import AlarmFactory
from tests.browser.conftest import Visit
from tests.browser.every_page import World, make_world
from tests.factories import CustomerFactory, FacilityFactory, StaffFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db(transaction=True)

LONG_NAME = "Central Vaccine Distribution and Emergency Reserve Warehouse of the Northern Health Authority"

# Short words that are on two lines. Long ones, such as codes and addresses, may break.
BROKEN_WORDS = """() => {
    const found = new Set();
    for (const element of document.querySelectorAll(".btn, .state, th, td, label, a")) {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            for (const { 0: word, index } of walker.currentNode.data.matchAll(/(?<![^\\s])[A-Za-z]{2,9}(?![^\\s])/g)) {
                const range = document.createRange();
                range.setStart(walker.currentNode, index);
                range.setEnd(walker.currentNode, index + word.length);
                if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) found.add(word);
            }
        }
    }
    return [...found];
}"""

# Panels that something sticks out of, and values that are wider than their column.
OVERFLOWING = """() => [...document.querySelectorAll(".panel, .properties dd")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1)
    .map((each) => (each.getAttribute("aria-label") ?? each.textContent.trim()).slice(0, 60))"""


@pytest.fixture
def world() -> World:
    """Name a facility and a unit as long as some customers do."""
    world = make_world()
    type(world.facility).objects.filter(pk=world.facility.pk).update(name=LONG_NAME)
    type(world.unit).objects.filter(pk=world.unit.pk).update(name=f"Refrigerator 17b, {LONG_NAME}")
    return world


@pytest.mark.parametrize("width", [375, 820])
def test_no_short_word_is_broken_and_nothing_sticks_out_of_its_panel(visit: Visit, world: World, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 800})
    visit.sign_in(world.staff)
    broken, overflowing = {}, {}
    for name, address in world.addresses.items():
        page = visit.open_completely(address)
        broken[name], overflowing[name] = page.evaluate(BROKEN_WORDS), page.evaluate(OVERFLOWING)
    assert {name: each for name, each in broken.items() if each} == {}
    assert {name: each for name, each in overflowing.items() if each} == {}


def test_a_phone_shows_alarms_before_filters_that_are_not_used(phone: Visit) -> None:
    AlarmFactory(started_at=timezone.now() - timedelta(hours=1))
    phone.sign_in(StaffFactory())
    page = phone.open(reverse("alarms"))
    alarm, severity = page.get_by_role("link", name="Temperature, "), page.get_by_label("Severity")
    assert not severity.is_visible()
    box = alarm.bounding_box()
    assert box is not None
    assert box["y"] < page.evaluate("innerHeight") / 2

    page.get_by_text("Filters", exact=True).click()
    severity.select_option("critical")
    page.wait_for_url("**severity=critical**")
    assert severity.is_visible()


def test_a_filter_stays_beside_its_label(visit: Visit) -> None:
    AlarmFactory(storage_unit__facility__name=LONG_NAME)
    FacilityFactory(customer__name=LONG_NAME)
    page = visit.sign_in(StaffFactory())
    for width in (820, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        visit.open(reverse("alarms"))
        apart = page.evaluate("""() => [...document.querySelectorAll(".filters label")].filter((label) => {
            const [one, other] = [label, label.control].map((each) => each.getBoundingClientRect());
            return one.bottom < other.top || other.bottom < one.top;
        }).map((label) => label.textContent)""")
        assert apart == []


def test_long_names_leave_room_for_the_chart_of_a_comparison(phone: Visit) -> None:
    customer = CustomerFactory()
    for number in range(3):
        unit = StorageUnitFactory(facility=FacilityFactory(customer=customer, name=f"{LONG_NAME} {number}"))
        store_readings(unit, [5.0, 6.0], start=timezone.now() - timedelta(hours=2), every=timedelta(hours=1))
    phone.sign_in(StaffFactory())
    page = phone.open_completely(reverse("analytics-comparison"))
    height = page.evaluate("Object.values(Chart.instances)[0].chartArea.height")
    assert height > page.locator("#chart").bounding_box()["height"] / 2  # type: ignore[index]  # the chart is visible


@pytest.mark.parametrize("address", ["alarm", "unit", "analytics"])
def test_a_dark_page_is_printed_light_and_without_forms(
    visit_with: Callable[..., Visit], world: World, address: str
) -> None:
    visit = visit_with(color_scheme="dark")
    visit.sign_in(world.manager)
    page = visit.open_completely(world.addresses[address])
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("html").get_attribute("data-bs-theme") == "light"
    assert page.locator("main .btn:visible, main .settings-form:visible, .site-nav:visible").count() == 0
    assert page.locator("h1, main canvas").evaluate_all("each => each.every((one) => one.clientWidth > 0)")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"


def test_an_alarm_can_be_acknowledged_from_the_top_of_its_page(phone: Visit, world: World) -> None:
    phone.sign_in(world.manager)
    page = phone.open(world.addresses["alarm"])
    page.get_by_role("navigation", name="Actions").get_by_role("link", name="Acknowledge").click()
    expect(page.get_by_label("Planned action")).to_be_in_viewport()


def test_a_rejected_form_of_an_alarm_is_in_view_and_so_is_the_message_of_an_accepted_one(
    phone: Visit, world: World
) -> None:
    phone.sign_in(world.manager)
    page = phone.open(world.addresses["alarm"])
    action = page.get_by_label("Planned action")
    action.evaluate("each => each.required = false")
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.get_by_text("This field is required.")).to_be_in_viewport()

    action.fill("Call the pharmacist on duty")
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.get_by_text("Alarm acknowledged.")).to_be_in_viewport()
