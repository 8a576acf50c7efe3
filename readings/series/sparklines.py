"""Sparklines: the last day of many storage units as SVG paths, drawn from the hourly roll-up.

The query makes the paths itself, one short text a unit, instead of sending every hour of every unit. Since a line of
hours changes little within a minute, each process keeps the lines for CACHE_SECONDS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

HOURS = 24
# The picture's size, and the margin that keeps lines from being clipped.
WIDTH, HEIGHT, MARGIN = 96, 24, 2
# Smaller variations are drawn as small: noise must not look dramatic.
LEAST_SPAN_K = 2.0
CACHE_SECONDS = 60.0

# After a missing hour a new line starts; a single hour is a dot.
PATHS = """
WITH hourly AS (
    SELECT storage_unit_id, hour,
        sum(sum_micro_c)::float8 / nullif(sum(reading_count - fault_count), 0) / 1000000 AS mean_c
    FROM hourly_rollup
    WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour > %(start)s AND hour <= %(end)s
    GROUP BY 1, 2
),
measured AS (
    SELECT *,
        lag(hour) OVER by_hour AS previous,
        greatest(max(mean_c) OVER unit - min(mean_c) OVER unit, %(least_span)s) AS span,
        (max(mean_c) OVER unit + min(mean_c) OVER unit) / 2 AS middle
    FROM hourly WHERE mean_c IS NOT NULL
    WINDOW unit AS (PARTITION BY storage_unit_id), by_hour AS (PARTITION BY storage_unit_id ORDER BY hour)
),
drawn AS (
    SELECT storage_unit_id, hour, previous = hour - interval '1 hour' AS goes_on,
        (date_part('epoch', hour - %(start)s) / 3600 * %(width)s / %(hours)s)::int AS x,
        (%(height)s / 2.0 - (mean_c - middle) / span * (%(height)s - 2 * %(margin)s))::int AS y
    FROM measured
)
SELECT storage_unit_id,
    string_agg(CASE WHEN goes_on THEN 'L' || x || ' ' || y ELSE 'M' || x || ' ' || y || 'h.1' END, '' ORDER BY hour)
FROM drawn GROUP BY 1
"""


class Sparklines:
    """The cached lines of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paths: dict[int, str] = {}
        self._since = 0.0

    def of(self, unit_ids: Collection[int], now: datetime) -> dict[int, str]:
        """Return the path of each unit's last day, "" if nothing was measured. At most one query."""
        with self._lock:
            if time.monotonic() - self._since > CACHE_SECONDS:
                self._paths, self._since = {}, time.monotonic()
            known = self._paths
        missing = [unit_id for unit_id in unit_ids if unit_id not in known]
        if missing:
            known |= dict.fromkeys(missing, "") | _paths(missing, now)
        return known

    def forget(self) -> None:
        """Discard the cached lines."""
        self._since = 0.0


sparklines = Sparklines()


def _paths(unit_ids: list[int], now: datetime) -> dict[int, str]:
    end = now.replace(minute=0, second=0, microsecond=0)
    parameters: dict[str, Any] = {
        "unit_ids": unit_ids, "start": end - timedelta(hours=HOURS), "end": end, "hours": HOURS,
        "width": WIDTH, "height": HEIGHT, "margin": MARGIN, "least_span": LEAST_SPAN_K,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(PATHS, parameters)
        return dict(cursor.fetchall())
