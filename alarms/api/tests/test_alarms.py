"""Alarms over the REST API: visibility, filters, representation and actions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from alarms.models import Alarm
from customers.models import StorageUnit
from tests.alarm_factories import AlarmFactory, ClosedAlarmFactory, NoDataAlarmFactory
from tests.api_clients import client_of, client_with
from tests.factories import StorageUnitFactory, make_token, store_reading

pytestmark = pytest.mark.django_db

URL = "/api/v1/alarms"
HISTORY = "/api/v1/analytics/alarms/history"


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory(name="Cold room", temperature_unit="F", set_temperature=41.0, facility__name="Oxford")


@pytest.fixture
def api(unit: StorageUnit) -> APIClient:
    return client_of(unit.facility.customer)


def ids_of(client: APIClient, url: str = URL, **query: Any) -> set[str]:
    return {item["id"] for item in client.get(url, query).json()["items"]}


def ids(*alarms: Alarm) -> set[str]:
    return {str(alarm.public_id) for alarm in alarms}


def source_down(unit: StorageUnit) -> Alarm:
    """Return an open alarm of a source of the unit's customer."""
    return NoDataAlarmFactory(
        storage_unit=None,
        customer=unit.facility.customer,
        kind="source_down",
        source_key="7e8d1a34-9a6e-4f6e-8a43-5c6f2f0d2a11",
        source_name="Oxford API",
    )


