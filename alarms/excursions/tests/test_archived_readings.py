"""Limits are replayed over archived readings, too, which brings none of them back; faults of sensors follow them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from alarms.excursions.replay_window import iterate_readings
from alarms.excursions.sensor_faults import update_faults
from alarms.models import SensorFault
from readings.models import Reading
from readings.storage.archive.archiving import archive_month
from tests.factories import StorageUnitFactory, store_readings

START = datetime(2024, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> None:
    """Archive to a folder of the test."""
    storage = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": storage}


# Views replay limits without a transaction.
@pytest.mark.django_db(transaction=True)
def test_archived_readings_are_replayed_without_bringing_them_back() -> None:
    unit = StorageUnitFactory()
    store_readings(unit, [5.0, 5.5, 6.0], start=START)

    def replayed_c() -> list[float]:
        found = iterate_readings(unit.pk, START, START + timedelta(days=1))
        return [float(each) for readings in found for each in readings.temperature_c]

    assert replayed_c() == [5.0, 5.5, 6.0]
    archive_month(date(2024, 3, 1))
    assert replayed_c() == [5.0, 5.5, 6.0]
    assert not Reading.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("newest_c", [5.0, None])
@pytest.mark.parametrize("late_c", [6.0, None])
def test_a_late_reading_is_not_taken_for_the_newest_of_a_sensor(newest_c: float | None, late_c: float | None) -> None:
    """A late reading brings its month back, not those after it, in which the sensor's newest readings are."""
    unit = StorageUnitFactory.create()
    store_readings(unit, [5.0], start=START)
    store_readings(unit, [newest_c, newest_c], start=START + timedelta(days=60))
    store_readings(StorageUnitFactory.create(), [5.0], start=START + timedelta(days=90))
    update_faults([unit.pk])
    before = list(SensorFault.objects.values_list("sensor", "last_at"))
    assert len(before) == (newest_c is None)
    for month in (3, 4, 5, 6):
        archive_month(date(2024, month, 1))

    store_readings(unit, [late_c], start=START + timedelta(days=1))
    update_faults([unit.pk])

    assert list(SensorFault.objects.values_list("sensor", "last_at")) == before
    begins_late = late_c is None and newest_c is None
    since = START + timedelta(days=1 if begins_late else 60)
    assert not SensorFault.objects.exclude(since=since).exists()
