"""How long each reading is valid: the basis of time-weighted means, MKT and coverage (LOCF).

A reading is valid until the next one of its sensor, but at any moment only while it is younger than the staleness limit
in force then. One without a measurement ends the previous one's validity and has none. From its sensor's retirement on
none is valid, as in excursions. A period begins with the reading valid at that moment.
"""

from __future__ import annotations

import math
from datetime import timedelta

from customers.models import MAX_STALENESS_LIMIT_SECONDS, STALENESS_INTERVALS

ACTIVATION_K = 10_000.0
ZERO_C_IN_K = 273.15
# Below this exp(−10000/T) leaves the range of double precision; no goods are stored there.
COLDEST_K = 20.0
# A reading that is valid when a period begins was recorded at most this long before.
LONGEST_GAP = timedelta(seconds=MAX_STALENESS_LIMIT_SECONDS)


def arrhenius(temperature_c: float) -> float:
    """Return exp(−10000/T) of a temperature: the rate of degradation up to a factor that cancels out."""
    return math.exp(-ACTIVATION_K / max(temperature_c + ZERO_C_IN_K, COLDEST_K))


ARRHENIUS_SQL = f"exp(-{ACTIVATION_K} / greatest(temperature_c + {ZERO_C_IN_K}, {COLDEST_K}))"


def mean_kinetic_temperature_c(weighted_arrhenius: float, weighted_seconds: float) -> float | None:
    """Return the MKT in °C from Σt·exp(−10000/T) and Σt (USP <1160>), None if nothing was measured."""
    if weighted_seconds <= 0 or weighted_arrhenius <= 0:
        return None
    return ACTIVATION_K / -math.log(weighted_arrhenius / weighted_seconds) - ZERO_C_IN_K


# How long a reading of a `storage_unit` is valid now if no other follows, as an interval.
STALENESS_LIMIT = f"make_interval(secs => coalesce(gap_limit_seconds, {STALENESS_INTERVALS} * interval_seconds))"

# The database view `limit_period` shows the limits of units over time: for each period of constant limits its
# `storage_unit_id`, `valid_from` and `valid_until` (half-open, infinite at the ends), the four limits in °C,
# `is_inclusive`, `is_low_critical_inclusive`, `gap_limit_seconds` (the staleness limit), `sensor_policy` ("any", "mean"
# or "named") and `named_sensor_id`. The periods of a unit cover all of time. A migration of this app creates the view
# from the limits in force now, which are columns of the unit; `alarms`, which keeps the versions of limits, replaces it
# by one of those, so that nothing is stored twice. PostgreSQL refuses to drop a column that a view shows, or to change
# its type: drop the view before and create it again in the same migration.


def longest_staleness_limit_sql(unit_id: str, since: str) -> str:
    """Return SQL for the longest staleness limit of a unit since then; both are expressions."""
    return f"""(
        SELECT make_interval(secs => max(gap_limit_seconds)) FROM limit_period
        WHERE limit_period.storage_unit_id = {unit_id} AND valid_until > {since}
    )"""  # noqa: S608  constants only


_COLUMNS = "sensor_id, recorded_at, temperature_c, quality_score, equipment_status_id"

# The readings of a part of a piece, and of each sensor the newest one before that is valid when the part begins: a unit
# may have sent many in that time. They are fetched in a LATERAL query with OFFSET 0 because the planner cannot estimate
# how few rows a time range joins and would read whole partitions. This way it looks up each part in the primary key.
_READINGS_OF_PART = f"""LATERAL (
        SELECT {_COLUMNS} FROM reading
        WHERE storage_unit_id = piece.storage_unit_id AND recorded_at >= part.from_at AND recorded_at < part.to_at
            AND recorded_at BETWEEN %(earliest)s AND %(latest)s
        UNION ALL
        SELECT newest.* FROM sensor CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM reading
            WHERE storage_unit_id = piece.storage_unit_id AND sensor_id = sensor.id
                AND recorded_at > part.from_at - staleness_limit AND recorded_at < part.from_at
                AND recorded_at BETWEEN %(earliest)s AND %(latest)s
            ORDER BY recorded_at DESC LIMIT 1
        ) AS newest
        WHERE sensor.storage_unit_id = piece.storage_unit_id
        OFFSET 0
    ) AS reading"""  # noqa: S608  constants only

