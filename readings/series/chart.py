"""The data of a storage unit's chart."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from customers.models import StorageUnit
from readings.series.downsample import downsample
from readings.storage.reading_batch import microseconds_of
from readings.time_ranges import TimeRange
from readings.units.scales import Scale, column_from_celsius

# A thousandth of a degree is below any sensor's accuracy and keeps the response small.
_DECIMALS = 3


class ChartData(TypedDict):
    """A series for the chart: columns of points in the unit's scale, times in ms since 1970.

    `average` is weighted by count. `faults` are the times of points with readings without a measurement. `gaps` has all
    gaps; `breaks` are times in those between two points.
    """

    scale: str
    time_zone: str
    level: str
    set_temperature: float | None
    start: int
    end: int
    times: list[int]
    min: list[float | None]
    average: list[float | None]
    max: list[float | None]
    faults: list[int]
    gaps: list[list[int]]
    breaks: list[int]


def chart_data(unit: StorageUnit, time_range: TimeRange) -> ChartData:
    """Return the downsampled series of `unit`. One query."""
    series = downsample(unit, time_range)
    scale = Scale(unit.temperature_unit)
    times = series.middle_us // 1000
    return {
        "scale": scale.label,
        "time_zone": unit.facility.time_zone,
        "level": series.level.value,
        "set_temperature": unit.set_temperature,
        "start": milliseconds(time_range.start),
        "end": milliseconds(time_range.end),
        "times": times.tolist(),
        "min": column_from_celsius(series.min_c, scale, _DECIMALS),
        "average": column_from_celsius(series.average_c, scale, _DECIMALS),
        "max": column_from_celsius(series.max_c, scale, _DECIMALS),
        "faults": times[series.fault_count > 0].tolist(),
        "gaps": [[milliseconds(gap.start), milliseconds(gap.end)] for gap in series.gaps()],
        "breaks": [milliseconds(each.middle) for each in series.breaks()],
    }


def milliseconds(instant: datetime) -> int:
    """Return milliseconds since 1970."""
    return microseconds_of(instant) // 1000
