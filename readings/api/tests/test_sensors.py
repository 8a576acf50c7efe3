"""The sensors of a storage unit over the REST API, with the drift of their clocks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.response import Response

from customers.models import Sensor, StorageUnit
from readings.api.sensors import UnitSensorList
from readings.models import SensorClock
from tests.api_clients import client_of
from tests.factories import SensorFactory, StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def unit() -> StorageUnit:
    unit: StorageUnit = StorageUnitFactory()
    return unit


def sensor(unit: StorageUnit, code: str, drift_seconds: float | None = None) -> Sensor:
    """Create a sensor whose clock was measured now, unless `drift_seconds` is None."""
    created: Sensor = SensorFactory(storage_unit=unit, sensor_code=code)
    if drift_seconds is not None:
        SensorClock.objects.create(
            sensor=created, storage_unit=unit, drift_seconds=drift_seconds, measured_at=NOW.replace(microsecond=0)
        )
    return created


def test_each_sensor_has_the_drift_of_its_clock(
    unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fast = sensor(unit, "a", 72_000.5)
    sensor(unit, "b")
    sensor(StorageUnitFactory(facility=unit.facility), "of another unit")
    store_readings(unit, [5.0] * 3, start=NOW, every=timedelta(hours=1), sensor=fast, received_at=NOW)
    api = client_of(unit.facility.customer)
    # The token, the unit, its sensors, and all of them for the ETag.
    with django_assert_num_queries(5):
        page = api.get(f"/api/v1/units/{unit.public_id}/sensors").json()
    first, second = page["items"]
    assert (first["sensor_id"], first["clock_drift_seconds"], first["future_reading_count"]) == ("a", 72_000.5, 2)
    assert first["clock_measured_at"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert (second["sensor_id"], second["clock_drift_seconds"], second["clock_measured_at"]) == ("b", None, None)
    assert second["future_reading_count"] == 0


def test_a_unit_of_another_customer_is_not_found(unit: StorageUnit) -> None:
    api = client_of(StorageUnitFactory().facility.customer)
    assert api.get(f"/api/v1/units/{unit.public_id}/sensors").status_code == 404


def test_an_etag_is_never_newer_than_the_sensors_it_is_sent_with(
    unit: StorageUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = sensor(unit, "a")
    list_page = UnitSensorList.list_page

    def list_before_a_change(view: UnitSensorList) -> Response:
        response = list_page(view)
        Sensor.objects.filter(pk=listed.pk).update(retired_at=NOW)
        return response

    api, url = client_of(unit.facility.customer), f"/api/v1/units/{unit.public_id}/sensors"
    before = api.get(url).headers["ETag"]
    monkeypatch.setattr(UnitSensorList, "list_page", list_before_a_change)
    assert api.get(url).headers["ETag"] == before