# The readings of a `piece`, and those before that are valid in it, with the time in which each is: `valid_until` and
# `seconds` are NULL if it is not. The piece is cut where limits changed, so that the staleness limit is constant in
# every part. The parts are found in a query with OFFSET 0, or the view's subqueries would run for every reading.
_READINGS_OF_PIECE = f"""
    SELECT *, date_part('epoch', valid_until - valid_from) AS seconds
    FROM (
        SELECT {_COLUMNS}, is_recorded_in_piece, valid_from,
            CASE WHEN temperature_c IS NOT NULL AND ends_at > valid_from THEN ends_at END AS valid_until
        FROM (
            SELECT reading.*, recorded_at >= part.from_at AS is_recorded_in_piece,
                greatest(recorded_at, part.from_at) AS valid_from,
                least(
                    lead(recorded_at) OVER (PARTITION BY part.from_at, sensor_id ORDER BY recorded_at),
                    recorded_at + staleness_limit,
                    part.to_at,
                    (SELECT retired_at FROM retirement WHERE retirement.id = reading.sensor_id)
                ) AS ends_at
            FROM (
                SELECT greatest(piece.from_at, valid_from) AS from_at, least(piece.to_at, valid_until) AS to_at,
                    make_interval(secs => gap_limit_seconds) AS staleness_limit
                FROM limit_period
                WHERE limit_period.storage_unit_id = piece.storage_unit_id
                    AND valid_from < piece.to_at AND valid_until > piece.from_at
                OFFSET 0
            ) AS part
            CROSS JOIN {_READINGS_OF_PART}
        ) AS ending
    ) AS valid"""  # noqa: S608  constants only

_RETIREMENT = """
retirement AS MATERIALIZED (
    SELECT id, retired_at FROM sensor
    WHERE retired_at IS NOT NULL AND storage_unit_id IN (SELECT storage_unit_id FROM piece)
)"""

# `piece` is a relation of (storage_unit_id, from_at, to_at) and any further columns, a half-open period. `weighted` has
# a row of each measurement that is valid in a piece: from `valid_from` to `valid_until`, for `seconds`.
WEIGHTED = f"""{_RETIREMENT},
weighted AS (
    SELECT piece.*, valid.*
    FROM piece CROSS JOIN LATERAL (
        SELECT sensor_id, temperature_c, valid_from, valid_until, seconds FROM ({_READINGS_OF_PIECE}
        ) AS readings
        WHERE valid_until IS NOT NULL
        OFFSET 0
    ) AS valid
)
"""  # noqa: S608  constants only


def time_weights(counts: str = "") -> str:
    """Return SQL of the relation `weights`: the sums of each `piece` and of each sensor with readings in it or before.

    They are computed piece by piece: sorting the few readings of each takes less time than sorting those of all. Sums
    are taken in order of time, so that the same readings give the same digits in any order of arrival. The time a
    reading covers is that which no earlier one does: sensors of one unit cover the same time only once.

    counts: further aggregates over the readings, of which those recorded in the piece are `is_recorded_in_piece`.
    """
    further = f"{counts}," if counts else ""
    return f"""{_RETIREMENT},
weights AS (
    SELECT piece.*, weight.*
    FROM piece CROSS JOIN LATERAL (
        SELECT sensor_id,
            {further}
            coalesce(sum(seconds ORDER BY valid_from), 0) AS weighted_seconds,
            coalesce(sum(seconds * temperature_c ORDER BY valid_from), 0) AS weighted_sum_c,
            coalesce(sum(seconds * {ARRHENIUS_SQL} ORDER BY valid_from), 0) AS weighted_arrhenius,
            sum(newly_covered_seconds ORDER BY valid_from) AS covered_seconds
        FROM (
            SELECT *, greatest(0, date_part('epoch', valid_until - greatest(valid_from, max(valid_until) OVER before)))
                AS newly_covered_seconds
            FROM ({_READINGS_OF_PIECE}
            ) AS readings
            WINDOW before AS (ORDER BY valid_from, sensor_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ) AS covering
        GROUP BY sensor_id
        OFFSET 0
    ) AS weight
)
"""  # noqa: S608  constants only


TIME_WEIGHTS = time_weights()
