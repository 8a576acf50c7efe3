"""What the chart of a storage unit is drawn from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from customers.models import StorageUnit
from readings.course import gaps, points
from readings.scales import Scale, from_celsius
from readings.spans import Span
from readings.states import LimitsInForce

# A thousandth of a degree is below any sensor's accuracy, and keeps what is sent short.
_SENT_DECIMALS = 3
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)


def series(unit: StorageUnit, span: Span) -> dict[str, Any]:
    """The course of `unit`: columns of points in the unit's scale, times in ms since 1970.

    `faults` are the times of points with readings without a measurement.
    """
    level, course = points(unit.pk, span, zone=unit.facility.zone, interval_seconds=unit.interval_seconds)
    scale = Scale(unit.temperature_unit)
    times = [point.middle_us // 1000 for point in course]
    return {
        "scale": scale.label,
        "time_zone": unit.facility.time_zone,
        "level": level.value,
        "set_temperature": unit.set_temperature,
        "limits": _limits(unit),
        "start": milliseconds(span.start),
        "end": milliseconds(span.end),
        "times": times,
        "min": _sent([point.min_c for point in course], scale),
        "mean": _sent([point.mean_c for point in course], scale),
        "max": _sent([point.max_c for point in course], scale),
        "faults": [time for time, point in zip(times, course, strict=True) if point.fault_count],
        "gaps": [
            [milliseconds(left), milliseconds(right)]
            for left, right in gaps(course, timedelta(seconds=unit.effective_gap_limit_seconds))
        ],
    }


def _limits(unit: StorageUnit) -> dict[str, list[float | None]] | None:
    """The lowest and the highest temperature before a warning and before it is critical; None without any limit."""
    limits, scale = LimitsInForce.of(unit), Scale(unit.temperature_unit)
    if not limits:
        return None
    return {"warning": _sent([*limits.warning], scale), "critical": _sent([*limits.critical], scale)}


def _sent(temperatures_c: list[float | None], scale: Scale) -> list[float | None]:
    """A column of temperatures on `scale`, at once: one by one they would cost more than fetching them."""
    on_scale = from_celsius(np.array(temperatures_c, np.float64), scale).round(_SENT_DECIMALS).tolist()
    return [None if without is None else value for value, without in zip(on_scale, temperatures_c, strict=True)]


def milliseconds(instant: datetime) -> int:
    """Since 1970, as charts have their times."""
    return (instant - _EPOCH) // _MILLISECOND
