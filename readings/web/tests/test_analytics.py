"""The analytics pages as users of different customers see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Facility, StorageUnit
from readings.storage.rollups import refresh
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    MembershipFactory,
    StaffFactory,
    StorageUnitFactory,
    make_token,
    store_readings,
)

pytestmark = pytest.mark.django_db

PAGES = ["analytics", "analytics-comparison", "analytics-deviation", "analytics-quality"]
OVER_TIME = [page for page in PAGES if page != "analytics-comparison"]
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
WEEK = {"start": "2026-11-16", "end": "2026-11-22"}
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def facility() -> Facility:
    return FacilityFactory(name="North", customer__customer_code="A")


@pytest.fixture
def member(client: Client, facility: Facility) -> Client:
    """Return a client signed in as a viewer of the facility's customer."""
    client.force_login(MembershipFactory(customer=facility.customer).user)
    return client


def add_unit(
    facility: Facility, temperatures_c: Iterable[float | None], start: datetime = MONDAY, **fields: object
) -> StorageUnit:
    """Create a unit with these temperatures, one per hour, as expected."""
    unit = StorageUnitFactory(facility=facility, **({"interval_seconds": 3600, "gap_limit_seconds": 3600} | fields))
    store_readings(unit, temperatures_c, start=start, every=timedelta(hours=1))
    return unit


def table_of(client: Client, page: str, **query: Any) -> dict[str, dict[str, str]]:
    """Return the name and the cells of each row of the page's table."""
    table = client.get(reverse(page), query).context["table"]
    return {row.name: dict(zip(table.columns, row.cells, strict=True)) for row in table.rows}


def test_an_end_alone_shows_the_default_number_of_days_before_it(member: Client, facility: Facility) -> None:
    add_unit(facility, [5.0])
    rows = table_of(member, "analytics", end="2026-11-22")
    assert list(rows) == [f"{MONDAY + timedelta(days=number):%a %-d %b %Y}" for number in range(7)]


