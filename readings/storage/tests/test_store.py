"""Storing readings: once, in any order, without losing contradictions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from customers.models import Sensor
from readings.models import DailyRollup, HourlyRollup, LatestReading, Reading
from readings.storage import store as store_module
from readings.storage.partitions import existing_partitions, month_start
from readings.storage.reading_batch import ReadingBatch, ReadingRow
from readings.storage.store import NewSpan, StoreResult, UnknownUnits, store
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def sensor() -> Sensor:
    return SensorFactory(storage_unit__facility__time_zone="Europe/London")


def row(sensor: Sensor, minutes: int = 0, temperature_c: float | None = 5.0, **kwargs: Any) -> ReadingRow:
    return ReadingRow(sensor.storage_unit_id, sensor.pk, NOON + timedelta(minutes=minutes), temperature_c, **kwargs)


def stored(*rows: ReadingRow) -> StoreResult:
    return store(ReadingBatch.of_rows(rows))


def test_a_reading_is_stored_completely(sensor: Sensor) -> None:
    stored(row(sensor, temperature_c=-18.06, scale="F", quality_score=0.97, equipment_status_id=2))

    reading = Reading.objects.get()
    assert reading.storage_unit_id == sensor.storage_unit_id
    assert reading.sensor_id == sensor.pk
    assert reading.recorded_at == NOON
    assert reading.temperature_c == -18.06
    assert reading.scale == "F"
    assert reading.quality_score == 0.97
    assert reading.equipment_status_id == 2


def test_an_instant_keeps_its_microseconds(sensor: Sensor) -> None:
    instant = datetime(2026, 11, 23, 10, 11, 11, 123457, tzinfo=UTC)
    stored(ReadingRow(sensor.storage_unit_id, sensor.pk, instant, 1.0))
    assert Reading.objects.get().recorded_at == instant


def test_a_missing_measurement_is_null_and_a_fault_and_never_zero(sensor: Sensor) -> None:
    stored(row(sensor, temperature_c=None))

    assert Reading.objects.get().temperature_c is None
    hour = HourlyRollup.objects.get(hour=NOON)
    assert (hour.reading_count, hour.fault_count, hour.min_c, hour.sum_ninth_micro_c) == (1, 1, None, 0)
    assert LatestReading.objects.get().temperature_c is None


def test_the_result_counts_what_was_stored_and_spans_it(sensor: Sensor) -> None:
    result = stored(row(sensor, 5), row(sensor, 0), row(sensor, 9))
    assert result == StoreResult(
        stored=3, new_spans={sensor.storage_unit_id: NewSpan(NOON, NOON + timedelta(minutes=9))}
    )


def test_the_same_readings_again_are_duplicates_and_change_nothing(sensor: Sensor) -> None:
    batch = [row(sensor, minutes, minutes / 10) for minutes in range(90)]
    stored(*batch)
    before = [list(model.objects.values().order_by("pk")) for model in (HourlyRollup, DailyRollup, LatestReading)]

    assert stored(*batch) == StoreResult(duplicates=90)

    after = [list(model.objects.values().order_by("pk")) for model in (HourlyRollup, DailyRollup, LatestReading)]
    assert after == before
    assert Reading.objects.count() == 90


def test_new_readings_among_duplicates_are_stored(sensor: Sensor) -> None:
    stored(row(sensor, 0), row(sensor, 2))
    result = stored(row(sensor, 0), row(sensor, 1), row(sensor, 2), row(sensor, 3))
    assert (result.stored, result.duplicates) == (2, 2)
    assert result.new_spans[sensor.storage_unit_id] == NewSpan(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))


def test_a_reading_twice_in_a_batch_is_stored_once(sensor: Sensor) -> None:
    assert stored(row(sensor), row(sensor)) == StoreResult(
        stored=1, duplicates=1, new_spans={sensor.storage_unit_id: NewSpan(NOON, NOON)}
    )
    assert HourlyRollup.objects.get(hour=NOON).reading_count == 1


@pytest.mark.parametrize(("first", "second"), [(5.0, 6.0), (5.0, None), (None, 5.0), (5.0, 5.001)])
def test_another_temperature_for_a_stored_reading_is_a_contradiction(
    sensor: Sensor, first: float | None, second: float | None
) -> None:
    stored(row(sensor, temperature_c=first))
    result = stored(row(sensor, 1), row(sensor, temperature_c=second))
    assert (result.stored, result.duplicates, result.contradictions) == (1, 0, [1])
    assert Reading.objects.get(recorded_at=NOON).temperature_c == first


def test_of_contradicting_rows_in_one_batch_the_first_counts(sensor: Sensor) -> None:
    result = stored(row(sensor, temperature_c=7.0), row(sensor, temperature_c=8.0), row(sensor, temperature_c=7.0))
    assert (result.stored, result.duplicates, result.contradictions) == (1, 1, [1])
    assert Reading.objects.get().temperature_c == 7.0


def test_the_same_measurement_in_another_scale_is_a_duplicate(sensor: Sensor) -> None:
    stored(row(sensor, temperature_c=0.0, scale="C"))
    assert stored(row(sensor, temperature_c=(32.0000000001 - 32) * 5 / 9, scale="F")).duplicates == 1


def test_two_sensors_of_a_unit_at_one_instant_are_two_readings(sensor: Sensor) -> None:
    second = SensorFactory(storage_unit=sensor.storage_unit)
    assert stored(row(sensor, temperature_c=1.0), row(second, temperature_c=2.0)).stored == 2


def test_two_batches_in_one_transaction_are_both_stored(sensor: Sensor) -> None:
    with transaction.atomic():
        stored(row(sensor, 0))
        assert stored(row(sensor, 1)).stored == 1
    assert Reading.objects.count() == 2


def test_the_latest_reading_is_the_newest_in_any_order_of_arrival(sensor: Sensor) -> None:
    stored(row(sensor, 10, 6.0))
    stored(row(sensor, 0, 5.0))
    latest = LatestReading.objects.get()
    assert (latest.recorded_at, latest.temperature_c) == (NOON + timedelta(minutes=10), 6.0)


def test_of_two_sensors_at_the_newest_instant_the_first_registered_is_the_latest(sensor: Sensor) -> None:
    second = SensorFactory(storage_unit=sensor.storage_unit)
    stored(row(second, temperature_c=2.0))
    stored(row(sensor, temperature_c=1.0))
    stored(row(second, temperature_c=2.0))
    assert LatestReading.objects.get().sensor_id == sensor.pk


def test_hourly_roll_ups_contain_exactly_the_stored_rows(sensor: Sensor) -> None:
    stored(
        row(sensor, 0, 4.0, equipment_status_id=1),
        row(sensor, 20, 6.5, equipment_status_id=2, quality_score=0.79),
        row(sensor, 40, -1.25, equipment_status_id=3, quality_score=0.8),
        row(sensor, 50, None),
    )
    hour = HourlyRollup.objects.get(hour=NOON)
    assert (hour.reading_count, hour.fault_count, hour.good_count) == (4, 1, 3)
    assert (hour.normal_count, hour.warning_count, hour.error_count) == (2, 1, 1)
    assert (hour.min_c, hour.max_c, hour.sum_ninth_micro_c) == (-1.25, 6.5, 9 * 9_250_000)


def test_a_reading_belongs_to_the_day_of_its_facility(sensor: Sensor) -> None:
    kolkata = SensorFactory(storage_unit__facility__time_zone="Asia/Kolkata")
    late_evening_utc = datetime(2026, 6, 1, 18, 29, 59, tzinfo=UTC)
    for each in (sensor, kolkata):
        for instant in (late_evening_utc, late_evening_utc + timedelta(seconds=1)):
            stored(ReadingRow(each.storage_unit_id, each.pk, instant, 1.0))

    def days(each: Sensor) -> list[tuple[str, int]]:
        days = DailyRollup.objects.filter(sensor=each, reading_count__gt=0).order_by("local_date")
        return [(f"{day.local_date}", day.reading_count) for day in days]

    assert days(sensor) == [("2026-06-01", 2)]
    assert days(kolkata) == [("2026-06-01", 1), ("2026-06-02", 1)]


def test_months_without_a_partition_get_one_on_demand(sensor: Sensor) -> None:
    old = datetime(2003, 2, 28, 23, 59, tzinfo=UTC)
    assert "reading_2003_02" not in existing_partitions()
    stored(ReadingRow(sensor.storage_unit_id, sensor.pk, old, 1.0), row(sensor))
    assert {"reading_2003_02", "reading_2026_06"} <= existing_partitions()
    assert Reading.objects.filter(recorded_at=old).exists()


def test_an_unknown_unit_is_rejected_and_nothing_is_stored(sensor: Sensor) -> None:
    with pytest.raises(UnknownUnits, match="2147483647"), transaction.atomic():
        stored(row(sensor), ReadingRow(2_147_483_647, sensor.pk, NOON, 1.0))
    assert not Reading.objects.exists()


@pytest.mark.parametrize(
    ("temperature_c", "quality", "scale", "constraint"),
    [
        (-273.16, 1.0, "C", "reading_temperature_possible"),
        (1000.5, 1.0, "C", "reading_temperature_possible"),
        (5.0, 1.5, "C", "reading_quality_between_0_and_1"),
        (5.0, 1.0, "Z", "reading_scale_known"),
    ],
)
def test_the_table_rejects_invalid_values(
    sensor: Sensor, temperature_c: float, quality: float, scale: str, constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        stored(row(sensor, temperature_c=temperature_c, quality_score=quality, scale=scale))
    assert not Reading.objects.exists()


def test_the_number_of_queries_does_not_depend_on_the_number_of_units(
    sensor: Sensor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    facility = FacilityFactory()
    sensors = [SensorFactory(storage_unit=StorageUnitFactory(facility=facility)) for _ in range(30)]
    stored(row(sensor, -1))
    for batch in ([row(sensor)], [row(each) for each in sensors]):
        with django_assert_num_queries(3):
            stored(*batch)


def test_the_number_of_queries_for_many_rows_does_not_depend_on_the_number_of_units(
    sensor: Sensor, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(store_module, "FEW_ROWS", 0)
    sensors = [SensorFactory(storage_unit__facility=sensor.storage_unit.facility) for _ in range(30)]
    stored(row(sensor, -1))
    for batch in ([row(sensor)], [row(each) for each in sensors]):
        with django_assert_num_queries(6):
            stored(*batch)


def test_the_partition_of_this_month_is_looked_up_with_the_locks(
    sensor: Sensor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first, second = (month_start(timezone.now()) + timedelta(minutes=minute) for minute in range(2))
    stored(ReadingRow(sensor.storage_unit_id, sensor.pk, first, 5.0))
    with django_assert_num_queries(2):
        stored(ReadingRow(sensor.storage_unit_id, sensor.pk, second, 5.0))


def test_the_months_of_a_batch_are_looked_up_without_other_partitions(sensor: Sensor) -> None:
    stored(row(sensor), ReadingRow(sensor.storage_unit_id, sensor.pk, datetime(2003, 2, 1, tzinfo=UTC), 1.0))
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN SELECT FROM reading WHERE storage_unit_id = %s AND recorded_at BETWEEN %s AND %s",
            [sensor.storage_unit_id, NOON, NOON],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "reading_2026_06" in plan
    assert "reading_2003_02" not in plan
