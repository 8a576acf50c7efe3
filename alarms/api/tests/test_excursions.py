"""Excursions over the REST API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from alarms.models import Excursion
from customers.models import StorageUnit
from tests.alarm_factories import ExcursionFactory
from tests.api_clients import client_of
from tests.factories import StorageUnitFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/excursions"
HOUR = timedelta(hours=1)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(temperature_unit="F", set_temperature=41.0)


@pytest.fixture
def api(unit: StorageUnit) -> APIClient:
    return client_of(unit.facility.customer)


def ids_of(client: APIClient, **query: Any) -> set[str]:
    return {item["id"] for item in client.get(URL, query).json()["items"]}


def ids(*excursions: Excursion) -> set[str]:
    return {str(excursion.public_id) for excursion in excursions}


def test_an_excursion_is_in_the_units_own_scale(api: APIClient, unit: StorageUnit) -> None:
    excursion = ExcursionFactory(storage_unit=unit)
    (item,) = api.get(URL).json()["items"]
    assert item["id"] == str(excursion.public_id)
    assert (item["peak_temperature"], item["mkt"], item["temperature_unit"]) == (53.6, 52.7, "F")
    assert (item["area_kelvin_minutes"], item["gap_seconds"]) == (600.0, 600.0)
    assert item["profile_name"] == "around the set temperature"
    assert item["ended_at"] is None


def test_excursions_partly_in_the_period_are_listed(api: APIClient, unit: StorageUnit) -> None:
    now = timezone.now()
    past = ExcursionFactory(storage_unit=unit, started_at=now - 10 * HOUR, ended_at=now - 8 * HOUR)
    lasting = ExcursionFactory(storage_unit=unit, started_at=now - 2 * HOUR)

    def between(earlier: int, later: int) -> set[str]:
        return ids_of(api, start_date=(now - earlier * HOUR).isoformat(), end_date=(now - later * HOUR).isoformat())

    assert between(9, 7) == ids(past)
    assert between(11, 9) == ids(past)
    assert between(7, 3) == set()
    assert between(1, 0) == ids(lasting)
    assert between(12, 0) == ids(past, lasting)


def test_excursions_are_filtered_by_kind_severity_unit_and_duration(api: APIClient, unit: StorageUnit) -> None:
    now = timezone.now()
    other = StorageUnitFactory(facility=unit.facility)
    short = ExcursionFactory(storage_unit=unit, started_at=now - HOUR, ended_at=now - HOUR / 2, severity="warning")
    long = ExcursionFactory(storage_unit=other, kind="budget", started_at=now - 3 * HOUR)
    assert ids_of(api, kind="budget") == ids(long)
    assert ids_of(api, severity="warning") == ids(short)
    assert ids_of(api, unit_id=unit.public_id) == ids(short)
    assert ids_of(api, facility_id=unit.facility.public_id) == ids(short, long)
    assert ids_of(api, min_duration_seconds=1800) == ids(short, long)
    assert ids_of(api, min_duration_seconds=1801) == ids(long)


@pytest.mark.parametrize("query", [{"kind": "no_data"}, {"severity": "x"}, {"min_duration_seconds": -1}])
def test_invalid_parameters_are_422(api: APIClient, query: dict[str, Any]) -> None:
    assert api.get(URL, query).status_code == 422


def test_each_customer_and_each_limited_token_sees_its_own(api: APIClient, unit: StorageUnit) -> None:
    ExcursionFactory()
    own = ExcursionFactory(storage_unit=unit)
    other = ExcursionFactory(storage_unit=StorageUnitFactory(facility=unit.facility))
    assert ids_of(api) == ids(own, other)
    assert ids_of(client_of(unit.facility.customer, units=[unit])) == ids(own)


def test_the_number_of_queries_does_not_grow(
    api: APIClient, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for hours in range(5):
        ExcursionFactory(storage_unit=unit, started_at=timezone.now() - hours * HOUR, ended_at=timezone.now())
    # The token, its use, the excursions.
    with django_assert_num_queries(3):
        api.get(URL)
