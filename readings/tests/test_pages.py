"""The overview and the page of a storage unit, as people of different customers see them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from customers.scope import Scope
from readings.overview import counts_by_state, overview
from readings.states import UnitState
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    store_reading,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def unit():
    return StorageUnitFactory(name="Cold room", facility__time_zone="Asia/Kolkata")


@pytest.fixture
def member(client, unit):
    """A browser in which a viewer of the unit's customer is signed in."""
    client.force_login(MembershipFactory(customer=unit.facility.customer).user)
    return client


@pytest.fixture
def stranger(client):
    """A browser in which a viewer of another customer is signed in."""
    client.force_login(MembershipFactory().user)
    return client


@pytest.fixture
def staff(client):
    client.force_login(StaffFactory())
    return client


def names_on(response):
    return [row.name for row in response.context["page"].object_list]


class TestOverview:
    def test_who_is_not_signed_in_is_asked_to(self, client):
        response = client.get("/")
        assert response.status_code == 302
        assert response.url == "/account/sign-in?next=/"

    def test_a_member_sees_the_units_of_their_customer_only(self, member, unit):
        StorageUnitFactory(name="Foreign")
        assert names_on(member.get("/")) == ["Cold room"]

    def test_staff_see_all_and_may_look_at_one_customer(self, staff, unit):
        other = StorageUnitFactory(name="Other")
        assert set(names_on(staff.get("/"))) == {"Cold room", "Other"}
        code = other.facility.customer.customer_code
        assert names_on(staff.get("/", {"customer": code})) == ["Other"]

    def test_a_customer_out_of_scope_is_not_found(self, member):
        assert member.get("/", {"customer": CustomerFactory().customer_code}).status_code == 404

    def test_people_of_an_inactive_customer_see_nothing(self, member, unit):
        unit.facility.customer.is_active = False
        unit.facility.customer.save()
        assert names_on(member.get("/")) == []

    def test_temperature_age_and_state_are_shown_in_the_units_own_scale(self, member, unit):
        unit.temperature_unit, unit.set_temperature = "F", 41.0
        unit.save()
        store_reading(unit, 10.5, timezone.now() - timedelta(minutes=7))
        text = member.get("/").content.decode()
        assert "50.9\N{NO-BREAK SPACE}°F" in text
        assert "+5.5\N{NO-BREAK SPACE}K" in text
        assert "7 min" in text
        assert "state-critical" in text

    def test_a_unit_without_a_name_shows_its_code(self, staff):
        StorageUnitFactory(name="", unit_code="unit_A_1_1")
        assert names_on(staff.get("/")) == ["unit_A_1_1"]

    def test_a_name_of_markup_is_shown_as_text(self, staff):
        StorageUnitFactory(name="<script>alert(1)</script>")
        assert b"<script>alert" not in staff.get("/").content

    def test_the_number_of_queries_does_not_grow_with_units(self, member, unit, django_assert_num_queries):
        more = StorageUnitFactory.create_batch(20, facility=FacilityFactory(customer=unit.facility.customer))
        for each in more:
            store_reading(each)
        # Session, user, memberships, units, customers.
        with django_assert_num_queries(5):
            assert len(names_on(member.get("/"))) == 21

    def test_long_lists_come_in_pages(self, staff, unit, monkeypatch):
        monkeypatch.setattr("readings.views.UNITS_A_PAGE", 2)
        StorageUnitFactory.create_batch(2, facility=unit.facility)
        assert len(names_on(staff.get("/", {"page": "2"}))) == 1


def test_the_worst_come_first_and_every_state_is_counted(django_assert_num_queries):
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
    with django_assert_num_queries(1):
        rows = overview(Scope.everything(), now)
    assert [row.name for row in rows] == ["hot", "new", "silent", "faulty", "warmer", "warm", "fine"]
    assert counts_by_state(rows) == [
        (UnitState.CRITICAL, 1),
        (UnitState.NO_DATA, 2),
        (UnitState.SENSOR_FAULT, 1),
        (UnitState.WARNING, 2),
        (UnitState.IN_LIMITS, 1),
    ]


class TestUnitPage:
    def test_a_member_sees_facts_statistics_and_readings_in_the_facilitys_time(self, member, unit):
        recorded_at = timezone.now().replace(microsecond=0) - timedelta(minutes=2)
        store_reading(unit, 4.875, recorded_at)
        response = member.get(reverse("unit", args=[unit.public_id]))
        text = response.content.decode()
        assert f"{recorded_at.astimezone(unit.facility.zone):%H:%M:%S}" in text
        assert "Asia/Kolkata" in text
        assert "4.875\N{NO-BREAK SPACE}°C" in text
        assert dict(response.context["statistics"])["Readings"] == "1"

    def test_a_unit_without_readings_has_a_page(self, member, unit):
        response = member.get(reverse("unit", args=[unit.public_id]))
        assert response.status_code == 200
        assert "No reading has arrived yet." in response.content.decode()

    @pytest.mark.parametrize("page", ["unit", "unit-series"])
    def test_a_foreign_unit_is_not_found(self, stranger, unit, page):
        assert stranger.get(reverse(page, args=[unit.public_id])).status_code == 404

    @pytest.mark.parametrize("page", ["unit", "unit-series"])
    def test_who_is_not_signed_in_is_asked_to(self, client, unit, page):
        assert client.get(reverse(page, args=[unit.public_id])).status_code == 302

    @pytest.mark.parametrize("page", ["overview", "unit", "unit-series"])
    def test_pages_are_only_read(self, member, unit, page):
        assert member.post(reverse(page, args=[] if page == "overview" else [unit.public_id])).status_code == 405

    def test_the_series_holds_the_asked_hours(self, member, unit):
        now = timezone.now()
        store_reading(unit, 4.0, now - timedelta(hours=3))
        store_reading(unit, 5.0, now - timedelta(minutes=1))
        url = reverse("unit-series", args=[unit.public_id])
        assert member.get(url, {"hours": "1"}).json()["mean"] == [5.0]
        assert member.get(url).json()["mean"] == [4.0, 5.0]

    @pytest.mark.parametrize("hours", ["0", "169", "-1", "1.5", "x", "²", ""])
    def test_other_hours_are_refused(self, member, unit, hours):
        response = member.get(reverse("unit-series", args=[unit.public_id]), {"hours": hours})
        assert response.status_code == 400
        assert response.json() == {"error": "hours must be a whole number from 1 to 168."}
