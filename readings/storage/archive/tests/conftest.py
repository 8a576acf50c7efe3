"""Every test archives to a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from customers.models import Sensor
from tests.factories import FacilityFactory, SensorFactory, StorageUnitFactory


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Return the folder of the archive."""
    folder_storage = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"archive": folder_storage}
    return tmp_path


@pytest.fixture
def sensors() -> list[Sensor]:
    """Return a sensor of a unit in London, and two of a unit in St. John's."""
    london = StorageUnitFactory(facility=FacilityFactory(time_zone="Europe/London"))
    johns = StorageUnitFactory(facility=FacilityFactory(time_zone="America/St_Johns"))
    return [SensorFactory(storage_unit=unit) for unit in (london, johns, johns)]
