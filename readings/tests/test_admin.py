"""The admin of readings: read-only, and fast with many readings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from readings.models import FutureReading, ListedFutureReading, ListedReading
from tests.admin_pages import assert_queries_stay, listed_rows
from tests.factories import StaffFactory, StorageUnitFactory, sensor_of, store_reading, store_readings
from tests.responses import PageResponse

pytestmark = pytest.mark.django_db

READINGS = "admin:readings_listedreading_changelist"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(StaffFactory())
    return client


def messages_on(response: PageResponse) -> list[str]:
    return [str(message) for message in response.context["messages"]]


class TestUnits:
    def test_the_list_shows_the_newest_temperature_its_age_and_the_state(self, staff: Client) -> None:
        unit = StorageUnitFactory(set_temperature=5.0)
        store_reading(unit, 11.25, timezone.now() - timedelta(minutes=3))
        page = staff.get(reverse("admin:customers_storageunit_changelist")).content.decode()
        assert "11.25\N{NO-BREAK SPACE}°C" in page
        assert "3 min" in page
        assert 'class="badge badge-bad" title="+6.25\N{NO-BREAK SPACE}K">critical<' in page

    def test_a_unit_without_readings_has_a_page(self, staff: Client) -> None:
        unit = StorageUnitFactory()
        sensor_of(unit)
        assert staff.get(reverse("admin:customers_storageunit_change", args=[unit.pk])).status_code == 200


class TestReadings:
    def test_without_a_unit_none_are_listed_and_the_page_says_how_to_choose(self, staff: Client) -> None:
        store_reading(StorageUnitFactory())
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = staff.get(reverse(READINGS))
        assert listed_rows(response) == []
        assert "search for its code" in messages_on(response)[0]
        assert not [query for query in queries if "reading_list" in query["sql"]]

    def test_a_units_readings_come_newest_first(self, staff: Client) -> None:
        unit = StorageUnitFactory()
        store_readings(unit, [1.0, None, 3.0], start=timezone.now() - timedelta(hours=1))
        store_reading(StorageUnitFactory(), 9.0)
        response = staff.get(reverse(READINGS), {"storage_unit__id__exact": unit.pk})
        assert [row.temperature_c for row in listed_rows(response)] == [3.0, None, 1.0]
        assert "sensor fault" in response.content.decode()

    def test_a_search_for_one_units_code_lists_its_readings(self, staff: Client) -> None:
        unit = StorageUnitFactory(unit_code="unit_A_1_1")
        store_reading(unit, 4.0)
        response = staff.get(reverse(READINGS), {"q": " UNIT_a_1_1 "})
        assert [row.storage_unit for row in listed_rows(response)] == [unit]

    def test_an_ambiguous_code_offers_the_units(self, staff: Client) -> None:
        units = StorageUnitFactory.create_batch(2, unit_code="cold1")
        response = staff.get(reverse(READINGS), {"q": "cold1"})
        assert listed_rows(response) == []
        for unit, message in zip(units, messages_on(response), strict=True):
            assert f"storage_unit__id__exact={unit.pk}" in message

    def test_an_unknown_unit_is_reported(self, staff: Client) -> None:
        response = staff.get(reverse(READINGS), {"q": "<nothing>"})
        assert messages_on(response)[0].startswith("No storage unit is named “<nothing>”.")
        assert "<nothing>" not in response.content.decode()

    def test_the_list_can_be_filtered_by_time(self, staff: Client) -> None:
        unit = StorageUnitFactory()
        store_readings(unit, [1.0, 2.0], start=timezone.now() - timedelta(hours=25), every=timedelta(hours=24))
        response = staff.get(reverse(READINGS), {"storage_unit__id__exact": str(unit.pk), "recorded": "day"})
        assert [row.temperature_c for row in listed_rows(response)] == [2.0]

    def test_counting_stops_and_rows_are_read_by_the_key(self, staff: Client) -> None:
        unit = StorageUnitFactory()
        store_readings(unit, [4.0] * 60, start=timezone.now() - timedelta(days=30), every=timedelta(hours=12))
        with CaptureQueriesContext(connection) as queries:
            staff.get(reverse(READINGS), {"storage_unit__id__exact": unit.pk})
        of_readings = [query["sql"] for query in queries if 'FROM "reading_list"' in query["sql"]]
        assert of_readings
        assert all("LIMIT" in sql for sql in of_readings)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            for sql in of_readings:
                cursor.execute("EXPLAIN " + sql)
                plan = "\n".join(line for (line,) in cursor.fetchall())
                assert "_pkey" in plan
                assert "Seq Scan on reading" not in plan

    def test_future_readings_are_listed_until_their_time_has_come(self, staff: Client) -> None:
        unit, now = StorageUnitFactory(unit_code="unit_A_1_1"), timezone.now()
        later = [now + timedelta(hours=hours) for hours in (3, 2)]
        for recorded_at in later:
            store_reading(unit, 4.25, recorded_at, received_at=now)
        store_reading(StorageUnitFactory(), 9.0, now + timedelta(hours=1), received_at=now)
        future_readings = reverse("admin:readings_listedfuturereading_changelist")
        response = staff.get(future_readings, {"q": "unit_A_1_1"})
        assert [row.recorded_at for row in listed_rows(response)] == sorted(later)
        assert "4.25\N{NO-BREAK SPACE}°C" in response.content.decode()
        assert not ListedReading.objects.filter(storage_unit=unit).exists()
        row = ListedFutureReading.objects.first()
        assert row is not None
        change = reverse("admin:readings_listedfuturereading_change", args=[quote(row.pk)])
        assert staff.get(change).status_code == 302
        staff.post(future_readings, {"action": "delete_selected", "_selected_action": [row.pk]})
        assert FutureReading.objects.count() == 3

    def test_readings_can_neither_be_opened_added_changed_nor_deleted(self, staff: Client) -> None:
        store_reading(StorageUnitFactory())
        row = ListedReading.objects.get()
        for page in ("change", "delete", "history"):
            response = staff.post(reverse(f"admin:readings_listedreading_{page}", args=[row.pk]), {"post": "yes"})
            assert response.status_code in {302, 403}
        assert staff.get(reverse("admin:readings_listedreading_add")).status_code == 403
        assert ListedReading.objects.count() == 1


@pytest.mark.parametrize("model", ["customers_storageunit", "readings_latestreading"])
def test_the_number_of_queries_does_not_depend_on_the_number_of_units(staff: Client, model: str) -> None:
    assert_queries_stay(staff, reverse(f"admin:{model}_changelist"), lambda: store_reading(StorageUnitFactory()))
