"""Managers retire sensors on the page of a unit's limits, over the REST API and in the admin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from alarms.models import Reevaluation, UnitLimits
from alarms.thresholds import SensorPolicy
from customers.models import Sensor
from tests.api_clients import client_of
from tests.factories import MembershipFactory, SensorFactory, StaffFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def sensor() -> Sensor:
    sensor: Sensor = SensorFactory(sensor_code="S1", storage_unit__facility__time_zone="Asia/Kolkata")
    Reevaluation.objects.all().delete()
    return sensor


def page(sensor: Sensor) -> str:
    unit = sensor.storage_unit
    return reverse("settings-unit-limits", args=[unit.facility.customer.public_id, unit.public_id])


def form(sensor: Sensor) -> str:
    unit = sensor.storage_unit
    arguments = [unit.facility.customer.public_id, unit.public_id, sensor.pk]
    return reverse("settings-sensor-retirement", args=arguments)


def sign_in(client: Client, sensor: Sensor, role: str) -> None:
    client.force_login(MembershipFactory(customer=sensor.storage_unit.facility.customer, role=role).user)


def api_url(sensor: Sensor) -> str:
    return f"/api/v1/units/{sensor.storage_unit.public_id}/sensors/retirement"


class TestPage:
    def test_a_manager_retires_a_sensor_as_of_a_local_time_and_returns_it(self, client: Client, sensor: Sensor) -> None:
        sign_in(client, sensor, "manager")
        response = client.post(form(sensor), {"retired_at": "2026-03-02T12:00"}, follow=True)
        sensor.refresh_from_db()
        assert sensor.retired_at is not None
        assert sensor.retired_at.isoformat() == "2026-03-02T06:30:00+00:00"
        assert "since" in response.content.decode()
        assert Reevaluation.objects.get().reason == "sensor"

        client.post(form(sensor), {"return": ""})
        sensor.refresh_from_db()
        assert sensor.retired_at is None

    @pytest.mark.parametrize("text", ["2026-03-02T12:00Z", "2026-03-02T12:00+02:00", "2026-03-02 12:00:00+0200"])
    def test_a_time_with_an_offset_is_refused(self, client: Client, sensor: Sensor, text: str) -> None:
        """Times on this page are local; the offset was left out, and the sensor retired hours earlier or later."""
        sign_in(client, sensor, "manager")
        response = client.post(form(sensor), {"retired_at": text}, follow=True)
        assert "is not retired. Enter a date and a time." in response.content.decode()
        sensor.refresh_from_db()
        assert sensor.retired_at is None

    def test_a_sensor_that_somebody_else_retired_meanwhile_stays_as_it_is(self, client: Client, sensor: Sensor) -> None:
        sign_in(client, sensor, "manager")
        assert '<input type="hidden" name="opened" value="">' in client.get(page(sensor)).content.decode()
        at = datetime(2026, 3, 1, 9, tzinfo=UTC)
        Sensor.objects.filter(pk=sensor.pk).update(retired_at=at)

        refused = client.post(form(sensor), {"retired_at": "2026-03-02T12:00", "opened": ""}, follow=True)

        assert "was changed meanwhile by somebody else" in refused.content.decode()
        assert f'name="opened" value="{at.isoformat()}"' in refused.content.decode()
        sensor.refresh_from_db()
        assert sensor.retired_at == at
        client.post(form(sensor), {"return": "", "opened": at.isoformat()})
        sensor.refresh_from_db()
        assert sensor.retired_at is None

    def test_nobody_else_may(self, client: Client, sensor: Sensor) -> None:
        sign_in(client, sensor, "operator")
        assert client.post(form(sensor)).status_code == 403
        assert "Return to service" not in client.get(page(sensor)).content.decode()

    def test_a_reference_sensor_is_not_retired(self, client: Client, sensor: Sensor) -> None:
        UnitLimits.objects.filter(storage_unit=sensor.storage_unit).delete()
        UnitLimits.objects.create(storage_unit=sensor.storage_unit, sensor_policy="named", named_sensor=sensor)
        sign_in(client, sensor, "manager")
        response = client.post(form(sensor), follow=True)
        assert "Choose another sensor rule first." in response.content.decode()
        sensor.refresh_from_db()
        assert sensor.retired_at is None


class TestApi:
    @pytest.fixture
    def api(self, sensor: Sensor) -> APIClient:
        return client_of(sensor.storage_unit.facility.customer)

    def test_a_sensor_is_retired_from_now_on_by_default_and_returned_with_null(
        self, api: APIClient, sensor: Sensor
    ) -> None:
        response = api.put(api_url(sensor), {"sensor_id": "S1"})
        assert response.status_code == 200, response.content
        sensor.refresh_from_db()
        assert sensor.retired_at is not None
        listed = api.get(f"/api/v1/units/{sensor.storage_unit.public_id}/sensors").json()["items"][0]
        assert listed["retired_at"] == response.json()["retired_at"] is not None

        assert api.put(api_url(sensor), {"sensor_id": "S1", "retired_at": None}).json()["retired_at"] is None

    @pytest.mark.parametrize("given", [{"sensor_id": "S2"}, {"sensor_id": "S1", "retired_at": "2999-01-01T00:00:00Z"}])
    def test_an_unknown_sensor_and_a_time_to_come_are_rejected(
        self, api: APIClient, sensor: Sensor, given: dict[str, str]
    ) -> None:
        assert api.put(api_url(sensor), given).status_code == 400

    def test_its_later_readings_are_rejected(self, api: APIClient, sensor: Sensor) -> None:
        now = timezone.now()
        Sensor.objects.filter(pk=sensor.pk).update(retired_at=now - HOUR)
        rows = [
            {
                "storage_unit_id": str(sensor.storage_unit.public_id),
                "sensor_id": "S1",
                "temperature": 5.0,
                "recorded_at": (now - ago).isoformat(),
            }
            for ago in (2 * HOUR, HOUR / 2)
        ]
        result = api.post("/api/v1/temperature/bulk", rows).json()
        assert (result["stored"], result["rejected"]) == (1, 1)
        assert "was retired before this reading" in str(result)


def test_the_admin_does_not_retire_a_reference_sensor(client: Client, sensor: Sensor) -> None:
    other = SensorFactory(storage_unit=sensor.storage_unit)
    UnitLimits.objects.update_or_create(
        storage_unit=sensor.storage_unit, defaults={"sensor_policy": SensorPolicy.NAMED, "named_sensor": sensor}
    )
    client.force_login(StaffFactory(is_superuser=True))
    response = client.post(
        reverse("admin:customers_sensor_changelist"),
        {"action": "retire_now", "_selected_action": [sensor.pk, other.pk]},
        follow=True,
    )
    assert list(Sensor.objects.filter(retired_at=None)) == [sensor]
    texts = [str(message) for message in response.context["messages"]]
    assert "It is the reference sensor of the unit's limits" in texts[0]
    assert texts[1] == "1 retired."


def test_staff_retire_sensors_in_the_admin(client: Client, sensor: Sensor) -> None:
    client.force_login(StaffFactory(is_superuser=True))
    changelist = reverse("admin:customers_sensor_changelist")
    for action, is_retired in (("retire_now", True), ("return_to_service", False)):
        client.post(changelist, {"action": action, "_selected_action": [sensor.pk]})
        sensor.refresh_from_db()
        assert (sensor.retired_at is not None) == is_retired
    assert Reevaluation.objects.get().storage_unit == sensor.storage_unit
