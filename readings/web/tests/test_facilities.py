"""The list of facilities and the page of one of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Facility
from tests.factories import FacilityFactory, MembershipFactory, StaffFactory, StorageUnitFactory, store_readings
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db


@pytest.fixture
def facility() -> Facility:
    return FacilityFactory(name="Oxford North", time_zone="Asia/Kolkata")


@pytest.fixture
def member(client: Client, facility: Facility) -> Client:
    client.force_login(MembershipFactory(customer=facility.customer).user)
    return client


def names_on(response: PageResponse) -> list[str]:
    return [row.facility.name for row in response.context["facilities"]]


def test_a_member_sees_the_facilities_of_their_customer_with_their_units_states(
    member: Client, facility: Facility
) -> None:
    FacilityFactory(name="Foreign")
    unit = StorageUnitFactory(facility=facility)
    store_readings(unit, [20.0], start=timezone.now())
    StorageUnitFactory(facility=facility)
    response = member.get(reverse("facilities"))
    [row] = response.context["facilities"]
    assert (row.facility, row.unit_count) == (facility, 2)
    assert [(state.value, count) for state, count in row.states] == [("critical", 1), ("no data", 1)]


def test_staff_find_facilities_of_all_customers_by_text(client: Client, facility: Facility) -> None:
    FacilityFactory(name="Cambridge", city="Cambridge")
    client.force_login(StaffFactory())
    assert len(names_on(client.get(reverse("facilities")))) == 2
    assert names_on(client.get(reverse("facilities"), {"text": "oxFORD n"})) == ["Oxford North"]
    assert names_on(client.get(reverse("facilities"), {"text": facility.customer.customer_code})) == ["Oxford North"]
    assert "No facilities match this search" in client.get(reverse("facilities"), {"text": "x%_"}).content.decode()


def test_the_average_of_a_unit_lies_within_its_minimum_and_maximum(member: Client, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility)
    midnight = timezone.now().astimezone(facility.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    # Still valid in the first second of the day, so that the time-weighted mean is above 5 °C.
    store_readings(unit, [30.0], start=midnight - timedelta(seconds=10))
    store_readings(unit, [5.0], start=midnight + timedelta(seconds=1))
    [row] = member.get(reverse("facility", args=[facility.public_id])).context["units"].units
    assert set(row.texts) == {"5.0\N{NO-BREAK SPACE}°C"}


def test_a_facility_shows_each_units_minimum_mean_and_maximum_of_today(member: Client, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility, temperature_unit="F", set_temperature=41.0)
    now = timezone.now()
    midnight = now.astimezone(facility.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    store_readings(unit, [30.0], start=midnight - timedelta(seconds=1))
    store_readings(unit, [5.0], start=midnight)
    response = member.get(reverse("facility", args=[facility.public_id]))
    [row] = response.context["units"].units
    assert (row.texts[0], row.texts[2]) == ("41.0\N{NO-BREAK SPACE}°F", "41.0\N{NO-BREAK SPACE}°F")
    assert "Asia/Kolkata" in response.content.decode()


def test_a_foreign_facility_is_not_found(client: Client, facility: Facility) -> None:
    client.force_login(MembershipFactory().user)
    assert client.get(reverse("facility", args=[facility.public_id])).status_code == 404


def test_anonymous_users_are_sent_to_the_sign_in_page(client: Client, facility: Facility) -> None:
    assert client.get(reverse("facilities")).status_code == 302
    assert client.get(reverse("facility", args=[facility.public_id])).status_code == 302


def test_a_facility_without_units_has_a_page(member: Client, facility: Facility) -> None:
    assert "No units yet" in member.get(reverse("facility", args=[facility.public_id])).content.decode()


def test_the_number_of_queries_does_not_grow_with_units(
    member: Client, facility: Facility, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for unit in StorageUnitFactory.create_batch(10, facility=facility):
        store_readings(unit, [5.0] * 3, start=timezone.now() - timedelta(hours=1))
    # Session, user with roles, facilities and their number, units, open alarms.
    with django_assert_max_num_queries(6):
        member.get(reverse("facilities"))
    # Session, user with roles, facility, units, zones, open alarms, its alarms, and those of the statistics.
    with django_assert_max_num_queries(13):
        member.get(reverse("facility", args=[facility.public_id]))
