"""The API's documentation and its browsable pages, as a browser shows them under the site's content security policy."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Visit
from tests.factories import FacilityFactory, MembershipFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_swagger_shows_the_document_and_tries_an_operation_out(visit: Visit) -> None:
    facility = FacilityFactory(name="Oxford Science Park")
    page = visit.sign_in(MembershipFactory(customer=facility.customer).user)

    visit.open("/docs")
    page.locator("#operations-Facilities_and_storage_units-get_facilities").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()

    page.locator(".live-responses-table").get_by_text("Oxford Science Park").wait_for()


def test_redoc_shows_the_document(visit: Visit) -> None:
    page = visit.open("/redoc")
    page.get_by_role("heading", name="Temperature Monitoring System").wait_for()
    page.get_by_text("/api/v1/temperature/aggregate").first.wait_for()


def test_the_browsable_api_changes_what_its_reader_may(visit: Visit) -> None:
    facility = FacilityFactory(name="Oxford Science Park")
    page = visit.sign_in(MembershipFactory(customer=facility.customer, role="manager").user)

    visit.open(f"/api/v1/facilities/{facility.public_id}")
    page.locator("textarea[name=_content]").first.fill('{"city": "Didcot"}')
    page.get_by_role("button", name="PUT").first.click()

    page.get_by_text('"Didcot"').wait_for()
    facility.refresh_from_db()
    assert facility.city == "Didcot"
