"""Statistics and groups over the REST API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.models import Facility, StorageUnit
from readings.storage.rollups import refresh
from readings.units.scales import to_celsius
from tests.factories import (
    FacilityFactory,
    SensorFactory,
    StorageUnitFactory,
    make_token,
    store_reading,
    store_readings,
)
from tests.responses import ApiResponse, Json

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 16, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
STATS, AGGREGATE = "/api/v1/temperature/stats", "/api/v1/temperature/aggregate"


@pytest.fixture
def facility() -> Facility:
    return FacilityFactory(name="Oxford", time_zone="UTC")


@pytest.fixture
def unit(facility: Facility) -> StorageUnit:
    return StorageUnitFactory(facility=facility, name="Room 1", interval_seconds=3600)


@pytest.fixture
def client(facility: Facility) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(facility.customer, permissions=['read'])[1]}")
    return client


def stats(client: APIClient, **query: object) -> Json:
    response = client.get(f"{STATS}?{urlencode(query)}")
    assert response.status_code == 200, response.content
    return response.json()


def groups(client: APIClient, *, query: str = "", **payload: object) -> Json:
    response = client.post(AGGREGATE + query, payload)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.parametrize("is_settled", [False, True])
def test_statistics_of_a_period_are_complete(client: APIClient, unit: StorageUnit, is_settled: bool) -> None:
    store_readings(unit, [5.0] * 18, start=START, every=HOUR)
    store_readings(unit, [14.0] * 6, start=START + 18 * HOUR, every=HOUR)
    store_reading(unit, None, START + timedelta(days=1), equipment_status_id=3)
    if is_settled:
        refresh()
    assert stats(client, start_date="2026-11-16", end_date="2026-11-16") == {
        "min_temperature": 5.0, "max_temperature": 14.0, "avg_temperature": 7.25, "mean_temperature": 7.25,
        "coverage": 1.0,
        "mkt": pytest.approx(8.2852, abs=1e-4),
        "reading_count": 24, "normal_count": 24, "warning_count": 0, "error_count": 0, "fault_count": 0,
        "time_range_start": "2026-11-16T00:00:00Z", "time_range_end": "2026-11-16T23:59:59.999999Z",
        "unit_count": 1, "temperature_unit": "C",
    }  # fmt: skip
    everything = stats(client)
    assert (everything["reading_count"], everything["fault_count"], everything["error_count"]) == (25, 1, 1)
    assert everything["time_range_start"] == "2026-11-16T00:00:00Z"
    assert everything["avg_temperature"] == 7.25


def test_the_mean_is_weighted_by_time_and_the_average_by_count(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [5.0], start=START, every=HOUR)
    # Every minute of the second hour.
    store_readings(unit, [11.0] * 60, start=START + HOUR, every=timedelta(minutes=1))
    store_reading(unit, None, START + 2 * HOUR)
    response = stats(client, start_date=START.isoformat(), end_date="2026-11-16T03:59:59.999999Z")
    assert (response["mean_temperature"], response["coverage"]) == (8.0, 0.5)
    assert response["avg_temperature"] == pytest.approx((5 + 60 * 11) / 61, abs=1e-6)


def test_statistics_are_in_the_requested_scale(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [5.0, 10.0], start=START)
    response = stats(client, temperature_unit="F")
    assert (response["min_temperature"], response["avg_temperature"], response["temperature_unit"]) == (41.0, 45.5, "F")
    assert stats(client, temperature_unit="K")["mean_temperature"] == pytest.approx(278.15 + 5 * 180 / 195)
    assert stats(client, temperature_unit="K")["max_temperature"] == 283.15


@pytest.mark.parametrize(("scale", "sent"), [("F", 35.5), ("F", -4.1), ("K", 277.77), ("C", 4.321987)])
def test_statistics_of_equal_readings_have_exactly_the_digits_sent(
    client: APIClient, unit: StorageUnit, scale: str, sent: float
) -> None:
    sent_c = to_celsius(sent, scale)
    store_readings(unit, [sent_c] * 7, start=START, scale=scale)
    response = stats(client, temperature_unit=scale)
    assert {response[f"{name}_temperature"] for name in ("min", "avg", "mean", "max")} == {sent}


def test_both_ends_are_inclusive(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [1.0, 2.0, 3.0], start=START, every=HOUR)
    response = stats(client, start_date="2026-11-16T00:00:00Z", end_date="2026-11-16T01:00:00Z")
    assert (response["reading_count"], response["max_temperature"]) == (2, 2.0)


def test_statistics_of_nothing_are_null_and_zero(client: APIClient) -> None:
    response = stats(client)
    assert (response["reading_count"], response["unit_count"], response["mkt"], response["min_temperature"]) == (
        0,
        0,
        None,
        None,
    )


def test_statistics_until_before_the_first_reading_do_not_start_after_they_end(
    client: APIClient, unit: StorageUnit
) -> None:
    store_readings(unit, [1.0], start=START)
    response = stats(client, end_date="2026-10-31")
    assert (response["reading_count"], response["coverage"]) == (0, 0.0)
    assert response["time_range_start"] == response["time_range_end"] == "2026-10-31T23:59:59.999999Z"


def test_statistics_count_what_the_list_lists(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, range(30), start=START + timedelta(minutes=7), every=timedelta(minutes=11))
    for query in ({}, {"start_date": "2026-11-16T01:02:03Z"}, {"end_date": "2026-11-16T03:04:05.5Z"}):
        listed = client.get(f"/api/v1/temperature?{urlencode(query)}").json()["total"]
        assert stats(client, **query)["reading_count"] == listed


def test_groups_by_day_and_facility_are_in_chronological_order(
    client: APIClient, facility: Facility, unit: StorageUnit
) -> None:
    other = StorageUnitFactory(facility=FacilityFactory(customer=facility.customer, name="Ayr"))
    store_readings(unit, [1.0, 3.0], start=START, every=12 * HOUR)
    store_readings(unit, [None, 5.0], start=START + timedelta(days=1), every=HOUR)
    store_reading(other, 7.0, START)
    response = groups(client, group_by=["day", "facility"], aggregations=["avg", "min", "max", "count"])
    assert [(row["group_key"]["day"], row["group_key"]["facility_name"]) for row in response] == [
        ("2026-11-16T00:00:00Z", "Ayr"), ("2026-11-16T00:00:00Z", "Oxford"), ("2026-11-17T00:00:00Z", "Oxford"),
    ]  # fmt: skip
    assert response[1] == {
        "group_key": {
            "day": "2026-11-16T00:00:00Z",
            "facility_id": str(facility.public_id),
            "facility_name": "Oxford",
        },
        "metrics": {
            "avg_temperature": 2.0, "min_temperature": 1.0, "max_temperature": 3.0, "reading_count": 2,
            "temperature_unit": "C",
        },
    }  # fmt: skip
    assert response[2]["metrics"]["reading_count"] == 2
    assert response[2]["metrics"]["avg_temperature"] == 5.0


@pytest.mark.parametrize(
    ("group_by", "keys"),
    [
        (["hour"], [("2026-11-16T22:00:00Z", 1), ("2026-11-16T23:00:00Z", 1), ("2026-11-17T00:00:00Z", 1)]),
        (["day"], [("2026-11-16T00:00:00Z", 2), ("2026-11-17T00:00:00Z", 1)]),
        (["week"], [("2026-11-16T00:00:00Z", 3)]),
        (["month"], [("2026-11-01T00:00:00Z", 3)]),
        (["unit"], [("Room 1", 3)]),
        (["sensor"], [("S1", 3)]),
    ],
)
@pytest.mark.parametrize("aggregations", [["count"], ["count", "mkt"]])
def test_each_grouping(
    client: APIClient, unit: StorageUnit, group_by: list[str], keys: list[tuple[str, int]], aggregations: list[str]
) -> None:
    sensor = SensorFactory(storage_unit=unit, sensor_code="S1")
    store_readings(unit, [5.0, 5.0, 5.0], start=START + 22 * HOUR, every=HOUR, sensor=sensor)
    response = groups(client, group_by=group_by, aggregations=aggregations)
    name = {"unit": "unit_name", "sensor": "sensor_id"}.get(group_by[0], group_by[0])
    assert [(row["group_key"][name], row["metrics"]["reading_count"]) for row in response] == keys
    if "mkt" in aggregations:
        assert [row["metrics"]["mkt"] for row in response] == [pytest.approx(5.0)] * len(keys)
    else:
        assert "mkt" not in response[0]["metrics"]


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_week_in_two_months_is_a_group_in_each(client: APIClient, unit: StorageUnit, is_settled: bool) -> None:
    """A reading of October never counts for September, whatever else readings are grouped by."""
    wednesday = datetime(2026, 9, 30, tzinfo=UTC)
    store_readings(unit, [1.0] * 24 + [3.0] * 12, start=wednesday, every=HOUR)
    store_reading(unit, None, wednesday + 36 * HOUR)
    if is_settled:
        refresh()
    period: dict[str, Any] = {"start_date": "2026-09-28", "end_date": "2026-10-04"}
    for more in ([], ["unit"], ["sensor"]):
        rows = groups(client, group_by=["week", "month", *more], aggregations=["max", "count", "coverage"], **period)
        assert [(row["group_key"]["week"], row["group_key"]["month"]) for row in rows] == [
            ("2026-09-28T00:00:00Z", "2026-09-01T00:00:00Z"), ("2026-09-28T00:00:00Z", "2026-10-01T00:00:00Z"),
        ]  # fmt: skip
        assert [tuple(row["metrics"].values())[:3] for row in rows] == [
            (1.0, 24, pytest.approx(1 / 3)), (3.0, 13, pytest.approx(0.5 / 4)),
        ]  # fmt: skip


def covered(rows: Json) -> list[tuple[float, float]]:
    return [(row["metrics"]["coverage"], row["metrics"]["mean_temperature"]) for row in rows]


@pytest.mark.parametrize("is_settled", [False, True])
def test_groups_have_their_coverage_and_time_weighted_mean(
    client: APIClient, facility: Facility, unit: StorageUnit, is_settled: bool
) -> None:
    # Read every two hours and valid for three, from 06:00 of the first day to 11:00 of the second one.
    store_readings(unit, [4.0] * 14, start=START + 6 * HOUR, every=2 * HOUR)
    # The facility's other unit has no readings but should have.
    StorageUnitFactory(facility=facility)
    if is_settled:
        refresh()
    period: dict[str, Any] = {
        "start_date": "2026-11-16",
        "end_date": "2026-11-17",
        "aggregations": ["mean", "coverage"],
    }
    assert covered(groups(client, group_by=["day"], **period)) == [(18 / 48, 4.0), (11 / 48, 4.0)]
    assert covered(groups(client, group_by=["day", "unit"], **period)) == [(18 / 24, 4.0), (11 / 24, 4.0)]
    assert covered(groups(client, group_by=["unit"], **period)) == [(29 / 48, 4.0)]
    assert covered(groups(client, group_by=["week", "sensor"], **period)) == [(29 / 48, 4.0)]
    half_a_day = period | {"end_date": "2026-11-16T11:59:59.999999Z"}
    assert covered(groups(client, group_by=["day", "unit"], **half_a_day)) == [(0.5, 4.0)]


def test_the_coverage_of_units_in_zones_whose_days_coincide_counts_all_of_them(
    client: APIClient, facility: Facility, unit: StorageUnit
) -> None:
    elsewhere = StorageUnitFactory(facility=FacilityFactory(customer=facility.customer, time_zone="Europe/London"))
    store_reading(unit, 4.0, START)
    store_reading(elsewhere, 6.0, START + timedelta(days=1))
    period: dict[str, Any] = {"start_date": "2026-11-16", "end_date": "2026-11-17", "aggregations": ["coverage"]}
    rows = groups(client, group_by=["day"], **period)
    assert [row["metrics"]["coverage"] for row in rows] == [pytest.approx(3 / 48), pytest.approx(0.75 / 48)]


@pytest.mark.parametrize("is_settled", [False, True])
def test_each_sensor_has_a_coverage_of_its_own(client: APIClient, unit: StorageUnit, is_settled: bool) -> None:
    for code in ("a", "b"):
        sensor = SensorFactory(storage_unit=unit, sensor_code=code)
        store_readings(unit, [5.0] * 4, start=START, every=HOUR, sensor=sensor)
    if is_settled:
        refresh()
    period: dict[str, Any] = {"start_date": "2026-11-16", "end_date": "2026-11-16", "aggregations": ["coverage"]}
    by_sensor = groups(client, group_by=["sensor"], **period)
    assert [row["metrics"]["coverage"] for row in by_sensor] == [0.25, 0.25]
    assert groups(client, group_by=["unit"], **period)[0]["metrics"]["coverage"] == 0.25


@pytest.mark.parametrize("is_settled", [False, True])
def test_days_are_local_and_an_hour_across_midnight_is_split(
    client: APIClient, facility: Facility, is_settled: bool
) -> None:
    facility.time_zone = "Asia/Kolkata"
    facility.save()
    unit = StorageUnitFactory(facility=facility, interval_seconds=1800)
    # 18:00 to 19:30 UTC: midnight in Kolkata is at 18:30.
    store_readings(unit, [1.0, 2.0, 3.0, 4.0], start=START + 18 * HOUR, every=timedelta(minutes=30))
    if is_settled:
        refresh()
    for aggregations in (["avg", "count"], ["avg", "count", "mkt"]):
        response = groups(client, group_by=["day"], aggregations=aggregations)
        assert [(row["group_key"]["day"], row["metrics"]["avg_temperature"]) for row in response] == [
            ("2026-11-16T00:00:00+05:30", 1.0), ("2026-11-17T00:00:00+05:30", 3.0),
        ]  # fmt: skip


def test_a_period_within_hours_counts_only_its_readings(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, map(float, range(72)), start=START, every=HOUR)
    response = groups(client, group_by=["day"], start_date="2026-11-16T20:30:00Z", end_date="2026-11-18T02:00:00Z")
    assert [row["metrics"]["reading_count"] for row in response] == [3, 24, 3]
    assert [row["metrics"]["max_temperature"] for row in response] == [23.0, 47.0, 50.0]
    hours = groups(client, group_by=["hour"], start_date="2026-11-16T20:30:00Z", end_date="2026-11-16T21:10:00Z")
    assert [(row["group_key"]["hour"], row["metrics"]["reading_count"]) for row in hours] == [
        ("2026-11-16T21:00:00Z", 1)
    ]


def test_a_day_of_25_hours_is_one_group(client: APIClient, facility: Facility) -> None:
    facility.time_zone = "Europe/London"
    facility.save()
    unit = StorageUnitFactory(facility=facility)
    store_readings(unit, [5.0] * 25, start=datetime(2026, 10, 24, 23, tzinfo=UTC), every=HOUR)
    [day] = groups(client, group_by=["day"])
    assert (day["group_key"]["day"], day["metrics"]["reading_count"]) == ("2026-10-25T00:00:00+01:00", 25)


def test_many_units_of_a_facility_are_one_group_a_day(
    client: APIClient, facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    for unit in StorageUnitFactory.create_batch(5, facility=facility):
        store_reading(unit, 4.0, START + HOUR)
    monkeypatch.setattr("readings.statistics.aggregates.MAX_GROUPS", 40)
    period = {"start_date": "2026-11-16T00:00:00Z", "end_date": "2026-12-15T23:59:59Z"}

    [group] = groups(client, group_by=["day", "facility"], **period)
    assert group["metrics"]["reading_count"] == 5

    for group_by in (["day", "unit"], ["day", "sensor"]):
        response = client.post(AGGREGATE, {"group_by": group_by, **period})
        assert response.status_code == 422
        assert "40 are returned at most" in response.json()["detail"]


def test_days_of_different_zones_are_different_groups(client: APIClient, facility: Facility, unit: StorageUnit) -> None:
    london = FacilityFactory(customer=facility.customer, time_zone="Europe/London")
    tokyo = FacilityFactory(customer=facility.customer, time_zone="Asia/Tokyo")
    for each in (unit, StorageUnitFactory(facility=london), StorageUnitFactory(facility=tokyo)):
        store_reading(each, 5.0, START + HOUR)
    response = groups(client, group_by=["day"])
    assert [(row["group_key"]["day"], row["metrics"]["reading_count"]) for row in response] == [
        ("2026-11-16T00:00:00+09:00", 1), ("2026-11-16T00:00:00Z", 2),
    ]  # fmt: skip


def test_groups_of_one_facility_or_unit(client: APIClient, facility: Facility, unit: StorageUnit) -> None:
    other = StorageUnitFactory(facility=FacilityFactory(customer=facility.customer))
    store_reading(unit, 1.0, START)
    store_reading(other, 2.0, START)
    assert len(groups(client, group_by=["unit"])) == 2
    assert len(groups(client, group_by=["unit"], facility_id=str(facility.public_id))) == 1
    assert len(groups(client, group_by=["unit"], storage_unit_id=str(other.public_id))) == 1
    assert groups(client, group_by=[])[0]["metrics"]["reading_count"] == 2
    foreign = StorageUnitFactory()
    for named in ({"facility_id": foreign.facility.public_id}, {"storage_unit_id": foreign.public_id}):
        assert client.post(AGGREGATE, {"group_by": ["day"]} | named).status_code == 404


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"group_by": ["year"]}, {"group_by": "day"}, {"group_by": [[]]}, {"group_by": ["day"] * 50},
        {"group_by": None}, {"group_by": ["day"], "aggregations": ["median"]},
        {"group_by": ["day"], "aggregations": []},
        {"group_by": ["day"], "start_date": "yesterday"}, {"group_by": ["day"], "start_date": 5},
        {"group_by": ["day"], "start_date": "2026-11-20", "end_date": "2026-11-19"},
        {"group_by": ["day"], "start_date": "\x00"}, {"group_by": ["day"], "facility_id": "x"},
        {"group_by": ["day"], "storage_unit_id": [7]}, [], 5, None, "day",
    ],
)  # fmt: skip
def test_an_invalid_aggregate_request_is_400(client: APIClient, unit: StorageUnit, payload: object) -> None:
    response = client.post(AGGREGATE, payload)
    assert response.status_code == 400, response.content


def test_too_many_groups_are_422(client: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, 5.0, datetime(2005, 1, 1, tzinfo=UTC))
    response = client.post(AGGREGATE, {"group_by": ["hour", "unit"]})
    assert response.status_code == 422
    assert "shorter" in response.json()["detail"]


def test_too_many_groups_of_one_unit_are_422(
    client: APIClient, unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sensor in SensorFactory.create_batch(20, storage_unit=unit):
        store_readings(unit, [5.0, 5.0], start=START, every=HOUR, sensor=sensor)
    monkeypatch.setattr("readings.statistics.aggregates.MAX_GROUPS", 39)
    query = {"group_by": ["hour", "sensor"], "start_date": START.isoformat(), "end_date": (START + HOUR).isoformat()}
    assert client.post(AGGREGATE, query).status_code == 422


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, unit: client.get(STATS),
        lambda client, unit: client.get(STATS + "?start_date=2026-11-16T00:07:00Z"),
        lambda client, unit: client.post(AGGREGATE, {"group_by": ["day", "facility"]}),
        lambda client, unit: client.post(AGGREGATE, {"group_by": ["hour", "sensor"], "aggregations": ["mkt"]}),
        lambda client, unit: client.get(f"/api/v1/temperature/unit/{unit.public_id}/series"),
    ],
)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    client: APIClient, facility: Facility, unit: StorageUnit, ask: Callable[[APIClient, StorageUnit], ApiResponse]
) -> None:
    store_readings(unit, [5.0] * 3, start=START, every=HOUR)
    ask(client, unit)
    with CaptureQueriesContext(connection) as few:
        assert ask(client, unit).status_code == 200
    for each in [unit, *StorageUnitFactory.create_batch(10, facility=facility)]:
        store_readings(each, [5.0] * 300, start=START - timedelta(days=9), every=timedelta(minutes=30))
    with CaptureQueriesContext(connection) as many:
        assert ask(client, unit).status_code == 200
    assert len(few) == len(many) <= 11
