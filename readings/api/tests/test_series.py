"""Series over the REST API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from rest_framework.test import APIClient

from customers.models import StorageUnit
from readings.units.scales import to_celsius
from tests.api_clients import client_of
from tests.factories import StorageUnitFactory, store_reading, store_readings
from tests.responses import Json

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(facility__time_zone="UTC", interval_seconds=3600)


@pytest.fixture
def client(unit: StorageUnit) -> APIClient:
    return client_of(unit.facility.customer, ["read"])


def series(client: APIClient, unit: StorageUnit, **query: object) -> Json:
    response = client.get(f"/api/v1/temperature/unit/{unit.public_id}/series?{urlencode(query)}")
    assert response.status_code == 200, response.content
    return response.json()


def test_a_series_reports_gaps_and_breaks_there(client: APIClient, unit: StorageUnit) -> None:
    store_readings(unit, [1.0, 2.0], start=START, every=HOUR)
    store_readings(unit, [3.0], start=START + 9 * HOUR)
    response = series(client, unit, start_date="2026-11-16", end_date="2026-11-16", temperature_unit="K")
    assert [(row["t"], row["min"], row["count"]) for row in response["buckets"]] == [
        ("2026-11-16T00:00:00Z", 274.15, 1), ("2026-11-16T01:00:00Z", 275.15, 1),
        ("2026-11-16T06:30:00Z", None, 0), ("2026-11-16T09:00:00Z", 276.15, 1),
    ]  # fmt: skip
    # A reading is valid for three hours.
    assert response["gaps"] == [
        {"start": "2026-11-16T04:00:00Z", "end": "2026-11-16T09:00:00Z"},
        {"start": "2026-11-16T12:00:00Z", "end": "2026-11-17T00:00:00Z"},
    ]
    assert response["temperature_unit"] == "K"


@pytest.mark.parametrize("days", [1, 30, 3_000])
@pytest.mark.parametrize("points", [1, 10, 1_000])
def test_a_series_never_exceeds_the_requested_points(
    client: APIClient, unit: StorageUnit, days: int, points: int
) -> None:
    store_readings(unit, [5.0] * 3_000, start=START - timedelta(days=60), every=timedelta(minutes=29))
    start = (START - timedelta(days=days)).isoformat()
    buckets = series(client, unit, start_date=start, end_date=START.isoformat(), points=points)["buckets"]
    assert 1 <= len(buckets) <= points
    assert all(row["avg"] in (5.0, None) for row in buckets)


@pytest.mark.parametrize("query", ["points=0", "points=1001", "points=x", "start_date=x", "temperature_unit=ZZ"])
def test_a_series_rejects_invalid_parameters(client: APIClient, unit: StorageUnit, query: str) -> None:
    assert client.get(f"/api/v1/temperature/unit/{unit.public_id}/series?{query}").status_code == 422


def test_a_series_of_an_empty_and_of_an_unlimited_period(client: APIClient, unit: StorageUnit) -> None:
    store_reading(unit, 5.0, START)
    assert len(series(client, unit, start_date="2026-11-16T00:00:00Z", end_date="2026-11-16T00:00:00Z")["buckets"]) == 1
    assert len(series(client, unit, start_date="1900-01-01", end_date="8999-12-31")["buckets"]) == 1
    assert series(client, unit, start_date="2099-01-01", end_date="2100-01-01")["buckets"] == []


@pytest.mark.parametrize(("scale", "sent"), [("F", 35.5), ("F", -4.1), ("K", 277.77), ("C", 4.321987)])
def test_a_series_of_equal_readings_has_exactly_the_digits_sent(
    client: APIClient, unit: StorageUnit, scale: str, sent: float
) -> None:
    store_readings(unit, [to_celsius(sent, scale)] * 7, start=START, scale=scale)
    # From readings, hours and days.
    for days in (1, 90, 500):
        start = (START - timedelta(days=days)).isoformat()
        response = series(client, unit, start_date=start, end_date="2026-11-17", points=1, temperature_unit=scale)
        assert [bucket["avg"] for bucket in response["buckets"]] == [sent]
