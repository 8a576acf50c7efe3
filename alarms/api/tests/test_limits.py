"""Limits over the REST API: the choice of a unit, the limits in force, and the author of changes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from alarms.evaluation.tests.test_evaluate import make_unit
from alarms.excursions.what_if import preview_backdated
from alarms.limits.versions import limits_of
from alarms.models import LimitProfile, LimitVersion, UnitLimits
from alarms.tests.evaluation import load
from customers.models import StorageUnit
from readings.storage.reading_batch import ReadingRow
from tests.api_clients import client_of
from tests.factories import MembershipFactory, SensorFactory, StaffFactory, StorageUnitFactory

pytestmark = pytest.mark.django_db

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory()


@pytest.fixture
def api(unit: StorageUnit) -> APIClient:
    return client_of(unit.facility.customer)


@pytest.fixture
def medicine() -> LimitProfile:
    return LimitProfile.objects.get(name="refrigerated medicine")


def url(unit: StorageUnit) -> str:
    return f"/api/v1/units/{unit.public_id}/limits"


def in_force(unit: StorageUnit) -> tuple[float | None, ...]:
    unit.refresh_from_db()
    return unit.low_critical_c, unit.low_warning_c, unit.high_warning_c, unit.high_critical_c


def test_the_shipped_profiles_are_listed(api: APIClient) -> None:
    page = api.get("/api/v1/limit-profiles").json()
    assert page["total"] == 9
    medicine = next(item for item in page["items"] if item["name"] == "refrigerated medicine")
    assert (medicine["low_warning_c"], medicine["high_warning_c"], medicine["mkt_limit_c"]) == (2.0, 8.0, 8.0)


def test_a_unit_without_a_choice_has_the_default_profile(api: APIClient, unit: StorageUnit) -> None:
    default = LimitProfile.objects.get(is_default=True)
    data = api.get(url(unit)).json()
    assert data["profile_id"] == str(default.public_id)
    assert data["is_around_set_temperature"] is True
    assert data["in_force"]["high_critical_c"] == 10.0
    assert not UnitLimits.objects.exists()


def test_the_limits_of_a_unit_without_any_choice_are_provisional(medicine: LimitProfile) -> None:
    unit = StorageUnitFactory(facility__customer__has_limits=False)
    api = client_of(unit.facility.customer)
    assert api.get(url(unit)).json()["in_force"]["is_provisional"] is True
    chosen = api.put(url(unit), {"profile_id": str(medicine.public_id)}).json()["in_force"]
    assert (chosen["is_provisional"], chosen["valid_from"]) == (False, "1970-01-01T00:00:00Z")


def test_a_profile_is_in_force_from_its_assignment_and_earlier_limits_stay(
    api: APIClient, unit: StorageUnit, medicine: LimitProfile
) -> None:
    data = api.put(url(unit), {"profile_id": str(medicine.public_id)}).json()
    assert data["profile_id"] == str(medicine.public_id)
    assert data["in_force"]["profile_name"] == "refrigerated medicine"
    assert in_force(unit) == (2.0, 2.0, 8.0, 15.0)
    first, second = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    assert (first.high_critical_c, second.high_critical_c) == (10.0, 15.0)


def test_custom_limits_start_with_those_of_the_profile(
    api: APIClient, unit: StorageUnit, medicine: LimitProfile
) -> None:
    api.put(url(unit), {"profile_id": str(medicine.public_id)})
    data = api.put(url(unit), {"profile_id": None, "high_critical_c": 12.0}).json()
    assert data["profile_id"] is None
    assert (data["low_warning_c"], data["high_critical_c"], data["mkt_limit_c"]) == (2.0, 12.0, 8.0)
    assert in_force(unit) == (2.0, 2.0, 8.0, 12.0)
    assert data["in_force"]["profile_name"] == "own limits"


def test_custom_limits_have_a_critical_delay(api: APIClient, unit: StorageUnit) -> None:
    own = {"profile_id": None, "is_around_set_temperature": False, "high_warning_c": 8.0, "high_critical_c": 10.0}
    data = api.put(url(unit), own | {"high_critical_delay_seconds": 120}).json()
    assert (data["high_critical_delay_seconds"], data["low_critical_delay_seconds"]) == (120, 300)
    assert (data["in_force"]["high_critical_delay_seconds"], data["in_force"]["high_delay_seconds"]) == (120, 1_800)


def test_values_besides_a_profile_are_rejected(api: APIClient, unit: StorageUnit, medicine: LimitProfile) -> None:
    api.put(url(unit), {"profile_id": str(medicine.public_id)})
    rejected = api.put(url(unit), {"high_critical_c": 12.0})
    assert (rejected.status_code, list(rejected.json())) == (400, ["high_critical_c"])
    assert in_force(unit) == (2.0, 2.0, 8.0, 15.0)


@pytest.mark.parametrize(
    "body",
    [
        {"profile_id": None, "low_warning_c": 9.0, "high_warning_c": 8.0},
        {"profile_id": None, "is_around_set_temperature": True, "warning_deviation_k": 2.0},
        {"profile_id": None, "allowed_seconds": 100, "allowed_window_seconds": 50},
        {"profile_id": None, "high_delay_seconds": -1},
        {"profile_id": None, "high_critical_c": "NaN"},
        {"profile_id": None, "high_critical_c": 1001.0},
        {"profile_id": "3f0e8c0a-51f4-4a52-9c2b-9f2f5d1c7a10"},
        {"profile_id": 7},
        {"profile_id": [1]},
        {"sensor_policy": "loudest"},
        {"sensor_policy": "named"},
        {"sensor_policy": "named", "sensor_id": "nowhere"},
    ],
)
def test_invalid_limits_are_rejected_and_change_nothing(
    api: APIClient, unit: StorageUnit, body: dict[str, object]
) -> None:
    before = in_force(unit)
    assert api.put(url(unit), body).status_code == 400
    assert in_force(unit) == before
    assert LimitVersion.objects.filter(storage_unit=unit).count() == 1


@pytest.mark.parametrize(
    ("window", "limit", "value"),
    [
        ("mkt_window_seconds", "mkt_limit_c", 8.0),
        ("allowed_window_seconds", "allowed_seconds", 60),
        ("low_allowed_window_seconds", "low_allowed_seconds", 60),
    ],
)
def test_a_window_applies_together_with_its_limit(
    api: APIClient, unit: StorageUnit, window: str, limit: str, value: float
) -> None:
    own = {"profile_id": None, "is_around_set_temperature": False}
    refused = api.put(url(unit), own | {window: 3600})
    assert (refused.status_code, list(refused.json())) == (400, [window])
    assert limit in refused.json()[window][0]

    accepted = api.put(url(unit), own | {window: 3600, limit: value})
    assert accepted.status_code == 200, accepted.content
    assert api.put(url(unit), {limit: None}).status_code == 200
    assert api.put(url(unit), {window: 3600}).status_code == 200  # as it is stored


def test_a_reference_sensor_can_be_set(api: APIClient, unit: StorageUnit) -> None:
    SensorFactory(storage_unit=unit, sensor_code="S1")
    data = api.put(url(unit), {"sensor_policy": "named", "sensor_id": "S1"}).json()
    assert (data["sensor_policy"], data["sensor_id"]) == ("named", "S1")
    assert data["in_force"]["sensor_policy"] == "named"
    # The limits themselves stay those of the default profile.
    assert in_force(unit) == (0.0, 3.0, 7.0, 10.0)


def test_a_retired_sensor_cannot_be_the_reference_sensor(api: APIClient, unit: StorageUnit) -> None:
    SensorFactory(storage_unit=unit, sensor_code="S1", retired_at=timezone.now() - HOUR)
    response = api.put(url(unit), {"sensor_policy": "named", "sensor_id": "S1"})
    assert (response.status_code, list(response.json())) == (400, ["sensor_id"])
    assert "This sensor is retired." in response.json()["sensor_id"][0]


def test_limits_that_contradict_each_other_are_refused_as_a_whole(api: APIClient, unit: StorageUnit) -> None:
    body = {"profile_id": None, "is_around_set_temperature": False, "low_warning_c": 9.0, "high_warning_c": 8.0}
    expected = {"detail": "Limits must increase from low critical to high critical."}
    assert api.put(url(unit), body).json() == expected
    assert api.post(f"{url(unit)}/preview", body).json() == expected


def test_versions_record_who_changed_the_limits(unit: StorageUnit, medicine: LimitProfile) -> None:
    manager = MembershipFactory(customer=unit.facility.customer, role="manager", user__username="ann").user
    client = APIClient()
    client.force_login(manager)
    assert client.put(url(unit), {"profile_id": str(medicine.public_id)}).status_code == 200
    assert LimitVersion.objects.filter(storage_unit=unit).latest("valid_from").changed_by == "ann"
    # Also if a view that does not handle limits changed something that they depend on.
    UnitLimits.objects.get().delete()
    assert client.put(f"/api/v1/units/{unit.public_id}", {"set_temperature": 4.0}).status_code == 200
    newest = LimitVersion.objects.filter(storage_unit=unit).latest("valid_from")
    assert (newest.changed_by, newest.high_warning_c) == ("ann", 6.0)


def test_changes_by_tokens_and_by_the_system_are_recorded(
    api: APIClient, unit: StorageUnit, medicine: LimitProfile
) -> None:
    api.put(url(unit), {"profile_id": str(medicine.public_id)})
    first, second = LimitVersion.objects.filter(storage_unit=unit).order_by("valid_from")
    assert first.changed_by == ""
    assert second.changed_by.startswith("token ")


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_managers_change_limits(unit: StorageUnit, medicine: LimitProfile, role: str) -> None:
    client = APIClient()
    client.force_login(MembershipFactory(customer=unit.facility.customer, role=role).user)
    assert client.put(url(unit), {"profile_id": str(medicine.public_id)}).status_code == 403
    assert not UnitLimits.objects.exists()


def test_a_token_limited_to_units_reads_limits_and_changes_none(unit: StorageUnit, medicine: LimitProfile) -> None:
    other = StorageUnitFactory(facility=unit.facility)
    limited = client_of(unit.facility.customer, units=[unit])
    assert limited.get(url(unit)).status_code == 200
    assert limited.get(url(other)).status_code == 404
    assert limited.put(url(unit), {"profile_id": str(medicine.public_id)}).status_code == 403
    assert not UnitLimits.objects.exists()


def test_staff_change_limits_of_any_customer(unit: StorageUnit, medicine: LimitProfile) -> None:
    client = APIClient()
    client.force_login(StaffFactory())
    assert client.put(url(unit), {"profile_id": str(medicine.public_id)}).status_code == 200


def test_limits_in_celsius_are_rejected_if_deviations_apply(api: APIClient, unit: StorageUnit) -> None:
    response = api.put(url(unit), {"profile_id": None, "high_warning_c": 9.0})
    assert response.status_code == 400
    assert "is_around_set_temperature" in response.json()
    own = {"profile_id": None, "is_around_set_temperature": False, "high_warning_c": 9.0}
    assert api.put(url(unit), own).status_code == 200
    assert in_force(unit) == (None, None, 9.0, None)


def test_backdated_limits_can_be_previewed(medicine: LimitProfile) -> None:
    unit = make_unit()
    unit.temperature_unit = "F"
    unit.save()
    api = client_of(unit.facility.customer)
    now = timezone.now().replace(microsecond=0)
    begin = now - 2 * HOUR
    temperatures_c = [5, 9, 9, 5, 5, 7, 7, 5]
    rows = [(begin + number * 5 * MINUTE, each) for number, each in enumerate(temperatures_c)]
    sensor = unit.sensors.order_by("pk")[0]
    load([ReadingRow(unit.pk, sensor.pk, at, temperature_c) for at, temperature_c in rows], now)
    change = {"profile_id": None, "high_warning_c": 6.0, "applies_from": begin.isoformat(), "reason": "Too warm."}

    data = api.post(f"{url(unit)}/preview", change).json()

    choice = UnitLimits.objects.get(storage_unit=unit)
    choice.high_warning_c = 6.0
    expected = preview_backdated(unit, limits_of(choice), begin, now)
    (added,), (kept,) = expected.added, expected.kept_after
    assert data["temperature_unit"] == "F"
    assert [(instant(each["started_at"]), each["peak_temperature"]) for each in data["added"]] == [
        (added.started_at, 44.6)
    ]
    assert [(instant(each["started_at"]), instant(each["ended_at"])) for each in data["kept_after"]] == [
        (kept.started_at, kept.ended_at)
    ]
    assert data["removed"] == []
    # Nothing is saved.
    choice.refresh_from_db()
    assert choice.high_warning_c == 8.0


def test_a_preview_refuses_what_saving_would_refuse(api: APIClient, unit: StorageUnit) -> None:
    backdated = {"profile_id": None, "applies_from": "2026-01-01T00:00:00Z"}
    assert api.post(f"{url(unit)}/preview", backdated).status_code == 400
    assert api.post(f"{url(unit)}/preview", {"profile_id": None, "high_warning_c": -300.0}).status_code == 400
    assert client_of(StorageUnitFactory().facility.customer).post(f"{url(unit)}/preview", {}).status_code == 404


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
