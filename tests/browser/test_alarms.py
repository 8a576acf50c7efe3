"""Alarms in the browser: acknowledged, shaded in the chart, and refreshed automatically."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from alarms.models import Alarm
from alarms.web import alarms
from tests.alarm_factories import AlarmFactory
from tests.browser.conftest import Visit
from tests.browser.every_page import World, make_world
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def page(visit: Visit, world: World) -> Page:
    """Return a browser page with the customer's manager signed in."""
    return visit.sign_in(world.manager)


def test_an_alarm_is_found_acknowledged_and_counted(visit: Visit, page: Page, world: World) -> None:
    expect(page.locator("#alarm-count")).to_contain_text("1")
    page.get_by_role("link", name=re.compile("^Alarms")).click()
    page.locator("#alarms").get_by_role("link", name="Temperature, critical").click()
    page.get_by_label("Planned action").fill("On my way with a spare fan.")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#messages")).to_have_text("Alarm acknowledged.")
    expect(page.locator("#alarm ol")).to_contain_text("On my way with a spare fan.")
    expect(page.locator("#alarm-count")).to_have_text("")
    alarm = Alarm.objects.get(pk=world.alarm.pk)
    assert (alarm.state, alarm.acknowledged_by) == ("acknowledged", world.manager.get_username())


def test_a_comment_is_required(visit: Visit, page: Page, world: World) -> None:
    visit.open(reverse("alarm", args=[world.alarm.public_id]))
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_label("Planned action")).to_be_focused()
    assert Alarm.objects.get(pk=world.alarm.pk).state == "open"


def test_a_comment_typed_while_offline_is_kept_until_it_is_sent(visit: Visit, page: Page, world: World) -> None:
    address = reverse("alarm", args=[world.alarm.public_id])
    visit.open(address)
    page.context.set_offline(True)
    page.get_by_label("Planned action").fill("Moving the vaccines.")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#connection")).to_contain_text("Your text is kept")
    page.context.set_offline(False)
    visit.open(address)
    expect(page.get_by_label("Planned action")).to_have_value("Moving the vaccines.")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#messages")).to_have_text("Alarm acknowledged.")
    page.get_by_role("textbox", name="Comment").fill("Moved.")
    page.get_by_role("button", name="Add comment").click()
    expect(page.locator("#messages")).to_have_text("Comment added.")
    visit.open(address)
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("")


def test_a_comment_is_kept_for_the_one_who_typed_it(visit: Visit, page: Page, world: World) -> None:
    address = reverse("alarm", args=[world.alarm.public_id])
    visit.open(address)
    page.get_by_label("Planned action").fill("Moving the vaccines.")
    colleague = MembershipFactory(customer=world.alarm.customer, role="manager").user
    visit.sign_in(colleague)
    visit.open(address)
    expect(page.get_by_label("Planned action")).to_have_value("")
    visit.sign_in(world.manager)
    visit.open(address)
    expect(page.get_by_label("Planned action")).to_have_value("Moving the vaccines.")


def test_the_excursion_is_shaded_in_both_charts(visit: Visit, page: Page, world: World) -> None:
    unit = world.alarm.storage_unit
    assert unit is not None
    for address in (reverse("alarm", args=[world.alarm.public_id]), reverse("unit", args=[unit.public_id])):
        visit.open(address)
        expect(page.locator("#chart-note")).to_contain_text(re.compile("excursions: [12]"))
        shaded = page.evaluate("unitChart.excursions().map(({ severity, end }) => [severity, end])")
        assert ["critical", None] in shaded
    # Red during the excursion and not before it.
    assert page.evaluate(RED_AT, world.alarm.started_at.timestamp() * 1000 + 1_800_000)
    assert not page.evaluate(RED_AT, world.alarm.started_at.timestamp() * 1000 - 3_600_000)


RED_AT = """(time) => {
    const canvas = document.querySelector("#chart canvas"), chart = Chart.getChart(canvas);
    const ratio = canvas.width / canvas.clientWidth, x = chart.scales.x.getPixelForValue(time);
    const [red, green, blue, alpha] = canvas.getContext("2d")
        .getImageData(x * ratio, (chart.chartArea.top + 3) * ratio, 1, 1).data;
    return alpha > 0 && red > green + 20 && red > blue + 20;
}"""


def test_the_list_refreshes_and_keeps_its_filters(
    visit: Visit, page: Page, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "REFRESH_SECONDS", 1)
    visit.open(reverse("alarms"))
    page.get_by_label("Severity").select_option("critical")
    expect(page).to_have_url(re.compile("severity=critical"))
    links = page.locator("#alarms").get_by_role("link", name="Temperature, critical")
    expect(links).to_have_count(1)
    AlarmFactory(storage_unit=world.unit, started_at=timezone.now() - timedelta(minutes=40))
    expect(links).to_have_count(2)
    page.get_by_label("Search").fill("Blood")
    expect(links).to_have_count(1)
    expect(page.get_by_label("Severity")).to_have_value("critical")
