"""What units share, such as a profile, changes while a single unit chooses its limits: none of both is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alarms.limits.versions import latest_versions, update_versions
from alarms.models import CustomerLimits, LimitProfile, LimitVersion, UnitLimits
from customers.models import Sensor, StorageUnit
from ingestion.loading.registration import Register
from readings.configuration import set_value
from tests.alarm_factories import LimitProfileFactory
from tests.api_clients import client_of
from tests.factories import MembershipFactory, SensorFactory, StaffFactory, StorageUnitFactory
from tests.races import race

pytestmark = pytest.mark.django_db(transaction=True)
NEW = ("", "new unit", "")


class Fleet:
    """A customer that has chosen a profile, and a unit with limits of its own."""

    def __init__(self) -> None:
        self.unit: StorageUnit = StorageUnitFactory(set_temperature=5.0)
        self.customer = self.unit.facility.customer
        self.profile: LimitProfile = LimitProfileFactory()
        self.choice = UnitLimits.objects.create(storage_unit=self.unit, high_warning_c=20.0)
        CustomerLimits.objects.filter(customer=self.customer).update(profile=self.profile)

    # What many units share.

    def change_the_profile(self) -> None:
        profile = LimitProfile.objects.get(pk=self.profile.pk)
        profile.high_warning_c = 9.0
        profile.save()

    def change_the_deviation(self) -> None:
        set_value("max_temperature_deviation", {"warning": 3, "critical": 6})

    def choose_another_profile_for_the_customer(self) -> None:
        limits = CustomerLimits.objects.get(customer=self.customer)
        limits.profile = LimitProfile.objects.get(name="frozen food")
        limits.save()

    # What one unit chooses.

    def choose_the_profile(self) -> None:
        choice = UnitLimits.objects.get(pk=self.unit.pk)
        choice.profile = LimitProfile.objects.get(pk=self.profile.pk)
        choice.save()

    def choose_the_deviation(self) -> None:
        choice = UnitLimits.objects.get(pk=self.unit.pk)
        choice.high_warning_c, choice.is_around_set_temperature = None, True
        choice.save()

    def delete_the_choice(self) -> None:
        UnitLimits.objects.get(pk=self.unit.pk).delete()

    def register_a_unit(self) -> None:
        [resolved] = Register(self.customer, None).resolve([NEW], {}).values()
        update_versions([resolved.storage_unit_id])  # type: ignore[union-attr]  # it is registered

    def limits_not_in_force(self) -> int:
        """Return of how many units the newest version differs from what is stored."""
        return update_versions(
            StorageUnit.objects.filter(facility__customer=self.customer).values_list("pk", flat=True)
        )


SHARED = (
    Fleet.change_the_profile,
    Fleet.change_the_deviation,
    Fleet.choose_another_profile_for_the_customer,
)
OF_A_UNIT = (Fleet.choose_the_profile, Fleet.choose_the_deviation, Fleet.delete_the_choice, Fleet.register_a_unit)


def test_limits_that_change_at_the_same_time_are_all_in_force() -> None:
    wrong = []
    for shared in SHARED:
        for of_a_unit in OF_A_UNIT:
            for first, second in ((shared, of_a_unit), (of_a_unit, shared)):
                fleet = Fleet()
                race(lambda: first(fleet), lambda: second(fleet))  # noqa: B023  called at once
                if fleet.limits_not_in_force():
                    wrong.append((first.__name__, second.__name__))
    assert wrong == []


def test_a_profile_that_is_saved_while_the_api_chooses_it_is_in_force() -> None:
    fleet = Fleet()
    client = client_of(fleet.customer)
    url = f"/api/v1/units/{fleet.unit.public_id}/limits"
    chosen = race(
        fleet.change_the_profile, lambda: client.put(url, {"profile_id": fleet.profile.public_id}).status_code
    )
    [version] = latest_versions([fleet.unit.pk]).values()
    assert (chosen, version.high_warning_c) == (200, 9.0)


@pytest.mark.parametrize("model", ["unitlimits", "customerlimits", "limitprofile"])
def test_what_the_admin_shows_is_locked_before_it_is_compared(model: str) -> None:
    fleet, client = Fleet(), Client()
    client.force_login(StaffFactory())
    row = {"unitlimits": fleet.unit, "customerlimits": fleet.customer, "limitprofile": fleet.profile}[model]
    url = reverse(f"admin:alarms_{model}_change", args=[row.pk])
    form = client.get(url).context["adminform"].form
    opened = {field.html_name: field.value() for field in form if field.value() not in (None, False)}
    entered: dict[str, dict[str, Any]] = {
        "unitlimits": {"high_warning_c": 30.0},
        "customerlimits": {"profile": LimitProfile.objects.get(name="ultra-low freezer").pk},
        "limitprofile": {"high_warning_c": 9.5},
    }
    change: Callable[[], None] = {
        "unitlimits": lambda: _set_limit(fleet.choice, 25.0),
        "customerlimits": fleet.choose_another_profile_for_the_customer,
        "limitprofile": fleet.change_the_profile,
    }[model]

    response = race(change, lambda: client.post(url, opened | entered[model]))

    assert response.status_code == 200, "saved without showing what had changed"
    assert "Changed meanwhile by somebody else" in response.content.decode()
    assert LimitVersion.objects.filter(storage_unit=fleet.unit, high_warning_c=30.0).count() == 0


def _retire_on_the_page(sensor: Sensor) -> None:
    unit, client = sensor.storage_unit, Client()
    customer = unit.facility.customer
    client.force_login(MembershipFactory(customer=customer, role="manager").user)
    client.post(reverse("settings-sensor-retirement", args=[customer.public_id, unit.public_id, sensor.pk]))


def _retire_over_the_api(sensor: Sensor) -> None:
    url = f"/api/v1/units/{sensor.storage_unit.public_id}/sensors/retirement"
    client_of(sensor.storage_unit.facility.customer).put(url, {"sensor_id": sensor.sensor_code})


def _retire_in_the_admin(sensor: Sensor) -> None:
    client = Client()
    client.force_login(StaffFactory())
    client.post(reverse("admin:customers_sensor_changelist"), {"action": "retire_now", "_selected_action": sensor.pk})


def _choose_as_reference(sensor: Sensor) -> int:
    url = f"/api/v1/units/{sensor.storage_unit.public_id}/limits"
    chosen = {"sensor_policy": "named", "sensor_id": sensor.sensor_code}
    status: int = client_of(sensor.storage_unit.facility.customer).put(url, chosen).status_code
    return status


@pytest.mark.parametrize("retire", [_retire_on_the_page, _retire_over_the_api, _retire_in_the_admin])
@pytest.mark.parametrize("is_chosen_first", [True, False])
def test_the_reference_sensor_is_not_retired_as_it_is_chosen(
    retire: Callable[[Sensor], None], is_chosen_first: bool
) -> None:
    """With a retired reference sensor nothing would be outside the limits, and nobody would be alerted."""
    sensor = SensorFactory(sensor_code="S1")
    works: tuple[Callable[[], object], Callable[[], object]] = (
        lambda: _choose_as_reference(sensor),
        lambda: retire(sensor),
    )
    first, second = works if is_chosen_first else works[::-1]

    race(first, second)

    sensor.refresh_from_db()
    is_reference = UnitLimits.objects.filter(named_sensor=sensor).exists()
    assert (is_reference, sensor.retired_at is None) == (is_chosen_first, is_chosen_first)


def _set_limit(choice: UnitLimits, high_warning_c: float) -> None:
    choice.high_warning_c = high_warning_c
    choice.save()
