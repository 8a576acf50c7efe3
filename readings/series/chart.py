"""The data of a storage unit's chart."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from customers.models import StorageUnit
from readings.series.downsample import downsample
from readings.storage.reading_batch import microseconds_of
from readings.time_ranges import TimeRange
from readings.units.scales import Scale, from_celsius

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
        "min": _on_scale(series.min_c, scale),
        "average": _on_scale(series.average_c, scale),
        "max": _on_scale(series.max_c, scale),
        "faults": times[series.fault_count > 0].tolist(),
        "gaps": [[milliseconds(gap.start), milliseconds(gap.end)] for gap in series.gaps()],
        "breaks": [milliseconds(each.middle) for each in series.breaks()],
    }


def _on_scale(temperatures_c: NDArray[np.float64], scale: Scale) -> list[float | None]:
    """Return a column of temperatures on `scale`, None for NaN."""
    on_scale = from_celsius(temperatures_c, scale).round(_DECIMALS)
    values: list[float | None] = on_scale.tolist()
    return [None if value != value else value for value in values] if np.isnan(on_scale).any() else values


def milliseconds(instant: datetime) -> int:
    """Return milliseconds since 1970."""
    return microseconds_of(instant) // 1000
