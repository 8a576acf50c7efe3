"""Readings that arrive when the day they are dated in is closed are registered; what is revised stays on record."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from customers.models import StorageUnit
from readings.models import HourlyRollup, LateReadings, LatestReading, Reading, ReadingRevision
from readings.storage.closing import closes_at, first_day_closing_after
from readings.storage.revisions import NewMeasurement, replace_measurement
from readings.storage.rollups import rebuild
from tests.factories import StorageUnitFactory, sensor_of, store_reading, store_readings, withdraw_readings

pytestmark = [pytest.mark.django_db, pytest.mark.storing]

LONG_AGO = datetime(2026, 6, 1, 23, 30, tzinfo=UTC)


@pytest.fixture
def unit() -> StorageUnit:
    return StorageUnitFactory()


def test_a_day_is_closed_six_hours_after_its_end() -> None:
    assert closes_at(date(2026, 6, 1)) == datetime(2026, 6, 2, 6, tzinfo=UTC)
    assert first_day_closing_after(datetime(2026, 6, 2, 5, 59, 59, tzinfo=UTC)) == date(2026, 6, 1)
    assert first_day_closing_after(datetime(2026, 6, 2, 6, tzinfo=UTC)) == date(2026, 6, 2)


def test_late_readings_are_registered_by_the_day_they_are_dated_in(unit: StorageUnit) -> None:
    store_readings(unit, [5.0, 5.1, 5.2], start=LONG_AGO)

    arrived_at = Reading.objects.values_list("created_at", flat=True).distinct().get()
    late = LateReadings.objects.order_by("day").values_list("storage_unit_id", "day", "arrived_at", "reading_count")
    assert list(late) == [(unit.pk, date(2026, 6, 1), arrived_at, 2), (unit.pk, date(2026, 6, 2), arrived_at, 1)]


def test_duplicates_of_late_readings_are_not_registered_again(unit: StorageUnit) -> None:
    store_readings(unit, [5.0], start=LONG_AGO)
    store_readings(unit, [5.0, 6.0], start=LONG_AGO)

    assert sorted(LateReadings.objects.values_list("reading_count", flat=True)) == [1, 1]


def test_readings_of_today_are_not_late(unit: StorageUnit) -> None:
    store_reading(unit)

    assert not LateReadings.objects.exists()


def test_a_rebuild_of_roll_ups_registers_nothing(unit: StorageUnit) -> None:
    store_reading(unit, recorded_at=LONG_AGO)
    rebuild([unit.pk])

    assert LateReadings.objects.count() == 1


def test_a_replaced_reading_stays_on_record(unit: StorageUnit) -> None:
    store_reading(unit, 5.0, LONG_AGO)
    arrived_at = Reading.objects.get().created_at

    before = replace_measurement(
        unit, sensor_of(unit).pk, LONG_AGO, NewMeasurement(9.5, "F", 0.5, 2), by="anna", reason="The probe was swapped."
    )

    assert before == 5.0
    assert Reading.objects.get().temperature_c == 9.5
    revision = ReadingRevision.objects.get()
    assert (revision.recorded_at, revision.arrived_at) == (LONG_AGO, arrived_at)
    assert (revision.before_temperature_c, revision.before_scale) == (5.0, "C")
    assert (revision.after_temperature_c, revision.after_scale) == (9.5, "F")
    assert (revision.after_quality_score, revision.after_equipment_status_id) == (0.5, 2)
    assert (revision.by, revision.reason, revision.is_withdrawal) == ("anna", "The probe was swapped.", False)
    assert timezone.now() - revision.revised_at < timedelta(minutes=1)


def test_withdrawn_readings_stay_on_record_and_can_be_stored_again(unit: StorageUnit) -> None:
    store_readings(unit, [5.0, None, 6.0], start=LONG_AGO)

    assert withdraw_readings(unit, LONG_AGO, LONG_AGO + timedelta(minutes=15)) == 2
    rebuild([unit.pk])

    assert list(Reading.objects.values_list("temperature_c", flat=True)) == [6.0]
    assert LatestReading.objects.get().temperature_c == 6.0
    assert HourlyRollup.objects.get(reading_count__gt=0).reading_count == 1
    withdrawn = ReadingRevision.objects.values_list("before_temperature_c", "after_scale", "by", "reason")
    assert list(withdrawn) == [(5.0, "", "anna", "A wrong file."), (None, "", "anna", "A wrong file.")]

    assert store_readings(unit, [4.0], start=LONG_AGO).stored == 1
    assert Reading.objects.get(recorded_at=LONG_AGO).temperature_c == 4.0


def test_withdrawing_what_is_not_stored_records_nothing(unit: StorageUnit) -> None:
    assert withdraw_readings(unit, LONG_AGO) == 0
    assert not ReadingRevision.objects.exists()
