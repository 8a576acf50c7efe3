"""Sparklines: the last day of many storage units as SVG paths, from the hourly roll-up."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from core.db.prepared import Parameters
from core.db.replica import read_connection
from readings.storage.measures import NINTH_MICRO
from readings.time_ranges import hour_of

HOURS = 24
# The picture's size, a whole number of pixels per hour, and the margin that keeps lines from being clipped.
WIDTH, HEIGHT, MARGIN = 96, 24, 2
# Smaller variations fill only part of the height, so that noise does not look like a change.
LEAST_SPAN_K = 2.0

# A row per unit. PostgreSQL writes the paths: converting the values of a thousand units to Python's, and each of them
# to text again, takes as long as the rest of the page. After a missing hour a new line starts; a single hour is a dot.
PATHS = f"""
WITH hourly AS (
    SELECT storage_unit_id, (date_part('epoch', hour - %(start)s) / 3600)::int AS number,
        sum(sum_ninth_micro_c)::float8 / sum(reading_count - fault_count) / {NINTH_MICRO} AS mean_c
    FROM hourly_rollup
    WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour > %(start)s AND hour <= %(end)s
    GROUP BY storage_unit_id, hour HAVING sum(reading_count - fault_count) > 0
),
span AS (
    SELECT storage_unit_id, (min(mean_c) + max(mean_c)) / 2 AS middle_c,
        {HEIGHT - 2 * MARGIN} / greatest(max(mean_c) - min(mean_c), {LEAST_SPAN_K}) AS pixels_a_degree
    FROM hourly GROUP BY storage_unit_id
),
point AS (
    SELECT storage_unit_id, number, number * {WIDTH // HOURS} AS x,
        round({HEIGHT / 2} - (mean_c - middle_c) * pixels_a_degree) AS y,
        lag(number) OVER (PARTITION BY storage_unit_id ORDER BY number) IS NOT DISTINCT FROM number - 1 AS continues
    FROM hourly JOIN span USING (storage_unit_id)
)
SELECT storage_unit_id,
    string_agg(CASE WHEN continues THEN 'L' || x || ' ' || y ELSE 'M' || x || ' ' || y || 'h.1' END, '' ORDER BY number)
FROM point GROUP BY storage_unit_id
"""  # noqa: S608  constants only


def sparklines(unit_ids: Collection[int], now: datetime) -> dict[int, str]:
    """Return the SVG path of the hourly means of the last day of each unit with readings. One query."""
    end = hour_of(now)
    parameters: Parameters = {"unit_ids": list(unit_ids), "start": end - timedelta(hours=HOURS), "end": end}
    with read_connection().cursor() as cursor:
        cursor.execute(PATHS, parameters)
        return dict(cursor.fetchall())
