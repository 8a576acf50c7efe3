"""The drift of sensors' clocks, estimated from when readings arrive and what time they carry.

A reading's *lag* is its arrival minus its time. It holds the drift of the clock and the delay of the delivery, which is
never negative: a clock is ahead by at least the negative of the least lag. The newest reading of each delivery has the
least.

A late delivery is no slow clock: a file of last week, a logger that connects once a day and the rows fetched after an
outage lag as well. So a clock only counts as behind where at least MIN_DELIVERIES kept step with time, all about
equally late, and only by what the least lag exceeds the longest time between two deliveries, for which a reading may
have waited, and a minute of transport. Three is the fewest that show this: of two, the second may be as late as the
first by chance, as where two files are imported on two days. They are those of the last hours or, where fewer arrive,
as from sources that deliver hourly or daily, the latest three of the last days. Where it cannot be told, nothing is
measured.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

# Arrivals of this time count, so that the estimate follows a clock that is set right.
WINDOW = timedelta(hours=2)
# Where fewer than MIN_DELIVERIES arrive in it, the latest ones of this time count: three of a daily source.
LONG_WINDOW = timedelta(days=3, hours=2)
# Newer readings than these are looked at, and of each sensor only the newest: what arrives late says nothing.
MAX_AGE = timedelta(days=7)
# A sensor that has sent nothing for this long has no clock to speak of.
SILENT_AFTER = timedelta(hours=25)
READINGS_A_SENSOR = 100
MIN_DELIVERIES = 3
# Of the time between the first and the last delivery, by which their lags may differ.
MAX_SPREAD = 0.5
TRANSPORT = timedelta(minutes=1)

# Readings of one transaction have arrived together.
DELIVERIES = """
WITH arrived AS (
    SELECT sensor.id AS sensor_id, sensor.storage_unit_id, each.created_at, each.recorded_at
    FROM sensor CROSS JOIN LATERAL (
        (
            SELECT created_at, recorded_at FROM reading
            WHERE storage_unit_id = sensor.storage_unit_id AND sensor_id = sensor.id AND recorded_at > %(earliest)s
            ORDER BY recorded_at DESC LIMIT %(limit)s
        )
        UNION ALL
        SELECT created_at, recorded_at FROM future_reading
        WHERE storage_unit_id = sensor.storage_unit_id AND sensor_id = sensor.id
    ) AS each
    WHERE each.created_at > %(since)s
),
delivery AS (
    SELECT storage_unit_id, sensor_id, created_at, created_at - max(recorded_at) AS lag
    FROM arrived GROUP BY 1, 2, 3
),
paused AS (
    SELECT *, created_at - lag(created_at) OVER (PARTITION BY sensor_id ORDER BY created_at) AS pause FROM delivery
)
SELECT sensor_id, storage_unit_id, max(created_at), count(*), min(lag), max(lag), max(created_at) - min(created_at),
    coalesce(max(pause), interval '0')
FROM paused GROUP BY 1, 2 ORDER BY 1
"""
# Where deliveries are rare, from the newest one to the one before it and so on, which skips the readings between them.
RARE_DELIVERIES = """
WITH RECURSIVE latest AS (
    SELECT sensor.id AS sensor_id, sensor.storage_unit_id, newest.created_at, newest.recorded_at, 1 AS number
    FROM sensor CROSS JOIN LATERAL (
        SELECT created_at, recorded_at FROM reading
        WHERE storage_unit_id = sensor.storage_unit_id AND sensor_id = sensor.id AND recorded_at > %(earliest)s
        ORDER BY recorded_at DESC LIMIT 1
    ) AS newest
    WHERE sensor.id = ANY(%(sensor_ids)s)
    UNION ALL
    SELECT latest.sensor_id, latest.storage_unit_id, earlier.created_at, earlier.recorded_at, number + 1
    FROM latest CROSS JOIN LATERAL (
        SELECT created_at, recorded_at FROM reading
        WHERE storage_unit_id = latest.storage_unit_id AND sensor_id = latest.sensor_id
            AND recorded_at > %(earliest)s AND recorded_at < latest.recorded_at AND created_at < latest.created_at
        ORDER BY recorded_at DESC LIMIT 1
    ) AS earlier
    WHERE number < %(number)s
),
paused AS (
    SELECT *, created_at - lag(created_at) OVER (PARTITION BY sensor_id ORDER BY created_at) AS pause
    FROM latest WHERE created_at > %(since)s
)
SELECT sensor_id, storage_unit_id, max(created_at), count(*), min(created_at - recorded_at),
    max(created_at - recorded_at), max(created_at) - min(created_at), coalesce(max(pause), interval '0')
FROM paused GROUP BY 1, 2 ORDER BY 1
"""
SAVE = """
INSERT INTO sensor_clock AS clock (sensor_id, storage_unit_id, drift_seconds, measured_at)
SELECT * FROM unnest(%(sensor_ids)s::int[], %(unit_ids)s::int[], %(drifts)s::float8[], %(instants)s::timestamptz[])
ON CONFLICT (sensor_id) DO UPDATE SET drift_seconds = excluded.drift_seconds, measured_at = excluded.measured_at
WHERE excluded.measured_at > clock.measured_at
"""


class Deliveries(NamedTuple):
    """The number of a sensor's recent deliveries, their lags, the time they span, and the longest pause."""

    number: int
    least_lag: timedelta
    greatest_lag: timedelta
    span: timedelta
    longest_pause: timedelta


def estimate_drift(deliveries: Deliveries) -> timedelta | None:
    """Return by how much a clock is ahead at least, negative if it is behind, None if that cannot be told."""
    if deliveries.least_lag < timedelta(0):
        return -deliveries.least_lag
    spread = deliveries.greatest_lag - deliveries.least_lag
    if deliveries.number < MIN_DELIVERIES or spread > MAX_SPREAD * deliveries.span:
        return None
    return min(timedelta(0), deliveries.longest_pause + TRANSPORT - deliveries.least_lag)


def measure_clocks(now: datetime) -> int:
    """Measure the clocks of all sensors with recent readings; return the number measured."""
    with connection.cursor() as cursor:
        cursor.execute(DELIVERIES, {"since": now - WINDOW, "earliest": now - MAX_AGE, "limit": READINGS_A_SENSOR})
        found = {row[0]: row for row in cursor.fetchall()}
        rare = [sensor_id for sensor_id, row in found.items() if row[3] < MIN_DELIVERIES]
        if rare:
            parameters: dict[str, datetime | int | list[int]] = {
                "since": now - LONG_WINDOW,
                "earliest": now - MAX_AGE,
                "sensor_ids": rare,
                "number": MIN_DELIVERIES,
            }
            cursor.execute(RARE_DELIVERIES, parameters)
            # What arrived recently says most of a clock that is ahead.
            found |= {row[0]: row for row in cursor.fetchall() if found[row[0]][4] >= timedelta(0)}
        measured = [
            (sensor_id, unit_id, drift.total_seconds(), newest_at)
            for sensor_id, unit_id, newest_at, *values in found.values()
            if (drift := estimate_drift(Deliveries(*values))) is not None
        ]
        if measured:
            names = ("sensor_ids", "unit_ids", "drifts", "instants")
            cursor.execute(SAVE, dict(zip(names, map(list, zip(*measured, strict=True)), strict=True)))
    return len(measured)
