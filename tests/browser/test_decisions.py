"""What people decide in the browser: about tokens, people, rejected rows, conflicts and sources."""

from __future__ import annotations

import re
from typing import Protocol
from uuid import UUID

import pytest
from django.core.mail import EmailMessage
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django import Settings

from customers.access.tokens import possible_hashes
from customers.models import ApiToken, Membership
from ingestion.models import RejectedRow
from readings.models import Reading
from tests.browser.conftest import Visit
from tests.browser.every_page import World, make_world

pytestmark = pytest.mark.django_db(transaction=True)

NEW_PASSWORD = "another correct horse"


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def page(visit: Visit, world: World) -> Page:
    """Open a window signed in as the customer's manager."""
    page = visit.sign_in(world.manager)
    page.on("dialog", lambda dialog: dialog.accept())
    return page


class HasPublicId(Protocol):
    """A row that pages name in their address."""

    @property
    def public_id(self) -> UUID: ...


def open_page(visit: Visit, name: str, *things: HasPublicId) -> Page:
    return visit.open(reverse(name, args=[thing.public_id for thing in things]))


def test_a_token_is_created_shown_once_and_revoked(visit: Visit, page: Page, world: World) -> None:
    open_page(visit, "settings-tokens", world.facility.customer)
    page.get_by_label("Name").fill("nightly export")
    page.get_by_role("button", name="Create token").click()
    text = page.locator("#token-text").inner_text()
    token = ApiToken.objects.get(token_name="nightly export")
    assert token.token_hash in possible_hashes(text)
    page.reload()
    expect(page.locator("#token-text")).to_have_count(0)
    assert text not in page.content()
    page.get_by_role("button", name="Revoke nightly export").click()
    expect(page.locator("#messages")).to_have_text("nightly export revoked.")
    expect(page.get_by_role("row", name=re.compile("nightly export"))).to_contain_text("Revoked")
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_a_rejected_row_is_replayed_by_keyboard_only(visit: Visit, page: Page, world: World) -> None:
    open_page(visit, "source", world.source)
    page.get_by_role("checkbox", name="Select row").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Replay selected")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_have_text("Rows replayed: 1; rejected again: 0.")
    expect(page.get_by_role("heading", name="Rejected rows")).to_contain_text("0 waiting")
    assert RejectedRow.objects.get().state == "replayed"
    assert Reading.objects.filter(temperature_c=5.5).exists()


def test_a_conflict_is_accepted(visit: Visit, page: Page, world: World) -> None:
    open_page(visit, "source", world.source)
    page.get_by_role("checkbox", name=re.compile("Select Vaccines")).check()
    page.get_by_role("button", name="Accept selected").click()
    expect(page.locator("#messages")).to_have_text("Conflicts accepted: 1.")
    assert Reading.objects.get(storage_unit=world.unit, recorded_at=world.conflict.recorded_at).temperature_c == 9.0


def test_a_source_is_paused_and_resumed_without_leaving_the_page(visit: Visit, page: Page, world: World) -> None:
    open_page(visit, "source", world.source)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#messages")).to_have_text("Source paused.")
    world.source.refresh_from_db()
    assert world.source.is_paused
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#messages")).to_have_text("Source resumed.")
    world.source.refresh_from_db()
    assert not world.source.is_paused


def test_the_links_of_a_source_lead_to_pages_of_their_own(visit: Visit, page: Page, world: World) -> None:
    open_page(visit, "source", world.source)
    page.get_by_role("link", name="Test source").click()
    expect(page.get_by_role("heading", name="Test source")).to_be_visible()
    open_page(visit, "source", world.source)
    page.get_by_role("link", name=str(world.unit)).first.click()
    page.wait_for_url(visit.site + reverse("unit", args=[world.unit.public_id]))


def test_an_invited_person_creates_an_account_and_is_signed_in(
    visit: Visit, page: Page, world: World, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.EMAIL_URL = "smtp://mail.example.com:25"
    settings.SITE_URL = visit.site
    open_page(visit, "settings-people", world.facility.customer)
    page.get_by_label("E-mail address").fill("night@example.com")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.locator("#messages")).to_have_text("Invitation sent to night@example.com.")
    page.get_by_role("button", name="Sign out").click()
    page.goto(re.findall(r"http\S+/account/invitations/\S+", str(mailoutbox[0].body))[0])
    page.get_by_label("New password", exact=False).first.fill(NEW_PASSWORD)
    page.get_by_label(re.compile("confirmation")).fill(NEW_PASSWORD)
    page.get_by_role("button", name="Create account and accept").click()
    page.wait_for_url(visit.site + "/")
    assert Membership.objects.get(user__email="night@example.com").role == "viewer"


def test_the_theme_of_a_device_applies_before_anything_is_drawn(visit: Visit, page: Page) -> None:
    visit.open(reverse("settings"))
    page.get_by_label("Colours").select_option("dark")
    page.get_by_role("button", name="Save display").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    visit.open(reverse("sources"))
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_custom_dates_and_presets_replace_each_other(visit: Visit, page: Page) -> None:
    visit.open(reverse("analytics"))
    page.get_by_label("From").fill("2026-11-01")
    page.get_by_label("By").select_option("week")
    page.get_by_role("button", name="Apply").click()
    assert "start=2026-11-01" in page.url
    page.get_by_label("Period").select_option("30")
    page.get_by_role("button", name="Apply").click()
    assert "days=30" in page.url
    expect(page.get_by_label("Period")).to_have_value("30")
    page.wait_for_function("Boolean(window.Chart && Object.keys(Chart.instances).length)")
