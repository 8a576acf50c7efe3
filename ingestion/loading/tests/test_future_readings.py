"""Readings dated ahead are stored once, but are no readings of their unit until their time has come."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.db import close_old_connections, connection
from django.utils import timezone
from rest_framework.test import APIClient

from alarms.models import Alarm, Excursion, SensorFault
from customers.models import StorageUnit
from ingestion.loading import conflicts
from ingestion.loading.due_readings import load_due_readings
from ingestion.loading.load import LoadRequest, load
from ingestion.models import Conflict, Delivery, IngestionType, Source, SourceUnit
from ingestion.parsing.tests.parsed_batches import NOON, batch_of, reading
from ingestion.watchdog import run_watchdogs
from readings.models import DailyRollup, FutureReading, HourlyRollup, LatestReading, Reading
from readings.statistics.statistics import statistics
from readings.storage.rollups import refresh
from tests.factories import FacilityFactory, SensorFactory, SourceFactory, StorageUnitFactory, make_token

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("noon")]

AHEAD = 20 * 60


@pytest.fixture
def unit() -> StorageUnit:
    """Create a refrigerator of 2 to 8 °C, critical above 10 °C, that is read every 5 minutes."""
    facility = FacilityFactory(facility_code="facility_1")
    unit: StorageUnit = StorageUnitFactory(
        facility=facility, unit_code="unit_1", set_temperature=5.0, interval_seconds=300
    )
    SensorFactory(storage_unit=unit, sensor_code="sensor_1")
    return unit


@pytest.fixture
def source(unit: StorageUnit) -> Source:
    source: Source = SourceFactory(customer=unit.facility.customer, interval_seconds=300)
    return source


def deliver(source: Source, *readings: dict[str, object]) -> Delivery:
    """Load these readings as a delivery that arrives now."""
    load_request = LoadRequest(customer=source.customer, source=source, ingestion_type=IngestionType.API)
    return load(load_request, [batch_of(*readings)]).delivery


def deliver_on_time(source: Source, clock: time_machine.Traveller, minutes: range, temperature_c: float) -> None:
    """Deliver a reading at each of these minutes after noon."""
    for minute in minutes:
        clock.move_to(NOON + timedelta(minutes=minute))
        deliver(source, reading(minute, temperature_c))


def latest() -> tuple[float, float | None]:
    """Return the minute and the temperature of the latest reading."""
    newest = LatestReading.objects.get()
    return (newest.recorded_at - NOON) / timedelta(minutes=1), newest.temperature_c


def stored() -> list[float | None]:
    return list(Reading.objects.order_by("recorded_at").values_list("temperature_c", flat=True))


def test_it_is_neither_the_latest_reading_nor_in_any_statistic(
    source: Source, unit: StorageUnit, noon: time_machine.Traveller
) -> None:
    deliver(source, reading(0, 4.0), reading(AHEAD, 5.0))
    refresh()
    noon.move_to(NOON + timedelta(minutes=1))
    assert latest() == (0, 4.0)
    assert stored() == [4.0]
    assert sum(HourlyRollup.objects.values_list("reading_count", flat=True)) == 1
    assert sum(DailyRollup.objects.values_list("reading_count", flat=True)) == 1
    assert statistics([unit.pk], NOON, NOON + timedelta(days=2)).max_c == 4.0


def test_a_unit_with_future_readings_only_has_no_latest_reading(source: Source) -> None:
    deliver(source, reading(AHEAD))
    assert not LatestReading.objects.exists()


def test_it_neither_ends_an_excursion_nor_hides_the_alarm_of_one(source: Source, noon: time_machine.Traveller) -> None:
    deliver(source, reading(0), reading(AHEAD, 5.0))
    deliver_on_time(source, noon, range(5, 65, 5), 15.0)
    excursion, alarm = Excursion.objects.get(), Alarm.objects.get()
    assert (excursion.ended_at, alarm.state, alarm.severity) == (None, "open", "critical")
    assert latest() == (60, 15.0)


def test_it_begins_no_excursion_and_no_fault(source: Source) -> None:
    deliver(source, reading(0), reading(AHEAD, 15.0), reading(AHEAD + 5, None))
    assert not Excursion.objects.exists()
    assert not SensorFault.objects.exists()


def test_it_does_not_count_as_presence(source: Source) -> None:
    deliver(source, reading(0), reading(AHEAD))
    Reading.objects.update(created_at=NOON)
    LatestReading.objects.update(created_at=NOON)
    Source.objects.update(last_success_at=NOON + timedelta(hours=1))
    run_watchdogs(NOON + timedelta(minutes=21))
    assert Alarm.objects.get().kind == "no_data"


def test_it_takes_effect_when_its_time_has_come(
    source: Source, unit: StorageUnit, noon: time_machine.Traveller
) -> None:
    deliver(source, reading(0), reading(30, 15.0), reading(AHEAD, 4.0))
    arrived_at = FutureReading.objects.order_by("recorded_at").values_list("created_at", flat=True)[0]
    noon.move_to(NOON + timedelta(minutes=28))
    assert load_due_readings() == 0
    noon.move_to(NOON + timedelta(minutes=30))
    assert load_due_readings() == 1
    refresh()
    noon.move_to(NOON + timedelta(minutes=31))
    assert latest() == (30, 15.0)
    assert Excursion.objects.get().started_at == NOON + timedelta(minutes=30)
    assert statistics([unit.pk], NOON, NOON + timedelta(hours=1)).max_c == 15.0
    assert LatestReading.objects.get().created_at == arrived_at
    assert FutureReading.objects.count() == 1


def test_an_ongoing_excursion_ends_when_the_time_has_come(source: Source, noon: time_machine.Traveller) -> None:
    deliver(source, reading(0), reading(30, 5.0))
    deliver_on_time(source, noon, range(5, 30, 5), 15.0)
    noon.move_to(NOON + timedelta(minutes=30))
    load_due_readings()
    assert Excursion.objects.get().ended_at == NOON + timedelta(minutes=30)


def test_nothing_happens_twice(source: Source, noon: time_machine.Traveller) -> None:
    deliver(source, reading(0), reading(30))
    noon.move_to(NOON + timedelta(minutes=31))
    assert [load_due_readings(), load_due_readings()] == [1, 0]
    assert len(stored()) == 2
    assert sum(HourlyRollup.objects.values_list("reading_count", flat=True)) == 2


def test_a_failure_does_not_keep_other_units_waiting(
    source: Source, noon: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(source, reading(30), reading(30, unit="unit_2"))
    noon.move_to(NOON + timedelta(minutes=31))
    first = StorageUnit.objects.get(unit_code="unit_1").pk
    with monkeypatch.context() as patched:
        patched.setattr("ingestion.loading.due_readings.evaluate", _failing_for(first))
        load_due_readings()
    assert [each.storage_unit_id for each in Reading.objects.all()] == [first + 1]
    load_due_readings()
    assert Reading.objects.count() == 2


def _failing_for(unit_id: int) -> Callable[..., None]:
    def evaluate(new_spans: dict[int, object], **_: object) -> None:
        if unit_id in new_spans:
            raise RuntimeError("evaluation failed")

    return evaluate


class TestRetries:
    def test_the_same_rows_again_are_duplicates_before_and_after_their_time(
        self, source: Source, noon: time_machine.Traveller
    ) -> None:
        rows = [reading(0), reading(30, 4.0), reading(AHEAD)]
        assert deliver(source, *rows).records_stored == 3
        for minute in (1, 30, 31):
            noon.move_to(NOON + timedelta(minutes=minute))
            again = deliver(source, *rows)
            assert (again.records_stored, again.records_duplicate) == (0, 3)
        load_due_readings()
        assert deliver(source, *rows).records_duplicate == 3
        assert (stored(), FutureReading.objects.count()) == ([5.0, 4.0], 1)

    def test_a_row_twice_in_one_delivery_is_stored_once(self, source: Source) -> None:
        delivery = deliver(source, reading(30), reading(30), reading(30, 9.0))
        assert (delivery.records_stored, delivery.records_duplicate, delivery.records_conflicting) == (1, 1, 1)
        assert FutureReading.objects.get().temperature_c == 5.0

    def test_a_contradiction_is_a_conflict_that_can_be_accepted(
        self, source: Source, noon: time_machine.Traveller
    ) -> None:
        deliver(source, reading(30, 5.0))
        assert deliver(source, reading(30, 9.0)).records_conflicting == 1
        assert Conflict.objects.get().stored_temperature_c == 5.0
        assert conflicts.accept(Conflict.objects.all(), by="Anna") == 1
        assert FutureReading.objects.get().temperature_c == 9.0
        noon.move_to(NOON + timedelta(minutes=30))
        load_due_readings()
        assert latest() == (30, 9.0)


@pytest.mark.parametrize(("seconds", "is_future"), [(5, False), (60, False), (61, True)])
def test_clocks_that_differ_by_seconds_do_not_matter(source: Source, seconds: float, is_future: bool) -> None:
    deliver(source, reading(seconds / 60))
    assert FutureReading.objects.exists() == is_future
    assert LatestReading.objects.exists() != is_future


def test_its_source_delivers_the_unit(source: Source, unit: StorageUnit) -> None:
    deliver(source, reading(AHEAD))
    assert SourceUnit.objects.get().storage_unit == unit


def test_it_can_be_pushed_singly_and_is_returned(unit: StorageUnit) -> None:
    client = APIClient()
    token = make_token(customer=unit.facility.customer)[1]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    tomorrow = timezone.now() + timedelta(hours=20)
    sent = {"storage_unit_id": str(unit.public_id), "temperature": 5, "recorded_at": tomorrow.isoformat()}
    first, again = (client.post("/api/v1/temperature", sent, format="json") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["temperature"] == 5.0
    assert client.get("/api/v1/temperature/latest").json() == []
    assert client.get(f"/api/v1/units/{unit.public_id}").json()["temperature_status"] == "no_data"


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_store_each_reading_once(source: Source, noon: time_machine.Traveller) -> None:
    deliver(source, *[reading(minute) for minute in range(10, 40)])
    noon.move_to(NOON + timedelta(minutes=45))

    def run(_: int) -> None:
        try:
            load_due_readings()
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    assert Reading.objects.count() == 30
    assert sum(HourlyRollup.objects.values_list("reading_count", flat=True)) == 30
