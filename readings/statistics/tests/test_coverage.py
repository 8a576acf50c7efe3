"""Coverage stays between 0 and 1, whatever the rounding of the summed seconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from readings.statistics.statistics import Statistics
from readings.storage.measures import Totals
from readings.time_ranges import TimeRange

HOUR = TimeRange(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=1))


@pytest.mark.parametrize(
    ("covered_seconds", "coverage", "unknown_seconds"),
    [(0.0, 0.0, 3600.0), (900.0, 0.25, 2700.0), (3600.0, 1.0, 0.0), (math.nextafter(3600.0, 4000.0), 1.0, 0.0)],
)
def test_no_more_than_the_whole_period_is_covered(
    covered_seconds: float, coverage: float, unknown_seconds: float
) -> None:
    statistics = Statistics.of(Totals(covered_seconds=covered_seconds), 1, HOUR)
    assert (statistics.coverage, statistics.unknown_seconds) == (coverage, unknown_seconds)