@pytest.mark.parametrize("page", PAGES)
class TestEveryPage:
    def test_anonymous_users_are_sent_to_the_sign_in_page(self, client: Client, page: str) -> None:
        assert client.get(reverse(page))["Location"].startswith(reverse("login"))

    def test_only_get_is_allowed(self, member: Client, page: str) -> None:
        assert member.post(reverse(page)).status_code == 405

    def test_other_customers_are_hidden(self, member: Client, facility: Facility, page: str) -> None:
        foreign = add_unit(FacilityFactory(), [5.0])
        assert member.get(reverse(page)).context["table"] is None
        for query in (
            {"customer": foreign.facility.customer.customer_code},
            {"facility": str(foreign.facility.public_id)},
            {"unit": str(foreign.public_id)},
        ):
            assert member.get(reverse(page), query).status_code == 404

    @pytest.mark.parametrize(
        "query", [{"interval": "year"}, {"days": "2"}, {"start": "yesterday"}, {"facility": "x"}, {"unit": "1"}]
    )
    def test_invalid_filters_are_not_found(self, member: Client, page: str, query: dict[str, str]) -> None:
        assert member.get(reverse(page), query).status_code == 404

    def test_without_a_customer_there_are_no_units(self, client: Client, page: str) -> None:
        client.force_login(StaffFactory())
        assert "No units yet" in client.get(reverse(page)).content.decode()

    def test_the_number_of_queries_does_not_grow(
        self, member: Client, facility: Facility, page: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for place in (facility, FacilityFactory(customer=facility.customer, time_zone="Asia/Kolkata")):
            for _ in range(4):
                add_unit(place, [5.0, 6.0])
        # Session, user with roles, customers, facilities, units, set temperatures, scales, alarms; six for the sums.
        with django_assert_max_num_queries(14):
            assert member.get(reverse(page), WEEK).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_a_token_limited_to_a_unit_sees_that_unit_only(client: Client, facility: Facility, page: str) -> None:
    unit, hidden = add_unit(facility, [5.0], name="shown"), add_unit(facility, [6.0], name="hidden unit")
    _, text = make_token(facility.customer, permissions=["read"], units=[unit])
    client.post(reverse("login"), {"username": "A", "password": text})
    response = client.get(reverse(page), {"facility": str(facility.public_id), **WEEK})
    assert list(response.context["filters"].unit_refs) == [unit.pk]
    assert "hidden unit" not in response.content.decode()
    assert client.get(reverse(page), {"unit": str(hidden.public_id)}).status_code == 404


class TestTrends:
    def test_days_show_the_temperatures_of_all_units(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [4.0] * 24)
        add_unit(facility, [6.0] * 24)
        rows = table_of(member, "analytics", interval="day", **WEEK)
        assert len(rows) == 7
        day = rows["Mon 16 Nov 2026"]
        assert (day["Time-weighted mean"], day["Minimum"], day["Maximum"]) == (
            f"5.0{NBSP}°C",
            f"4.0{NBSP}°C",
            f"6.0{NBSP}°C",
        )
        assert day["Readings"] == "48"
        assert rows["Tue 17 Nov 2026"]["Time-weighted mean"] == "–"

    @pytest.mark.parametrize(
        ("interval", "first", "count"),
        [("hour", "16 Nov, 00:00", 168), ("week", "16 Nov to 22 Nov 2026", 1), ("month", "November 2026", 1)],
    )
    def test_other_intervals(self, member: Client, facility: Facility, interval: str, first: str, count: int) -> None:
        add_unit(facility, [4.0, 8.0])
        rows = table_of(member, "analytics", interval=interval, **WEEK)
        assert (next(iter(rows)), len(rows)) == (first, count)
        assert rows[first]["Minimum"] == f"4.0{NBSP}°C"

    def test_refreshed_roll_ups_equal_raw_readings(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [4.0, None, 7.5, 5.25])
        before = table_of(member, "analytics", **WEEK)
        refresh()
        assert table_of(member, "analytics", **WEEK) == before

    def test_units_of_one_scale_are_shown_in_it(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [10.0], temperature_unit="F", set_temperature=41.0)
        assert table_of(member, "analytics", **WEEK)["Mon 16 Nov 2026"]["Maximum"] == f"50.0{NBSP}°F"
        add_unit(facility, [10.0], temperature_unit="C")
        assert table_of(member, "analytics", **WEEK)["Mon 16 Nov 2026"]["Maximum"] == f"10.0{NBSP}°C"

    def test_a_facility_or_a_unit_is_chosen_in_the_address(self, member: Client, facility: Facility) -> None:
        unit = add_unit(facility, [4.0])
        add_unit(facility, [5.0])
        add_unit(FacilityFactory(customer=facility.customer), [6.0])
        of_facility = {"facility": str(facility.public_id), **WEEK}
        for query, readings in [(WEEK, "3"), (of_facility, "2"), ({"unit": str(unit.public_id), **of_facility}, "1")]:
            assert table_of(member, "analytics", **query)["Mon 16 Nov 2026"]["Readings"] == readings

    def test_days_are_those_of_the_facility(self, member: Client, facility: Facility) -> None:
        facility.time_zone = "Asia/Kolkata"
        facility.save()
        add_unit(facility, [5.0], start=datetime(2026, 11, 16, 20, tzinfo=UTC))
        assert table_of(member, "analytics", **WEEK)["Tue 17 Nov 2026"]["Readings"] == "1"

    def test_a_long_period_uses_a_coarser_interval(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [5.0])
        response = member.get(reverse("analytics"), {"interval": "hour", "start": "2026-10-01", "end": "2026-11-20"})
        assert response.context["filters"].bucket == "day"
        assert "because the period is too long" in response.content.decode()

    @pytest.mark.parametrize(("interval", "days"), [("hour", 1), ("day", 7), ("week", 30), ("month", 365)])
    def test_each_interval_has_a_default_period(
        self, member: Client, facility: Facility, interval: str, days: int
    ) -> None:
        add_unit(facility, [5.0])
        filters = member.get(reverse("analytics"), {"interval": interval}).context["filters"]
        assert filters.days == days
        assert timezone.now() - filters.time_range.start == pytest.approx(timedelta(days=days), abs=timedelta(days=1))


class TestDeviation:
    def test_deviations_are_from_each_units_set_temperature(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [6.0, 6.0], set_temperature=5.0)
        add_unit(facility, [-1.0, -5.0], set_temperature=-0.0)
        add_unit(facility, [40.0], set_temperature=None)
        day = table_of(member, "analytics-deviation", **WEEK)["Mon 16 Nov 2026"]
        assert day["Mean deviation"] == f"−1.0{NBSP}K"  # (1 + 1 − 1 − 5) / 4
        assert (day["Lowest deviation"], day["Highest deviation"]) == (f"−5.0{NBSP}K", f"+1.0{NBSP}K")

    def test_a_measurement_that_is_still_valid_deviates_as_the_mean_does(
        self, member: Client, facility: Facility
    ) -> None:
        """Without a reading of its own, an hour has a mean, and so it has a mean deviation."""
        unit = add_unit(facility, [], gap_limit_seconds=7200, set_temperature=5.0)
        store_readings(unit, [8.0], start=MONDAY)
        add_unit(facility, [6.0, 6.0], set_temperature=6.0)
        hours = table_of(member, "analytics-deviation", interval="hour", **WEEK)
        assert [hours[f"16 Nov, 0{hour}:00"]["Mean deviation"] for hour in (0, 1)] == [f"+1.5{NBSP}K"] * 2
        assert hours["16 Nov, 01:00"]["Highest deviation"] == f"0.0{NBSP}K"

    def test_a_fahrenheit_units_deviation_is_in_fahrenheit(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [10.0], temperature_unit="F", set_temperature=41.0)
        day = table_of(member, "analytics-deviation", **WEEK)["Mon 16 Nov 2026"]
        assert day["Mean deviation"] == f"+9.0{NBSP}°F"


class TestComparison:
    def test_facilities_are_compared_largest_deviation_first(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [6.0])
        add_unit(FacilityFactory(customer=facility.customer, name="South"), [1.0])
        rows = table_of(member, "analytics-comparison", **WEEK)
        assert [(name, row["Mean deviation"]) for name, row in rows.items()] == [
            ("South", f"−4.0{NBSP}K"),
            ("North", f"+1.0{NBSP}K"),
        ]

    def test_units_of_a_facility_are_compared(self, member: Client, facility: Facility) -> None:
        unit = add_unit(facility, [5.5], name="Vaccines")
        add_unit(FacilityFactory(customer=facility.customer), [9.0])
        response = member.get(reverse("analytics-comparison"), {"facility": str(facility.public_id), **WEEK})
        [row] = response.context["table"].rows
        assert (row.name, row.address) == ("Vaccines", reverse("unit", args=[unit.public_id]))

    def test_equal_names_are_numbered(self, member: Client, facility: Facility) -> None:
        add_unit(facility, [6.0], name="Room")
        add_unit(facility, [7.0], name="Room")
        rows = table_of(member, "analytics-comparison", facility=facility.public_id, **WEEK)
        assert list(rows) == ["Room (2)", "Room"]

    def test_a_number_never_makes_the_name_of_another_unit(self, member: Client, facility: Facility) -> None:
        """Each unit has a row, also if people numbered some themselves."""
        for temperature_c, name in enumerate(["Room", "Room", "Room (2)", "Room", "Room (2)"], 6):
            add_unit(facility, [float(temperature_c)], name=name)
        rows = table_of(member, "analytics-comparison", facility=facility.public_id, **WEEK)
        means = {name: row["Time-weighted mean"] for name, row in rows.items()}
        assert means == {
            "Room": f"6.0{NBSP}°C", "Room (3)": f"7.0{NBSP}°C", "Room (2)": f"8.0{NBSP}°C",
            "Room (4)": f"9.0{NBSP}°C", "Room (2) (2)": f"10.0{NBSP}°C",
        }  # fmt: skip

    def test_only_the_largest_deviations_are_compared(
        self, member: Client, facility: Facility, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("readings.web.analytics.MAX_COMPARED", 1)
        add_unit(facility, [6.0], name="near")
        add_unit(facility, [9.0], name="far")
        query = {"facility": str(facility.public_id), **WEEK}
        assert list(table_of(member, "analytics-comparison", **query)) == ["far"]
        page = member.get(reverse("analytics-comparison"), query).content.decode()
        assert "1 of 2 units are compared: those with the largest deviation." in page


class TestQuality:
    def test_coverage_and_quality_are_shares_of_all_units_time_and_readings(
        self, member: Client, facility: Facility
    ) -> None:
        add_unit(facility, [5.0] * 12)  # half a day
        silent = add_unit(facility, [])
        store_readings(silent, [None], start=MONDAY, quality_score=0.1)
        day = table_of(member, "analytics-quality", **WEEK)["Mon 16 Nov 2026"]
        assert day["Coverage"] == f"25.0{NBSP}%"
        assert day["Good quality"] == f"92.3{NBSP}%"  # 12 of 13
        assert (day["Readings"], day["Sensor faults"]) == ("13", "1")

    def test_a_day_of_25_hours_counts_as_such(self, member: Client, facility: Facility) -> None:
        facility.time_zone = "Europe/London"
        facility.save()
        add_unit(facility, [5.0] * 25, start=datetime(2026, 10, 24, 23, tzinfo=UTC))
        rows = table_of(member, "analytics-quality", start="2026-10-25", end="2026-10-25")
        assert rows["Sun 25 Oct 2026"]["Coverage"] == f"100{NBSP}%"


def test_staff_see_one_customer_at_a_time(client: Client, facility: Facility) -> None:
    other = CustomerFactory(customer_code="B")
    add_unit(facility, [5.0])
    add_unit(FacilityFactory(customer=other), [6.0, 6.0])
    client.force_login(StaffFactory())
    assert table_of(client, "analytics", **WEEK)["Mon 16 Nov 2026"]["Readings"] == "1"
    assert table_of(client, "analytics", customer="B", **WEEK)["Mon 16 Nov 2026"]["Readings"] == "2"
    left_over = {"customer": "B", "facility": facility.public_id}
    assert table_of(client, "analytics", **left_over, **WEEK)["Mon 16 Nov 2026"]["Readings"] == "2"


@pytest.mark.parametrize("page", OVER_TIME)
def test_facilities_in_several_time_zones_are_named_as_the_reason_for_partial_days(
    member: Client, facility: Facility, page: str
) -> None:
    note = "Each day is that of the facility's own time zone"
    add_unit(facility, [5.0])
    assert note not in member.get(reverse(page), WEEK).content.decode()
    add_unit(FacilityFactory(customer=facility.customer, time_zone="Asia/Kolkata"), [5.0])
    assert note in member.get(reverse(page), WEEK).content.decode()
    assert note not in member.get(reverse(page), WEEK | {"interval": "hour"}).content.decode()
