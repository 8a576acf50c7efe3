"""Analytics over the REST API: summaries, trends, performance, and statistics of all customers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Customer, StorageUnit
from tests.api_clients import client_of
from tests.factories import CustomerFactory, StorageUnitFactory, store_reading, store_readings
from tests.responses import Json

pytestmark = pytest.mark.django_db

URL = "/api/v1/analytics"
ADMIN_URL = "/api/v1/admin"
START = datetime(2026, 11, 16, tzinfo=UTC)  # a Monday
DAY = {"start_date": "2026-11-16", "end_date": "2026-11-16"}


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def unit(customer: Customer) -> StorageUnit:
    return StorageUnitFactory(facility__customer=customer, set_temperature=5.0, interval_seconds=3600)


@pytest.fixture
def api(customer: Customer) -> APIClient:
    return client_of(customer)


@pytest.fixture
def admin() -> APIClient:
    return client_of(CustomerFactory(customer_code="OPERATOR"), permissions=["admin"])


def ask(client: APIClient, path: str, **query: Any) -> Json:
    response = client.get(path, query)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_summary_covers_all_units_a_facility_or_a_unit(api: APIClient, customer: Customer, unit: StorageUnit) -> None:
    store_readings(unit, [4.0, 6.0], start=START)
    other = StorageUnitFactory(facility__customer=customer)
    store_readings(other, [20.0], start=START)
    store_readings(StorageUnitFactory(), [90.0], start=START)
    path = f"{URL}/temperature/summary"

    of_all = ask(api, path, **DAY)
    of_facility = ask(api, path, **DAY, facility_id=unit.facility.public_id)
    of_unit = ask(api, path, **DAY, unit_id=other.public_id, temperature_unit="F")

    assert (of_all["reading_count"], of_all["unit_count"], of_all["avg_temperature"]) == (3, 2, 10.0)
    assert (of_facility["reading_count"], of_facility["max_temperature"]) == (2, 6.0)
    assert (of_unit["max_temperature"], of_unit["temperature_unit"]) == (68.0, "F")


@pytest.mark.parametrize(
    ("interval", "starts"),
    [
        ("hour", ["2026-11-16T00:00:00Z", "2026-11-16T01:00:00Z", "2026-11-17T00:00:00Z"]),
        ("day", ["2026-11-16T00:00:00Z", "2026-11-17T00:00:00Z"]),
        ("week", ["2026-11-16T00:00:00Z"]),
        ("month", ["2026-11-01T00:00:00Z"]),
    ],
)
def test_a_trend_has_a_group_for_each_interval(
    api: APIClient, unit: StorageUnit, interval: str, starts: list[str]
) -> None:
    store_readings(unit, [4.0, 6.0], start=START, every=timedelta(hours=1))
    store_reading(unit, 8.0, START + timedelta(days=1))

    groups = ask(api, f"{URL}/temperature/trends", interval=interval, start_date="2026-11-16", end_date="2026-11-17")

    assert [group["group_key"] for group in groups] == [{interval: start} for start in starts]
    assert sum(group["metrics"]["reading_count"] for group in groups) == 3
    assert groups[0]["metrics"].keys() >= {
        "avg_temperature",
        "min_temperature",
        "max_temperature",
        "reading_count",
        "mkt",
    }


@pytest.mark.parametrize(("interval", "days"), [("hour", 1), ("day", 7), ("week", 30), ("month", 365)])
def test_the_default_period_of_a_trend_depends_on_its_interval(
    api: APIClient, unit: StorageUnit, interval: str, days: int
) -> None:
    now = timezone.now()
    store_reading(unit, 5.0, now - timedelta(days=days) + timedelta(minutes=30))
    store_reading(unit, 50.0, now - timedelta(days=days) - timedelta(minutes=30))

    groups = ask(api, f"{URL}/temperature/trends", interval=interval)

    assert [group["metrics"]["max_temperature"] for group in groups] == [5.0]


def test_a_default_period_that_would_end_in_the_future_ends_now(api: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, 5.0, timezone.now() - timedelta(hours=1))
    end_of_the_month = (timezone.now() + timedelta(days=31)).isoformat()

    groups = ask(api, f"{URL}/temperature/trends", end_date=end_of_the_month)
    performance = ask(api, f"{URL}/performance", end_date=end_of_the_month)
    series = ask(api, f"/api/v1/temperature/unit/{unit.public_id}/series", end_date=end_of_the_month)

    assert [group["metrics"]["reading_count"] for group in groups] == [1]
    assert performance["data_quality"]["total_readings"] == 1
    assert [bucket["avg"] for bucket in series["buckets"]] == [5.0]


def test_performance_reports_uptime_quality_and_deviation(
    api: APIClient, customer: Customer, unit: StorageUnit
) -> None:
    store_readings(unit, [5.0] * 6, start=START, every=timedelta(hours=1))
    store_readings(unit, [9.0] * 2, start=START + timedelta(hours=6), every=timedelta(hours=1), quality_score=0.5)
    store_reading(unit, None, START + timedelta(hours=8), equipment_status_id=3)

    data = ask(api, f"{URL}/performance", **DAY)

    assert data["uptime"] == {"hours_with_readings": 9, "total_hours": 24, "uptime_percentage": 37.5}
    assert data["data_quality"]["total_readings"] == 9
    assert data["data_quality"]["good_readings"] == 7
    assert data["data_quality"]["quality_percentage"] == pytest.approx(77.7778)
    assert data["temperature_deviation"] == {
        "avg_deviation": 1.0,
        "max_deviation": 4.0,
        "min_deviation": 0.0,
        "temperature_unit": "C",
    }
    assert [(each["equipment_status"], each["count"]) for each in data["status_distribution"]] == [
        ("normal", 8),
        ("error", 1),
    ]
    assert data["time_range"]["start_date"] == "2026-11-16T00:00:00Z"


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-16T00:00:00Z", "2026-11-17T00:00:00Z", (3, 24)),
        ("2026-11-16", "2026-11-16", (3, 24)),
        ("2026-11-16T05:30:00Z", "2026-11-16T07:00:00Z", (1, 2)),
        ("2026-11-16T05:15:00Z", "2026-11-16T06:15:00Z", (1, 1)),
        ("2026-11-16T05:15:00Z", "2026-11-16T06:16:00Z", (2, 2)),
        ("2026-11-16T00:00:00+05:30", "2026-11-17T00:00:00+05:30", (2, 24)),
        ("2026-11-16T05:30:00+05:30", "2026-11-17T05:30:00+05:30", (3, 24)),
        ("2026-11-16T05:30:00Z", "2026-11-16T05:50:00Z", (0, 1)),
        ("2026-11-16T07:30:00Z", "2026-11-16T07:30:00Z", (0, 0)),
    ],
)
def test_uptime_counts_the_hours_of_the_period_alone(
    api: APIClient, unit: StorageUnit, start: str, end: str, hours: tuple[int, int]
) -> None:
    # At 05:20, 06:05 and 23:59, and when the next day begins.
    for minutes in (320, 365, 1439, 1440):
        store_reading(unit, 5.0, START + timedelta(minutes=minutes))

    uptime = ask(api, f"{URL}/performance", start_date=start, end_date=end)["uptime"]

    assert (uptime["hours_with_readings"], uptime["total_hours"]) == hours


def test_the_default_period_of_the_performance_has_720_hours(api: APIClient, unit: StorageUnit) -> None:
    with time_machine.travel(START + timedelta(hours=9, minutes=16, seconds=4)):  # and time passes
        uptime = ask(api, f"{URL}/performance")["uptime"]
    assert uptime["total_hours"] == 30 * 24


def test_deviations_are_in_degrees_of_the_scale(api: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [10.0], start=START)
    data = ask(api, f"{URL}/performance", **DAY, temperature_unit="F")
    assert data["temperature_deviation"]["max_deviation"] == 9.0


def test_custom_statuses_are_counted_by_name(api: APIClient, unit: StorageUnit) -> None:
    from readings.equipment_statuses import status_ids

    defrost = status_ids(["defrost"])["defrost"]
    store_readings(unit, [5.0, 5.0], start=START)
    store_readings(unit, [5.0], start=START + timedelta(hours=3), equipment_status_id=defrost)

    data = ask(api, f"{URL}/performance", **DAY)["status_distribution"]

    assert data == [
        {"equipment_status": "normal", "count": 2, "percentage": 66.6667},
        {"equipment_status": "defrost", "count": 1, "percentage": 33.3333},
    ]


def test_performance_without_readings_is_empty(api: APIClient) -> None:
    data = ask(api, f"{URL}/performance", **DAY)
    assert data["uptime"]["hours_with_readings"] == 0
    assert data["temperature_deviation"]["avg_deviation"] is None
    assert data["status_distribution"] == []


@pytest.mark.parametrize("ending", ["temperature/summary", "temperature/trends", "alarms/history", "performance"])
def test_units_of_others_are_not_found_and_invalid_queries_are_422(api: APIClient, ending: str) -> None:
    foreign = StorageUnitFactory()
    assert api.get(f"{URL}/{ending}", {"unit_id": str(foreign.public_id)}).status_code == 404
    assert api.get(f"{URL}/{ending}", {"facility_id": str(foreign.facility.public_id)}).status_code == 404
    for query in ("unit_id=5", "start_date=yesterday", "start_date=2026-11-17&end_date=2026-11-16"):
        assert api.get(f"{URL}/{ending}?{query}").status_code == 422


def test_an_unknown_interval_or_scale_is_422(api: APIClient) -> None:
    assert api.get(f"{URL}/temperature/trends?interval=minute").status_code == 422
    assert api.get(f"{URL}/performance?temperature_unit=R").status_code == 422


def test_an_admin_sees_every_customer_and_the_total(admin: APIClient, customer: Customer, unit: StorageUnit) -> None:
    store_readings(unit, [4.0, 6.0], start=START)
    other = StorageUnitFactory()
    store_readings(other, [20.0], start=START)

    data = ask(admin, f"{ADMIN_URL}/analytics/temperature/summary", **DAY)

    code, other_code = customer.customer_code, other.facility.customer.customer_code
    assert set(data) == {code, other_code, "OPERATOR", "system"}
    assert (data[code]["reading_count"], data[code]["avg_temperature"]) == (2, 5.0)
    assert data["OPERATOR"]["reading_count"] == 0
    assert (data["system"]["reading_count"], data["system"]["unit_count"]) == (3, 2)
    assert data["system"]["avg_temperature"] == 10.0


def test_a_customer_with_the_code_of_the_total_is_listed_by_its_id(admin: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [4.0, 6.0], start=START)
    other = StorageUnitFactory(facility__customer__customer_code="system")
    store_readings(other, [20.0], start=START)

    data = ask(admin, f"{ADMIN_URL}/analytics/temperature/summary", **DAY)

    assert data["system"]["reading_count"] == 3
    assert data[str(other.facility.customer.public_id)]["reading_count"] == 1


def test_an_admin_reads_every_customers_readings(admin: APIClient, customer: Customer, unit: StorageUnit) -> None:
    store_readings(unit, [4.0, 6.0], start=START)
    other = StorageUnitFactory()
    store_readings(other, [20.0], start=START)

    assert ask(admin, f"{ADMIN_URL}/temperature")["total"] == 3
    assert ask(admin, f"{ADMIN_URL}/temperature", customer_id=customer.public_id)["total"] == 2
    of_facility = ask(admin, f"{ADMIN_URL}/temperature/facility/{other.facility.public_id}")
    assert [reading["temperature"] for reading in of_facility["items"]] == [20.0]


@pytest.mark.parametrize(
    "path",
    [
        f"{URL}/temperature/summary",
        f"{URL}/temperature/trends",
        f"{URL}/performance",
        f"{ADMIN_URL}/analytics/temperature/summary",
        f"{ADMIN_URL}/temperature",
    ],
)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    customer: Customer, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(customer, permissions=["admin"])
    counts = []
    client.get(path)
    for number in (1, 5):
        for unit in StorageUnitFactory.create_batch(number, facility__customer=customer):
            store_readings(unit, [5.0] * number, start=timezone.now() - timedelta(hours=number))
        with django_assert_max_num_queries(14) as captured:
            client.get(path)
        counts.append(len(captured))
    assert counts[0] == counts[1]
