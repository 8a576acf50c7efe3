"""The data of a storage unit's chart."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from customers.models import StorageUnit
from readings.series.downsample import downsample
from readings.storage.reading_batch import microseconds_of
from readings.time_ranges import TimeRange
from readings.units.condition import LimitsInForce
from readings.units.scales import Scale, from_celsius

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A thousandth of a degree is below any sensor's accuracy and keeps the response small.
_SENT_DECIMALS = 3


def series(unit: StorageUnit, time_range: TimeRange) -> dict[str, Any]:
    """Return the chart series of `unit`: columns of points in the unit's scale, times in ms since 1970.

    `faults` are the times of points with readings without a measurement.
    """
    shown = downsample(unit.pk, time_range, zone=unit.facility.zone, interval_seconds=unit.interval_seconds)
    scale = Scale(unit.temperature_unit)
    times = shown.middle_us // 1000
    return {
        "scale": scale.label,
        "time_zone": unit.facility.time_zone,
        "level": shown.level.value,
        "set_temperature": unit.set_temperature,
        "limits": _limits(unit),
        "start": milliseconds(time_range.start),
        "end": milliseconds(time_range.end),
        "times": times.tolist(),
        "min": _sent(shown.min_c, scale),
        "mean": _sent(shown.mean_c, scale),
        "max": _sent(shown.max_c, scale),
        "faults": times[shown.fault_count > 0].tolist(),
        "gaps": [
            [milliseconds(left), milliseconds(right)]
            for left, right in shown.gaps(timedelta(seconds=unit.effective_staleness_limit_seconds))
        ],
    }


def _limits(unit: StorageUnit) -> dict[str, list[float | None]] | None:
    """Return the bounds of the warning and the critical limits, None without any limit."""
    limits, scale = LimitsInForce.of(unit), Scale(unit.temperature_unit)
    if not limits:
        return None
    return {
        name: _sent(np.array(bounds, np.float64), scale)
        for name, bounds in (("warning", limits.warning), ("critical", limits.critical))
    }


def _sent(temperatures_c: NDArray[np.float64], scale: Scale) -> list[float | None]:
    """Return a column of temperatures on `scale`, None for NaN."""
    on_scale = from_celsius(temperatures_c, scale).round(_SENT_DECIMALS)
    values: list[float | None] = on_scale.tolist()
    return [None if value != value else value for value in values] if np.isnan(on_scale).any() else values


def milliseconds(instant: datetime) -> int:
    """Return milliseconds since 1970."""
    return microseconds_of(instant) // 1000
