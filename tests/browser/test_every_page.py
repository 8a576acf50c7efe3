"""Accessibility, phone layout and keyboard use of every page.

Each test also checks that the browser's console reports no error and that no other host was requested.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from playwright.sync_api import Page

from tests.browser.conftest import Visit
from tests.browser.every_page import NOT_PAGES, World, make_world

pytestmark = pytest.mark.django_db(transaction=True)

AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text()
LOOK = """async ([excluded, rules]) => {
    const found = await axe.run({ exclude: excluded }, { resultTypes: ["violations"], ...rules });
    return found.violations
        .filter((each) => ["serious", "critical"].includes(each.impact))
        .map((each) => `${each.id}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`);
}"""
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
COLOURS: tuple[Literal["light", "dark"], ...] = ("dark", "light")
COLOURS_PREFERRED = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
ADMIN_SIDEBAR = "#nav-sidebar"
# Otherwise axe measures a colour that lies between the two.
FINISH_TRANSITIONS = "() => document.getAnimations().forEach((each) => each.finish())"
ERROR_PAGES = ("403.html", "403_csrf.html", "429.html", "500.html")


@pytest.fixture
def world() -> World:
    return make_world()


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


def test_axe_finds_nothing_serious_on_any_page(visit: Visit, world: World) -> None:
    found = {"login": violations(visit.open(reverse("login")))}
    visit.sign_in(world.staff)
    for name, address in world.addresses.items():
        page = visit.open_completely(address)
        found[name] = violations(page)
    visit.expects_errors = True  # the page that is not found is one
    found["not found"] = violations(visit.open("/nowhere"))
    for name in ERROR_PAGES:
        found[name] = violations(visit.open_template(name))
    assert {name: each for name, each in found.items() if each} == {}


def test_axe_finds_nothing_serious_in_the_admin(visit: Visit, world: World) -> None:
    visit.sign_in(world.staff)
    addresses = [reverse("admin:index")]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses.append(reverse(f"{name}_changelist"))
        if (first := model._default_manager.first()) is not None:
            addresses.append(reverse(f"{name}_change", args=[quote(first.pk)]))
    found = {}
    for number, address in enumerate(addresses):
        page = visit.open(address)
        page.wait_for_function(ARE_LISTS_MADE)
        # The sidebar lists all models on every page, without and with a current one.
        found[address] = violations(page, excluded=[] if number < 2 else [ADMIN_SIDEBAR])
    assert len(found) > 20
    assert {address: each for address, each in found.items() if each} == {}


def violations(page: Page, excluded: Sequence[str] = ()) -> list[str]:
    """Return what axe finds in light and in dark colours. The page is loaded once, and changes with the preference.

    In the second colours only what they can change is examined. `excluded`: selectors of what is not examined.
    """
    page.evaluate(AXE)
    found = []
    rules: dict[str, object] = {}
    for colours in COLOURS:
        page.emulate_media(color_scheme=colours)
        assert page.evaluate(COLOURS_PREFERRED) == colours
        # The site's script chooses the colours; pages without it have no theme.
        page.wait_for_selector(f"html[data-bs-theme={colours}], html:not([data-bs-theme])", state="attached")
        page.evaluate(FINISH_TRANSITIONS)
        found += [f"{colours}: {each}" for each in page.evaluate(LOOK, [list(excluded), rules])]
        rules = {"runOnly": COLOUR_RULES}
    return found


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