class TestList:
    def test_an_alarm_has_its_unit_and_is_in_the_units_own_scale(self, api: APIClient, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        store_reading(unit, 12.0, alarm.recorded_at)
        (item,) = api.get(URL).json()["items"]
        assert item["id"] == str(alarm.public_id)
        assert (item["unit_name"], item["facility_name"]) == ("Cold room", "Oxford")
        assert (item["temperature"], item["temperature_unit"]) == (53.6, "F")
        assert (item["kind"], item["severity"], item["state"]) == ("temperature", "critical", "open")
        assert item["equipment_status"] == "normal"
        assert item["ended_at"] is None
        assert alarm.excursion is not None
        assert item["excursion_id"] == str(alarm.excursion.public_id)

    def test_codes_replace_missing_names(self, api: APIClient, unit: StorageUnit) -> None:
        nameless = StorageUnitFactory(facility=unit.facility, name="", unit_code="F-7")
        AlarmFactory(storage_unit=nameless)
        assert api.get(URL).json()["items"][0]["unit_name"] == "F-7"

    def test_the_newest_condition_comes_first(self, api: APIClient, unit: StorageUnit) -> None:
        now = timezone.now()
        starts = [now - timedelta(hours=hours) for hours in (5, 1, 3)]
        for start in starts:
            AlarmFactory(storage_unit=unit, started_at=start)
        listed = [item["started_at"] for item in api.get(URL).json()["items"]]
        assert listed == sorted(listed, reverse=True)

    def test_pending_alarms_are_listed_only_on_request(self, api: APIClient, unit: StorageUnit) -> None:
        pending = AlarmFactory(storage_unit=unit, state="pending", opened_at=None)
        assert ids_of(api) == set()
        assert ids_of(api, state="pending") == ids(pending)

    def test_alarms_are_filtered_by_state_kind_severity_unit_and_period(
        self, api: APIClient, unit: StorageUnit
    ) -> None:
        other = StorageUnitFactory(facility=unit.facility)
        warm = AlarmFactory(storage_unit=unit)
        silent = NoDataAlarmFactory(storage_unit=other, started_at=timezone.now() - timedelta(days=3))
        closed = ClosedAlarmFactory(storage_unit=other, severity="warning")
        assert ids_of(api, state="open") == ids(warm, silent)
        assert ids_of(api, kind="no_data") == ids(silent)
        assert ids_of(api, severity="warning") == ids(silent, closed)
        assert ids_of(api, unit_id=unit.public_id) == ids(warm)
        assert ids_of(api, facility_id=unit.facility.public_id) == ids(warm, silent, closed)
        yesterday = (timezone.now() - timedelta(days=1)).isoformat()
        assert ids_of(api, start_date=yesterday) == ids(warm, closed)
        assert ids_of(api, end_date=yesterday) == ids(silent)

    @pytest.mark.parametrize(
        "query", [{"state": "red"}, {"kind": "x"}, {"severity": "5"}, {"start_date": "x"}, {"limit": 0}, {"unit_id": 7}]
    )
    def test_invalid_parameters_are_422(self, api: APIClient, query: dict[str, Any]) -> None:
        assert api.get(URL, query).status_code == 422

    def test_another_customers_facility_and_unit_are_not_found(self, api: APIClient) -> None:
        foreign = StorageUnitFactory()
        assert api.get(URL, {"unit_id": str(foreign.public_id)}).status_code == 404
        assert api.get(URL, {"facility_id": str(foreign.facility.public_id)}).status_code == 404

    def test_each_customer_sees_its_own(self, api: APIClient, unit: StorageUnit) -> None:
        AlarmFactory()
        own = AlarmFactory(storage_unit=unit)
        assert ids_of(api) == ids(own)

    def test_a_token_limited_to_units_sees_their_alarms_and_none_of_sources(self, unit: StorageUnit) -> None:
        other = StorageUnitFactory(facility=unit.facility)
        own = AlarmFactory(storage_unit=unit)
        AlarmFactory(storage_unit=other)
        source_down(unit)
        limited = client_of(unit.facility.customer, units=[unit])
        assert ids_of(limited) == ids(own)

    def test_a_source_that_is_down_has_no_unit(self, api: APIClient, unit: StorageUnit) -> None:
        source_down(unit)
        (item,) = api.get(URL).json()["items"]
        assert (item["source_name"], item["storage_unit_id"], item["unit_name"]) == ("Oxford API", None, None)
        assert (item["temperature"], item["temperature_unit"]) == (None, None)

    def test_pages_are_counted_and_linked(self, api: APIClient, unit: StorageUnit) -> None:
        for hours in range(3):
            AlarmFactory(storage_unit=unit, started_at=timezone.now() - timedelta(hours=hours))
        page = api.get(URL, {"limit": 2}).json()
        assert (page["total"], page["pages"], len(page["items"])) == (3, 2, 2)
        assert len(api.get(page["next"]).json()["items"]) == 1

    def test_the_number_of_queries_does_not_grow(
        self, api: APIClient, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for hours in range(5):
            AlarmFactory(storage_unit=unit, started_at=timezone.now() - timedelta(hours=hours))
        # The token, its use, the alarms.
        with django_assert_num_queries(3):
            api.get(URL)


class TestHistory:
    def test_the_history_has_every_field_of_the_contract(self, api: APIClient, unit: StorageUnit) -> None:
        alarm = ClosedAlarmFactory(storage_unit=unit)
        (item,) = api.get(HISTORY, {"unit_id": str(unit.public_id)}).json()["items"]
        assert item.keys() >= {
            "id", "storage_unit_id", "facility_id", "facility_name", "unit_name", "recorded_at", "temperature",
            "temperature_unit", "equipment_status", "severity", "started_at", "ended_at",
        }  # fmt: skip
        assert item["storage_unit_id"] == str(unit.public_id)
        assert item["ended_at"] is not None
        assert item["equipment_status"] is None, "the reading has been archived"
        assert alarm.state == "closed"

    def test_an_empty_history_is_an_empty_page(self, api: APIClient, unit: StorageUnit) -> None:
        assert api.get(HISTORY, {"unit_id": str(unit.public_id), "limit": "10"}).json() == {
            "items": [], "total": 0, "page": 1, "page_size": 10, "pages": 0, "next": None, "previous": None,
        }  # fmt: skip

    def test_the_history_excludes_pending_alarms(self, api: APIClient, unit: StorageUnit) -> None:
        AlarmFactory(storage_unit=unit, state="pending", opened_at=None)
        assert ids_of(api, HISTORY) == set()


class TestDetail:
    def test_an_alarm_has_its_events_and_the_alarms_it_inhibits(
        self, api: APIClient, unit: StorageUnit, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        down = source_down(unit)
        silent = NoDataAlarmFactory(storage_unit=unit, suppressed_by=down)
        # The token, its use, the alarm, its columns, its events, its signatures, the alarms it inhibits.
        with django_assert_num_queries(7):
            detailed = api.get(f"{URL}/{down.public_id}").json()
        assert [event["kind"] for event in detailed["events"]] == ["opened"]
        assert [each["id"] for each in detailed["suppressed_alarms"]] == [str(silent.public_id)]
        assert detailed["suppressed_alarms"][0]["suppressed_by_id"] == str(down.public_id)

    def test_another_customers_is_not_found(self, api: APIClient) -> None:
        assert api.get(f"{URL}/{AlarmFactory().public_id}").status_code == 404


class TestActions:
    def test_an_open_alarm_is_acknowledged_once(self, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        token, text = make_token(unit.facility.customer, permissions=["read", "manage"])
        url = f"{URL}/{alarm.public_id}/acknowledge"
        response = client_with(text).post(url, {"comment": " On my way. "})
        assert response.status_code == 200
        assert (response.json()["state"], response.json()["acknowledged_by"]) == (
            "acknowledged",
            f"token {token.pk}",
        )
        assert response.json()["acknowledgement"] == "On my way."
        again = client_with(text).post(url, {"comment": "Me too."})
        assert again.status_code == 409
        assert "has already acknowledged this alarm" in again.json()["detail"]
        assert Alarm.objects.get().acknowledgement == "On my way."

    @pytest.mark.parametrize(
        "body", [{}, {"comment": ""}, {"comment": "  "}, {"comment": None}, {"comment": "x" * 2001}]
    )
    def test_a_comment_is_required(self, api: APIClient, unit: StorageUnit, body: dict[str, object]) -> None:
        alarm = AlarmFactory(storage_unit=unit)
        rejected = api.post(f"{URL}/{alarm.public_id}/acknowledge", body)
        assert (rejected.status_code, list(rejected.json())) == (400, ["comment"])
        assert Alarm.objects.get().state == "open"

    def test_a_comment_is_added_to_an_alarm_in_any_state(self, api: APIClient, unit: StorageUnit) -> None:
        alarm = ClosedAlarmFactory(storage_unit=unit)
        detailed = api.post(f"{URL}/{alarm.public_id}/comment", {"comment": "It was the fan."}).json()
        assert [(event["kind"], event["text"]) for event in detailed["events"]][-1] == (
            "commented",
            "It was the fan.",
        )

    def test_an_alarm_is_closed_with_cause_and_action_once_its_condition_has_ended(
        self, api: APIClient, unit: StorageUnit
    ) -> None:
        note = {"cause": "The door.", "corrective_action": "A closer."}
        active = AlarmFactory(storage_unit=unit)
        rejected = api.post(f"{URL}/{active.public_id}/close", note)
        assert rejected.status_code == 409
        assert "still active" in rejected.json()["detail"]
        ended = AlarmFactory(storage_unit=unit, ended_at=timezone.now(), started_at=timezone.now() - timedelta(days=1))
        closed = api.post(f"{URL}/{ended.public_id}/close", note).json()
        assert (closed["state"], closed["cause"], closed["corrective_action"]) == ("closed", "The door.", "A closer.")
        assert [event["kind"] for event in closed["events"]] == ["opened", "closed", "reviewed"]

    def test_cause_and_action_are_required(self, api: APIClient, unit: StorageUnit) -> None:
        alarm = AlarmFactory(storage_unit=unit, ended_at=timezone.now())
        rejected = api.post(f"{URL}/{alarm.public_id}/close", {"cause": "The door."})
        assert (rejected.status_code, list(rejected.json())) == (400, ["corrective_action"])

    def test_a_token_limited_to_units_acts_only_on_their_alarms(self, unit: StorageUnit) -> None:
        own, other = (
            AlarmFactory(storage_unit=unit),
            AlarmFactory(storage_unit=StorageUnitFactory(facility=unit.facility)),
        )
        limited = client_of(unit.facility.customer, units=[unit])
        for alarm, status in ((own, 200), (other, 404)):
            response = limited.post(f"{URL}/{alarm.public_id}/acknowledge", {"comment": "On my way."})
            assert response.status_code == status
        other.refresh_from_db()
        assert other.state == "open"
