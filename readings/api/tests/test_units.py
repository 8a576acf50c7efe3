"""Storage units over the REST API, with their current temperatures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from customers.models import Customer, Facility, Sensor, StorageUnit
from readings.api import units
from readings.configuration import set_value
from readings.models import RollupRebuild
from readings.units.scales import to_celsius
from tests.alarm_factories import EvaluationFailureFactory
from tests.api_clients import client_of
from tests.factories import (
    CustomerFactory,
    FacilityFactory,
    SensorFactory,
    StorageUnitFactory,
    store_reading,
    store_readings,
)

pytestmark = pytest.mark.django_db

GIVEN = {
    "unit_code": "FRIDGE-1",
    "name": "Vaccines",
    "size_value": 1.5,
    "size_unit": "m3",
    "set_temperature": 41.0,
    "temperature_unit": "F",
    "equipment_type": "refrigerator",
}


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory()


@pytest.fixture
def facility(customer: Customer) -> Facility:
    return FacilityFactory(customer=customer)


@pytest.fixture
def api(customer: Customer) -> APIClient:
    return client_of(customer)


def url(unit: StorageUnit) -> str:
    return f"/api/v1/units/{unit.public_id}"


def units_url(facility: Facility) -> str:
    return f"/api/v1/facilities/{facility.public_id}/units"


@pytest.mark.parametrize("method", ["get", "put"])
def test_a_unit_that_is_deleted_meanwhile_is_404(
    customer: Customer, facility: Facility, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = StorageUnitFactory(facility=facility)

    def addressed_and_deleted(*addressed: object) -> StorageUnit:
        StorageUnit.objects.filter(pk=unit.pk).delete()
        return unit

    monkeypatch.setattr(units, "get_addressed", addressed_and_deleted)
    request = getattr(client_of(customer), method)
    assert request(url(unit), {"name": "Vaccines"} if method == "put" else None).status_code == 404


def test_a_created_unit_is_returned_and_listed(api: APIClient, facility: Facility) -> None:
    made = api.post(units_url(facility), GIVEN)

    assert made.status_code == 201
    unit = StorageUnit.objects.get()
    assert unit.facility == facility
    assert made.json() == GIVEN | {
        "id": str(unit.public_id),
        "facility_id": str(facility.public_id),
        "created_at": unit.created_at.isoformat().replace("+00:00", "Z"),
        "current_temperature": None,
        "current_temperature_unit": None,
        "temperature_status": "no_data",
        "not_evaluated": [],
        "last_reading_time": None,
    }
    assert api.get(units_url(facility)).json()["items"] == [made.json()]
    assert api.get(url(unit)).json() == made.json()


@pytest.mark.parametrize(
    ("temperature_c", "status"),
    [(5.0, "normal"), (7.5, "warning"), (-0.5, "critical"), (None, "no_data")],
)
def test_the_status_follows_the_deviation(
    api: APIClient, facility: Facility, temperature_c: float | None, status: str
) -> None:
    unit = StorageUnitFactory(facility=facility, set_temperature=5.0)
    store_reading(unit, temperature_c)

    data = api.get(url(unit)).json()

    assert data["temperature_status"] == status
    assert data["current_temperature"] == temperature_c


def test_the_temperature_is_in_the_scale_it_was_reported_in(api: APIClient, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility)
    recorded_at = timezone.now().replace(microsecond=0)
    store_reading(unit, (38.3 - 32) * 5 / 9, recorded_at, scale="F")

    data = api.get(url(unit)).json()

    assert (data["current_temperature"], data["current_temperature_unit"]) == (38.3, "F")
    assert data["last_reading_time"] == recorded_at.isoformat().replace("+00:00", "Z")


def test_a_stale_reading_gives_no_status(api: APIClient, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility)
    store_reading(unit, 5.0, timezone.now() - timedelta(hours=1))
    assert api.get(url(unit)).json()["temperature_status"] == "no_data"


def test_the_last_reading_of_a_retired_sensor_gives_no_status(api: APIClient, facility: Facility) -> None:
    """Its excursion ends with the retirement; the status is known again with the next reading of another sensor."""
    unit = StorageUnitFactory(facility=facility, set_temperature=5.0)
    store_reading(unit, 20.0, timezone.now() - timedelta(minutes=1))
    Sensor.objects.update(retired_at=timezone.now())
    assert api.get(url(unit)).json()["temperature_status"] == "no_data"
    assert [each["temperature_status"] for each in api.get(units_url(facility)).json()["items"]] == ["no_data"]
    detailed = api.get(f"/api/v1/facilities/{facility.public_id}/detailed").json()
    assert detailed["average_temperature"] is None

    store_reading(unit, 5.0, timezone.now(), sensor=SensorFactory(storage_unit=unit))
    assert api.get(url(unit)).json()["temperature_status"] == "normal"


def test_other_limits_take_effect(api: APIClient, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility, set_temperature=5.0)
    store_reading(unit, 6.0)

    set_value("max_temperature_deviation", {"warning": 0.5, "critical": 0.9})

    assert api.get(url(unit)).json()["temperature_status"] == "critical"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unit_code", ""),
        ("temperature_unit", "ZZ"),
        ("set_temperature", -500),
        ("set_temperature", "nan"),
        ("size_value", 1e300),
        ("size_unit", "x" * 21),
    ],
)
def test_an_invalid_unit_is_reported_by_field(
    api: APIClient, facility: Facility, field: str, value: str | float
) -> None:
    rejected = api.post(units_url(facility), GIVEN | {field: value})

    assert rejected.status_code == 400
    assert list(rejected.json()) == [field]
    assert not StorageUnit.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_update_accepts_any_subset(api: APIClient, facility: Facility, method: str) -> None:
    unit = StorageUnitFactory(facility=facility, name="old", set_temperature=5.0)

    changed = getattr(api, method)(url(unit), {"name": "new"})

    assert (changed.json()["name"], changed.json()["set_temperature"]) == ("new", 5.0)


def test_changing_only_the_scale_cannot_go_below_absolute_zero(api: APIClient, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility, set_temperature=-5.0)
    assert api.put(url(unit), {"temperature_unit": "K"}).status_code == 400


def test_a_unit_of_another_customer_is_not_found(api: APIClient) -> None:
    foreign = StorageUnitFactory(name="theirs")

    assert api.get(url(foreign)).status_code == 404
    assert api.put(url(foreign), {"name": "mine"}).status_code == 404
    assert api.get(units_url(foreign.facility)).status_code == 404
    assert api.post(units_url(foreign.facility), GIVEN).status_code == 404
    assert api.get(f"/api/v1/facilities/{foreign.facility.public_id}/detailed").status_code == 404
    foreign.refresh_from_db()
    assert foreign.name == "theirs"
    assert StorageUnit.objects.count() == 1


def test_a_token_limited_to_units_reads_and_changes_those(customer: Customer, facility: Facility) -> None:
    seen, unseen = StorageUnitFactory.create_batch(2, facility=facility)
    limited = client_of(customer, units=[seen])

    assert [unit["id"] for unit in limited.get(units_url(facility)).json()["items"]] == [str(seen.public_id)]
    assert limited.put(url(seen), {"name": "new"}).status_code == 200
    assert limited.get(url(unseen)).status_code == 404
    assert limited.post(units_url(facility), GIVEN).status_code == 403


def test_a_new_time_zone_rebuilds_the_daily_rollups(api: APIClient, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility)

    api.put(f"/api/v1/facilities/{facility.public_id}", {"time_zone": "Asia/Tokyo"})

    assert RollupRebuild.objects.get().storage_unit == unit


def test_a_detailed_facility_summarises_current_temperatures(api: APIClient, facility: Facility) -> None:
    for temperature_c in (2.0, 4.0, 9.0, None):
        store_reading(StorageUnitFactory(facility=facility), temperature_c)
    store_reading(StorageUnitFactory(facility=facility), 40.0, timezone.now() - timedelta(days=1))
    path = f"/api/v1/facilities/{facility.public_id}/detailed"

    celsius = api.get(path).json()
    fahrenheit = api.get(path, {"temperature_unit": "F"}).json()

    assert celsius["unit_count"] == len(celsius["units"]) == 5
    assert [celsius[f"{name}_temperature"] for name in ("average", "min", "max")] == [5.0, 2.0, 9.0]
    assert [fahrenheit[f"{name}_temperature"] for name in ("average", "min", "max")] == [41.0, 35.6, 48.2]
    assert fahrenheit["temperature_unit"] == "F"
    assert api.get(path, {"temperature_unit": "X"}).status_code == 422


def test_a_detailed_facility_with_equal_temperatures_has_the_digits_sent(api: APIClient, facility: Facility) -> None:
    for kelvin in (243.25, 243.25, 243.25):
        store_reading(StorageUnitFactory(facility=facility), to_celsius(kelvin, "K"), scale="K")
    data = api.get(f"/api/v1/facilities/{facility.public_id}/detailed").json()
    assert {data[f"{name}_temperature"] for name in ("average", "min", "max")} == {-29.9}


def test_a_detailed_facility_without_units_has_no_temperature(api: APIClient, facility: Facility) -> None:
    data = api.get(f"/api/v1/facilities/{facility.public_id}/detailed").json()
    assert (data["units"], data["unit_count"], data["average_temperature"]) == ([], 0, None)


@pytest.mark.parametrize("ending", ["units", "detailed"])
def test_lists_of_units_take_a_constant_number_of_queries(
    api: APIClient, facility: Facility, ending: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    path = f"/api/v1/facilities/{facility.public_id}/{ending}"
    api.get(path)
    for _ in range(2):
        for unit in StorageUnitFactory.create_batch(4, facility=facility):
            store_readings(unit, [5.0, 6.0], start=timezone.now() - timedelta(hours=1))
        with django_assert_num_queries(3 if ending == "units" else 4):
            api.get(path)


def test_a_unit_says_what_could_not_be_evaluated(api: APIClient, facility: Facility) -> None:
    unit = StorageUnitFactory(facility=facility)
    EvaluationFailureFactory(storage_unit=unit, part="temperature")
    EvaluationFailureFactory(storage_unit=unit, part="budget")

    assert api.get(url(unit)).json()["not_evaluated"] == ["budget", "temperature"]
    assert api.get(units_url(facility)).json()["items"][0]["not_evaluated"] == ["budget", "temperature"]
