"""What a unit's chart is drawn from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from readings.series.chart import chart_data
from readings.time_ranges import TimeRange
from tests.factories import StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
DAY = TimeRange(START, START + timedelta(days=1))


def test_the_series_is_on_the_units_scale_and_names_the_facilitys_zone() -> None:
    unit = StorageUnitFactory(temperature_unit="F", set_temperature=41.0, facility__time_zone="Asia/Kolkata")
    store_readings(unit, [5.0, None], start=START)
    assert chart_data(unit, DAY) == {
        "scale": "°F",
        "time_zone": "Asia/Kolkata",
        "level": "readings",
        "set_temperature": 41.0,
        "start": 1_795_392_000_000,
        "end": 1_795_478_400_000,
        "times": [1_795_392_000_000, 1_795_392_900_000],
        "min": [41.0, None],
        "average": [41.0, None],
        "max": [41.0, None],
        "faults": [1_795_392_900_000],
        # From the fault on, since no other reading followed.
        "gaps": [[1_795_392_900_000, 1_795_478_400_000]],
        "breaks": [],
    }
