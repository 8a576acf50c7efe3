"""The course of one unit's temperature, cut to as many points as a chart can show, and its newest readings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

from django.db import connection

from customers.models import StorageUnit
from readings.models import Reading
from readings.scales import Scale, from_celsius

MAX_POINTS = 1_000
MAX_HOURS = 168
# A thousandth of a degree is below any sensor's accuracy, and keeps what is sent short.
_SENT_DECIMALS = 3

# The bounds let the planner leave other months' partitions out.
BUCKETS = """
SELECT min(recorded_at), max(recorded_at), min(temperature_c), avg(temperature_c), max(temperature_c)
FROM reading
WHERE storage_unit_id = %(unit_id)s AND recorded_at >= %(start)s AND recorded_at < %(end)s
GROUP BY date_bin(make_interval(secs => %(width)s), recorded_at, %(start)s)
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Point:
    """The readings of one stretch of time. The temperatures are None where no sensor gave a measurement."""

    first_at: datetime
    last_at: datetime
    min_c: float | None
    mean_c: float | None
    max_c: float | None

    @property
    def middle_at(self) -> datetime:
        """Where to draw it: the reading's own time where there is but one."""
        return self.first_at + (self.last_at - self.first_at) / 2


def points(unit_id: int, start: datetime, end: datetime) -> list[Point]:
    """The readings of a unit from `start` to before `end`, in at most MAX_POINTS stretches of equal width."""
    width = max(1, ceil((end - start).total_seconds() / MAX_POINTS))
    with connection.cursor() as cursor:
        cursor.execute(BUCKETS, {"unit_id": unit_id, "start": start, "end": end, "width": width})
        return [Point(*row) for row in cursor.fetchall()]


def gaps(course: list[Point], gap_limit: timedelta) -> list[tuple[datetime, datetime]]:
    """Where two points that follow each other are further apart than the unit's gap limit."""
    return [
        (before.last_at, after.first_at)
        for before, after in pairwise(course)
        if after.first_at - before.last_at > gap_limit
    ]


def series(unit: StorageUnit, start: datetime, end: datetime) -> dict[str, Any]:
    """What the chart of `unit` is drawn from: columns of points in the unit's scale, times in ms since 1970."""
    course = points(unit.pk, start, end)
    scale = Scale(unit.temperature_unit)
    return {
        "scale": scale.label,
        "time_zone": unit.facility.time_zone,
        "set_temperature": unit.set_temperature,
        "start": _milliseconds(start),
        "end": _milliseconds(end),
        "times": [_milliseconds(point.middle_at) for point in course],
        "min": [_sent(point.min_c, scale) for point in course],
        "mean": [_sent(point.mean_c, scale) for point in course],
        "max": [_sent(point.max_c, scale) for point in course],
        "gaps": [
            [_milliseconds(left), _milliseconds(right)]
            for left, right in gaps(course, timedelta(seconds=unit.effective_gap_limit_seconds))
        ],
    }


def newest_readings(unit: StorageUnit, count: int) -> list[Reading]:
    """The `count` newest readings of a unit with their sensors and statuses, the newest first."""
    readings = Reading.objects.filter(storage_unit=unit).select_related("sensor", "equipment_status")
    return list(readings.order_by("-recorded_at", "sensor_id")[:count])


def _sent(temperature_c: float | None, scale: Scale) -> float | None:
    return None if temperature_c is None else round(from_celsius(temperature_c, scale), _SENT_DECIMALS)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
