"""What a unit's chart is drawn from."""

from datetime import UTC, datetime, timedelta

import pytest

from readings.series.chart import chart_data
from readings.time_ranges import TimeRange
from tests.factories import StorageUnitFactory, store_readings

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
DAY = TimeRange(START, START + timedelta(days=1))


def test_the_series_is_on_the_units_scale_and_names_the_facilitys_zone():
    unit = StorageUnitFactory(temperature_unit="F", set_temperature=41.0, facility__time_zone="Asia/Kolkata")
    store_readings(unit, [5.0, None], start=START)
    assert chart_data(unit, DAY) == {
        "scale": "°F",
        "time_zone": "Asia/Kolkata",
        "level": "readings",
        "set_temperature": 41.0,
        "limits": {"warning": [37.4, 44.6], "critical": [32.0, 50.0]},
        "start": 1_795_392_000_000,
        "end": 1_795_478_400_000,
        "times": [1_795_392_000_000, 1_795_392_900_000],
        "min": [41.0, None],
        "mean": [41.0, None],
        "max": [41.0, None],
        "faults": [1_795_392_900_000],
        "gaps": [],
    }


def test_a_unit_without_a_set_temperature_has_no_limits():
    assert chart_data(StorageUnitFactory(set_temperature=None), DAY)["limits"] is None


def test_a_limit_that_a_unit_has_not_is_null():
    unit = StorageUnitFactory()
    unit.low_critical_c = unit.low_warning_c = None
    assert chart_data(unit, DAY)["limits"] == {"warning": [None, 7.0], "critical": [None, 10.0]}
