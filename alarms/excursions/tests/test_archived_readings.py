"""What limits would have done is replayed over archived readings, too, and brings none of them back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from alarms.excursions.replay_window import iterate_readings
from readings.models import Reading
from readings.storage.archive.archiving import archive_month
from tests.factories import StorageUnitFactory, store_readings

START = datetime(2024, 3, 10, 12, tzinfo=UTC)


# Views replay limits without a transaction.
@pytest.mark.django_db(transaction=True)
def test_archived_readings_are_replayed_without_bringing_them_back(settings: Settings, tmp_path: Path) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder}
    unit = StorageUnitFactory()
    store_readings(unit, [5.0, 5.5, 6.0], start=START)

    def replayed_c() -> list[float]:
        found = iterate_readings(unit.pk, START, START + timedelta(days=1))
        return [float(each) for readings in found for each in readings.temperature_c]

    assert replayed_c() == [5.0, 5.5, 6.0]
    archive_month(date(2024, 3, 1))
    assert replayed_c() == [5.0, 5.5, 6.0]
    assert not Reading.objects.exists()
