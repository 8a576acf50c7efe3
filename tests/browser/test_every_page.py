"""Accessibility, phone layout and keyboard use of every page.

Each test also checks that the browser's console reports no error and that no other host was requested.
"""

from __future__ import annotations

import importlib

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from playwright.sync_api import Page

from tests.browser.axe import load_axe, violations
from tests.browser.conftest import Visit
from tests.browser.every_page import NOT_PAGES, World, make_world

pytestmark = pytest.mark.django_db(transaction=True)

# Elements in the tab order, including those scrolled out of view. Each records that it was reached and whether its
# focus is visible, as asking the browser after each key takes as long as the key.
REACHABLE = """() => {
    const all = [...document.querySelectorAll("a[href], button, input, select, textarea, [tabindex='0'], summary")];
    const reachable = all.filter((each) => each.type !== "hidden" && !each.disabled && each.tabIndex >= 0
        && each.getClientRects().length > 0 && getComputedStyle(each).visibility === "visible"
        && !each.closest("details:not([open]) > :not(summary)"));
    window.reached = {};
    document.addEventListener("focusin", (event) => {
        const place = reachable.indexOf(event.target);
        const style = getComputedStyle(event.target);
        const isSeen = style.outlineStyle !== "none" || style.boxShadow !== "none";
        if (place >= 0) window.reached[place] ||= isSeen;
    });
    return reachable.map((each) => (each.outerHTML.slice(0, 120)));
}"""


# The admin's searchable lists are created some time after the page has loaded.
ARE_LISTS_MADE = """() => !document.querySelector(
    "select.admin-autocomplete:not(.select2-hidden-accessible):not([name*=__prefix__])")"""
ADMIN_SIDEBAR = "#nav-sidebar"
ERROR_PAGES = ("403.html", "403_csrf.html", "429.html", "500.html")


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def examined(visit: Visit) -> Visit:
    """Open a window, each page of which loads axe."""
    load_axe(visit)
    return visit


@pytest.mark.parametrize(
    "module",
    [
        "readings.web.urls",
        "ingestion.web.urls",
        "customers.web.urls",
        "customers.web.allauth_urls",
        "customers.web.settings_urls",
        "seals.web.urls",
        "alarms.web.urls",
    ],
)
def test_no_page_is_forgotten(world: World, module: str) -> None:
    names = {pattern.name for pattern in importlib.import_module(module).urlpatterns}
    assert names <= world.addresses.keys() | NOT_PAGES


def test_axe_finds_nothing_serious_on_any_page(examined: Visit, world: World) -> None:
    found = {"login": violations(examined.open(reverse("login")))}
    examined.sign_in(world.staff)
    for name, address in world.addresses.items():
        page = examined.open_completely(address)
        found[name] = violations(page)
    examined.expects_errors = True  # the page that is not found is one
    found["not found"] = violations(examined.open("/nowhere"))
    for name in ERROR_PAGES:
        found[name] = violations(examined.open_template(name))
    assert {name: each for name, each in found.items() if each} == {}


def test_axe_finds_nothing_serious_in_the_admin(examined: Visit, world: World) -> None:
    examined.sign_in(world.staff)
    addresses = [reverse("admin:index")]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses.append(reverse(f"{name}_changelist"))
        if (first := model._default_manager.first()) is not None:
            addresses.append(reverse(f"{name}_change", args=[quote(first.pk)]))
    found = {}
    for number, address in enumerate(addresses):
        page = examined.open(address)
        page.wait_for_function(ARE_LISTS_MADE)
        # The sidebar lists all models on every page, without and with a current one.
        found[address] = violations(page, excluded=[] if number < 2 else [ADMIN_SIDEBAR])
    assert len(found) > 20
    assert {address: each for address, each in found.items() if each} == {}


def test_no_page_scrolls_horizontally_on_a_phone(phone: Visit, world: World) -> None:
    phone.open(reverse("login"))
    wide = [name for name in ["login"] if phone.scrolls_sideways()]
    phone.sign_in(world.staff)
    for name, address in world.addresses.items():
        phone.open_completely(address)
        if phone.scrolls_sideways():
            wide.append(name)
    assert wide == []


def test_everything_on_every_page_is_reached_by_the_tab_key_and_shows_its_focus(visit: Visit, world: World) -> None:
    visit.sign_in(world.staff)
    missed, unseen = {}, {}
    for name, address in world.addresses.items():
        page = visit.open_completely(address)
        missed[name], unseen[name] = detector(page)
    assert {name: each for name, each in missed.items() if each} == {}
    assert {name: each for name, each in unseen.items() if each} == {}


def detector(page: Page) -> tuple[list[str], list[str]]:
    """Press Tab repeatedly; return the elements that were not reached, and those without a visible focus."""
    things = page.evaluate(REACHABLE)
    reached: dict[str, bool] = {}
    page.evaluate("() => { document.activeElement.blur(); window.getSelection().removeAllRanges(); }")
    # A date field has several tab stops; the browser styles the last one itself.
    for _ in range(5):
        for _ in range(len(things) + 2):
            page.keyboard.press("Tab")
        reached = page.evaluate("() => window.reached")
        if len(reached) == len(things):
            break
    missed = [each for place, each in enumerate(things) if str(place) not in reached]
    return missed, [each for place, each in enumerate(things) if reached.get(str(place)) is False]
