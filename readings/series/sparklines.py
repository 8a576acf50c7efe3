"""Sparklines: the last day of many storage units as SVG paths, from the hourly roll-up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from core.db.prepared import Parameters
from core.db.replica import read_connection
from readings.storage.measures import NINTH_MICRO

HOURS = 24
# The picture's size, and the margin that keeps lines from being clipped.
WIDTH, HEIGHT, MARGIN = 96, 24, 2
# Smaller variations fill only part of the height, so that noise does not look like a change.
LEAST_SPAN_K = 2.0

# A row per unit: its measured hours, counted from the start, and their mean temperatures over all sensors.
MEANS = f"""
WITH hourly AS (
    SELECT storage_unit_id, hour,
        sum(sum_ninth_micro_c)::float8 / sum(reading_count - fault_count) / {NINTH_MICRO} AS mean_c
    FROM hourly_rollup
    WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour > %(start)s AND hour <= %(end)s
    GROUP BY 1, 2 HAVING sum(reading_count - fault_count) > 0
)
SELECT storage_unit_id,
    array_agg((date_part('epoch', hour - %(start)s) / 3600)::int ORDER BY hour), array_agg(mean_c ORDER BY hour)
FROM hourly GROUP BY 1
"""  # noqa: S608  constants only


def sparklines(unit_ids: Collection[int], now: datetime) -> dict[int, str]:
    """Return the SVG path of the last day of each unit with readings. One query."""
    end = now.replace(minute=0, second=0, microsecond=0)
    parameters: Parameters = {"unit_ids": list(unit_ids), "start": end - timedelta(hours=HOURS), "end": end}
    with read_connection().cursor() as cursor:
        cursor.execute(MEANS, parameters)
        return {unit_id: sparkline(hours, means_c) for unit_id, hours, means_c in cursor.fetchall()}


def sparkline(hours: Sequence[int], means_c: Sequence[float]) -> str:
    """Return the SVG path through these hourly means; `hours` are numbers from 0 to HOURS, ascending.

    After a missing hour a new line starts; a single hour is a dot.
    """
    lowest_c, highest_c = min(means_c), max(means_c)
    middle_c = (lowest_c + highest_c) / 2
    pixels_a_degree = (HEIGHT - 2 * MARGIN) / max(highest_c - lowest_c, LEAST_SPAN_K)
    path = []
    previous = None
    for hour, mean_c in zip(hours, means_c, strict=True):
        x, y = round(hour * WIDTH / HOURS), round(HEIGHT / 2 - (mean_c - middle_c) * pixels_a_degree)
        path.append(f"L{x} {y}" if previous == hour - 1 else f"M{x} {y}h.1")
        previous = hour
    return "".join(path)
