"""The overview as users of different customers see it."""

from __future__ import annotations

import re
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.scope import Scope
from customers.models import Sensor, StorageUnit
from readings.units.condition import UnitState
from readings.web.overview import counts_by_state, overview
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    store_reading,
)
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", facility__time_zone="Asia/Kolkata")


@pytest.fixture
def member(client: Client, unit: StorageUnit) -> Client:
    """Return a client signed in as a viewer of the unit's customer."""
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)
    return client


@pytest.fixture
def stranger(client: Client) -> Client:
    """Return a client signed in as a viewer of another customer."""
    client.force_login(MembershipFactory().user)
    return client


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def names_on(response: PageResponse) -> list[str]:
    return [row.name for row in response.context["page"].object_list]


class TestOverview:
    def test_anonymous_users_are_sent_to_the_sign_in_page(self, client: Client) -> None:
        response = client.get("/")
        assert response.status_code == 302
        assert response["Location"] == "/account/sign-in?next=/"

    def test_a_member_sees_the_units_of_their_customer_only(self, member: Client, unit: StorageUnit) -> None:
        StorageUnitFactory(name="Foreign")
        assert names_on(member.get("/")) == ["Cold room"]

    def test_staff_see_all_and_can_filter_by_customer(self, staff: Client, unit: StorageUnit) -> None:
        other = StorageUnitFactory(name="Other")
        assert set(names_on(staff.get("/"))) == {"Cold room", "Other"}
        code = other.facility.customer.customer_code
        assert names_on(staff.get("/", {"customer": code})) == ["Other"]

    def test_a_customer_out_of_scope_is_not_found(self, member: Client) -> None:
        assert member.get("/", {"customer": CustomerFactory().customer_code}).status_code == 404

    def test_members_of_an_inactive_customer_see_nothing(self, member: Client, unit: StorageUnit) -> None:
        unit.facility.customer.is_active = False
        unit.facility.customer.save()
        assert names_on(member.get("/")) == []

    def test_temperature_age_and_state_are_shown_in_the_units_own_scale(
        self, member: Client, unit: StorageUnit
    ) -> None:
        unit.temperature_unit, unit.set_temperature = "F", 41.0
        unit.save()
        store_reading(unit, 10.5, timezone.now() - timedelta(minutes=7))
        text = member.get("/").content.decode()
        assert "50.9\N{NO-BREAK SPACE}°F" in text
        assert "7 min" in text
        assert "state-critical" in text

    def test_a_unit_without_a_name_shows_its_code(self, staff: Client) -> None:
        StorageUnitFactory(name="", unit_code="unit_A_1_1")
        assert names_on(staff.get("/")) == ["unit_A_1_1"]

    def test_markup_in_names_is_escaped(self, staff: Client) -> None:
        StorageUnitFactory(name="<script>alert(1)</script>")
        assert b"<script>alert" not in staff.get("/").content

    def test_the_number_of_queries_does_not_grow_with_units(
        self, member: Client, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        more = StorageUnitFactory.create_batch(20, facility=FacilityFactory(customer=unit.facility.customer))
        for each in more:
            store_reading(each)
        # Session, user with roles, alarms, silences, ETag, units, facilities, sparklines, open alarms.
        with django_assert_num_queries(9):
            assert len(names_on(member.get("/"))) == 21

    def test_htmx_gets_only_the_requested_part(self, member: Client, unit: StorageUnit) -> None:
        text = member.get("/", headers={"HX-Request": "true", "HX-Target": "units"}).content.decode()
        assert text.lstrip().startswith('<div id="units"')
        assert "Cold room" in text

    def test_units_are_filtered_by_text_facility_and_state(self, member: Client, unit: StorageUnit) -> None:
        other = StorageUnitFactory(name="Freezer", facility=FacilityFactory(customer=unit.facility.customer))
        store_reading(other, 5.0)
        assert names_on(member.get("/", {"text": " FREEZ"})) == ["Freezer"]
        assert names_on(member.get("/", {"text": other.unit_code})) == ["Freezer"]
        assert names_on(member.get("/", {"facility": str(other.facility.public_id)})) == ["Freezer"]
        assert names_on(member.get("/", {"state": "in-limits"})) == ["Freezer"]
        assert names_on(member.get("/", {"state": "no-data"})) == ["Cold room"]
        assert "No units match these filters" in member.get("/", {"text": "nothing"}).content.decode()

    @pytest.mark.parametrize("name", ["overview", "alarms"])
    def test_facilities_of_several_customers_are_grouped(self, staff: Client, name: str) -> None:
        """Facilities of two customers may have the same name."""
        for code in ("A", "B"):
            customer = CustomerFactory(customer_code=code)
            for plant in ("Plant 1", "Plant 2"):
                FacilityFactory(customer=customer, facility_code=plant, name=plant)

        page = staff.get(reverse(name)).content.decode()
        groups = re.findall(r'<optgroup label="([^"]+)">(.*?)</optgroup>', page, re.DOTALL)
        assert [(label, re.findall(r">(Plant \d)<", options)) for label, options in groups] == [
            ("A · Cold Stores A Ltd", ["Plant 1", "Plant 2"]),
            ("B · Cold Stores B Ltd", ["Plant 1", "Plant 2"]),
        ]
        assert "<optgroup" not in staff.get(reverse(name), {"customer": "A"}).content.decode()

    def test_a_hidden_facility_does_not_filter(self, member: Client, unit: StorageUnit) -> None:
        assert names_on(member.get("/", {"facility": str(FacilityFactory().public_id)})) == ["Cold room"]

    def test_every_state_has_a_count_and_a_link(self, member: Client, unit: StorageUnit) -> None:
        text = member.get("/", {"text": "cold"}).content.decode()
        assert 'href="?text=cold&amp;state=no-data"' in text
        assert text.count('id="state-') == 7

    def test_a_tile_goes_stale_without_new_readings(self, member: Client, unit: StorageUnit) -> None:
        store_reading(unit, 5.0, timezone.now() - timedelta(minutes=44, seconds=58))
        assert "edge-in-limits" in member.get("/").content.decode()
        later = timezone.now() + timedelta(seconds=10)
        with patch("django.utils.timezone.now", return_value=later):
            assert "edge-no-data" in member.get("/").content.decode()

    def test_the_last_reading_of_a_retired_sensor_says_nothing_of_the_present(
        self, member: Client, unit: StorageUnit
    ) -> None:
        store_reading(unit, 20.0, timezone.now())
        etag = member.get("/").headers["ETag"]
        Sensor.objects.update(retired_at=timezone.now())
        tile = member.get("/", headers={"If-None-Match": etag}).content.decode()
        page = member.get(reverse("unit", args=[unit.public_id])).content.decode()
        assert "edge-no-data" in tile
        for shown in (tile, page):
            assert "last 20.0\N{NO-BREAK SPACE}°C" in shown

    def test_a_stale_temperature_is_marked_as_the_last_one(self, member: Client, unit: StorageUnit) -> None:
        store_reading(unit, 5.0, timezone.now() - timedelta(hours=2))
        assert "last 5.0\N{NO-BREAK SPACE}°C" in member.get("/").content.decode()
        assert "last 5.0\N{NO-BREAK SPACE}°C" in member.get(reverse("unit", args=[unit.public_id])).content.decode()

    def test_an_unchanged_overview_is_not_modified(
        self, member: Client, unit: StorageUnit, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        store_reading(unit, 5.0)
        etag = member.get("/").headers["ETag"]
        # Session, user with roles, alarms, silences, ETag.
        with django_assert_max_num_queries(5):
            assert member.get("/", headers={"If-None-Match": etag}).status_code == 304
        assert member.get("/?state=critical", headers={"If-None-Match": etag}).status_code == 200

    @pytest.mark.parametrize("change", ["reading", "name", "staleness", "sign-in"])
    def test_every_visible_change_is_sent(self, member: Client, client: Client, unit: StorageUnit, change: str) -> None:
        store_reading(unit, 5.0, timezone.now() - timedelta(minutes=30))
        etag = member.get("/").headers["ETag"]
        if change == "reading":
            store_reading(unit, 5.0, timezone.now())
        elif change == "name":
            unit.facility.name = "Renamed"
            unit.facility.save()
        elif change == "staleness":
            unit.gap_limit_seconds = 60
            unit.save()
        else:
            client.force_login(MembershipFactory().user)
        assert member.get("/", headers={"If-None-Match": etag}).status_code == 200

    def test_long_lists_are_paginated(self, staff: Client, unit: StorageUnit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("readings.web.views.UNITS_A_PAGE", 2)
        StorageUnitFactory.create_batch(2, facility=unit.facility)
        assert len(names_on(staff.get("/", {"page": "2"}))) == 1


def test_units_are_sorted_worst_first_and_counted_by_state(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    now = timezone.now()
    facility = FacilityFactory()
    for name, temperature_c, age_minutes in [
        ("fine", 5.5, 1),
        ("warm", 8.0, 1),
        ("warmer", 9.0, 1),
        ("hot", 20.0, 1),
        ("faulty", None, 1),
        ("silent", 5.0, 46),
    ]:
        unit = StorageUnitFactory(facility=facility, name=name)
        store_reading(unit, temperature_c, now - timedelta(minutes=age_minutes))
    StorageUnitFactory(facility=facility, name="new")
    with django_assert_num_queries(2):
        units = overview(Scope.everything(), now).units
    assert [unit.name for unit in units] == ["hot", "new", "silent", "faulty", "warmer", "warm", "fine"]
    assert counts_by_state(units) == [
        (UnitState.CRITICAL, 1),
        (UnitState.NO_DATA, 2),
        (UnitState.SENSOR_FAULT, 1),
        (UnitState.WARNING, 2),
        (UnitState.NO_LIMITS, 0),
        (UnitState.IN_LIMITS, 1),
    ]


def test_units_within_limits_keep_their_places() -> None:
    """Their temperatures change with every reading: by deviation, tiles would change places all the time."""
    now, facility = timezone.now(), FacilityFactory()
    for name, temperature_c in [("Freezer 10", 5.9), ("freezer 2", 5.1), ("Cold room", 4.9), ("Freezer 1", 5.5)]:
        store_reading(StorageUnitFactory(facility=facility, name=name), temperature_c, now)

    in_limits = [unit.name for unit in overview(Scope.everything(), now).units]

    assert in_limits == ["Cold room", "Freezer 1", "freezer 2", "Freezer 10"]
