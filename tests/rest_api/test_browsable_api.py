"""The browsable API: with the session of a signed-in user, and the same permissions as a token."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from customers.models import Facility
from tests.factories import FacilityFactory, MembershipFactory, StaffFactory
from tests.rest_api.test_api_access import ROUTES, World, stored_world, world

__all__ = ["stored_world", "world"]  # fixtures

pytestmark = pytest.mark.django_db

URL = "/api/v1/facilities"
BROWSER = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
CHANGE_FORM = re.compile(r'<form[^>]*(?:data-method="(?:POST|PUT|PATCH|DELETE)"|method="POST")')


@pytest.fixture
def facility() -> Facility:
    return FacilityFactory(name="Oxford Science Park")


def browser(user: User, **options: Any) -> Client:
    client = Client(**options, headers=BROWSER)
    client.force_login(user)
    return client


def member(facility: Facility, role: str) -> User:
    return MembershipFactory(customer=facility.customer, role=role).user


def test_a_viewer_has_no_forms(facility: Facility) -> None:
    FacilityFactory(name="Foreign facility")
    response = browser(member(facility, "viewer")).get(URL)

    page = response.content.decode()
    assert response["Content-Type"].startswith("text/html")
    assert "Oxford Science Park" in page
    assert "Foreign facility" not in page
    assert not CHANGE_FORM.search(page)


def test_the_root_links_what_the_caller_may_read(facility: Facility) -> None:
    page = browser(member(facility, "viewer")).get("/api/v1/").content.decode()
    assert 'href="http://testserver/api/v1/facilities"' in page
    assert "/api/v1/admin/customers" not in page
    assert "/api/v1/admin/customers" in browser(StaffFactory()).get("/api/v1/").content.decode()


def test_every_link_of_the_root_leads_somewhere() -> None:
    client = browser(StaffFactory())
    for path, address in client.get("/api/v1/", headers={"accept": "application/json"}).json().items():
        needs_customer = path.startswith("customers/")
        assert client.get(address).status_code == (422 if needs_customer else 200), path


def test_a_manager_has_forms(facility: Facility) -> None:
    page = browser(member(facility, "manager")).get(URL).content.decode()
    assert CHANGE_FORM.search(page)


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("manager", 201)])
def test_changes_depend_on_the_role(facility: Facility, role: str, status: int) -> None:
    response = browser(member(facility, role)).post(
        URL, json.dumps({"facility_code": "new"}), content_type="application/json"
    )
    assert response.status_code == status
    assert Facility.objects.filter(facility_code="new").exists() is (status == 201)


def test_a_cross_site_change_is_rejected(facility: Facility) -> None:
    client = browser(member(facility, "manager"), enforce_csrf_checks=True)
    response = client.post(URL, json.dumps({"facility_code": "new"}), content_type="application/json")
    assert response.status_code == 403
    assert not Facility.objects.filter(facility_code="new").exists()


def test_another_customers_facility_is_not_found(facility: Facility) -> None:
    foreign = FacilityFactory(name="Foreign facility")
    response = browser(member(facility, "manager")).get(f"{URL}/{foreign.public_id}")
    assert response.status_code == 404
    assert "Foreign facility" not in response.content.decode()


def test_only_staff_read_admin_resources(facility: Facility) -> None:
    assert browser(member(facility, "manager")).get("/api/v1/admin/customers").status_code == 403
    assert browser(StaffFactory()).get("/api/v1/admin/customers").status_code == 200


def test_anonymous_users_get_a_link_to_sign_in(facility: Facility) -> None:
    response = Client().get(URL, headers=BROWSER)
    assert response.status_code == 401
    assert f"/account/sign-in?next={URL}" in response.content.decode()


def test_a_page_has_no_inline_scripts(facility: Facility) -> None:
    response = browser(member(facility, "manager")).get(URL)
    scripts = re.findall(r"<script(?![^>]*(?:src=|application/json))", response.content.decode())
    assert not scripts


@pytest.mark.parametrize("route", [route for route, calls in ROUTES.items() if "GET" in calls])
def test_every_view_has_a_page(world: World, route: str) -> None:
    manager = browser(MembershipFactory(customer=world.customer, role="manager").user)

    response = manager.get(world.url(route))

    assert response.status_code == (200 if ROUTES[route]["GET"].needs == "read" else 403)
    assert response["Content-Type"].startswith("text/html")
