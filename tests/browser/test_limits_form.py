"""The form of a unit's limits disables what does not apply, so that nothing is typed in vain."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from alarms.models import LimitProfile, UnitLimits
from tests.browser.conftest import Visit
from tests.browser.every_page import World, make_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def page(visit: Visit, world: World) -> Page:
    """Open the limits of a unit as a manager."""
    visit.sign_in(world.manager)
    return visit.open(reverse("settings-unit-limits", args=[world.facility.customer.public_id, world.unit.public_id]))


def test_a_profile_disables_the_values_and_shows_its_own(page: Page, world: World) -> None:
    medicine = LimitProfile.objects.get(name="refrigerated medicine")
    page.get_by_label("Profile").select_option(label="refrigerated medicine")
    critical = page.get_by_label("High critical, °C")
    expect(critical).to_be_disabled()
    expect(critical).to_have_value("15")
    expect(page.get_by_label("High warning delay")).to_have_value("15 min")
    page.get_by_role("button", name="Save limits").click()
    expect(page.locator("#messages")).to_contain_text("saved and in effect")
    assert UnitLimits.objects.get(storage_unit=world.unit).profile == medicine

    page.get_by_label("Profile").select_option(label="Custom limits")
    expect(critical).to_be_enabled()
    critical.fill("12")
    page.get_by_role("button", name="Save limits").click()
    expect(page.locator("#messages")).to_contain_text("saved and in effect")
    choice = UnitLimits.objects.get(storage_unit=world.unit)
    assert (choice.profile, choice.low_warning_c, choice.high_critical_c) == (None, 2.0, 12.0)


def test_limits_are_either_in_degrees_or_relative_to_the_set_temperature(page: Page) -> None:
    page.get_by_label("Profile").select_option(label="Custom limits")
    page.get_by_label("Relative to the set temperature").uncheck()
    expect(page.get_by_label("High warning, °C")).to_be_enabled()
    expect(page.get_by_label("Warning deviation, K")).to_be_disabled()
    page.get_by_label("Relative to the set temperature").check()
    expect(page.get_by_label("High warning, °C")).to_be_disabled()
    expect(page.get_by_label("Warning deviation, K")).to_be_enabled()


def test_what_belongs_to_an_empty_field_is_disabled(page: Page) -> None:
    page.get_by_label("Profile").select_option(label="Custom limits")
    for field, dependent in [("Allowed time outside:", "Budget window:"), ("MKT limit, °C", "MKT window")]:
        page.get_by_label(field).fill("")
        expect(page.get_by_label(dependent)).to_be_disabled()
        page.get_by_label(field).fill("5 min" if field.startswith("Allowed") else "5")
        expect(page.get_by_label(dependent)).to_be_enabled()
    expect(page.get_by_label("Reference sensor")).to_be_disabled()
    page.get_by_label("Sensor rule").select_option(label="One reference sensor")
    expect(page.get_by_label("Reference sensor")).to_be_enabled()
