"""How long each reading stood: what time-weighted means, MKT and coverage are made of.

A reading stands until the next one of its sensor, but no longer than the unit's gap limit. One without a measurement
ends the one before it and stands for nothing. A stretch begins with what stood when it began.
"""

from __future__ import annotations

import math

from customers.models import STALENESS_INTERVALS

ACTIVATION_K = 10_000.0
ZERO_C_IN_K = 273.15
# Below this exp(−10000/T) leaves the range of double precision; nothing on earth is stored there.
COLDEST_K = 20.0


def arrhenius(temperature_c: float) -> float:
    """exp(−10000/T) of one temperature: the speed at which goods age, up to a factor that cancels out."""
    return math.exp(-ACTIVATION_K / max(temperature_c + ZERO_C_IN_K, COLDEST_K))


ARRHENIUS_SQL = f"exp(-{ACTIVATION_K} / greatest(temperature_c + {ZERO_C_IN_K}, {COLDEST_K}))"


def mean_kinetic_temperature_c(weighted_arrhenius: float, weighted_seconds: float) -> float | None:
    """The MKT in °C from Σt·exp(−10000/T) and Σt; None where nothing was measured."""
    if weighted_seconds <= 0 or weighted_arrhenius <= 0:
        return None
    return ACTIVATION_K / -math.log(weighted_arrhenius / weighted_seconds) - ZERO_C_IN_K


# For how long a reading of a `storage_unit` stands when no other follows, as an interval.
STALENESS_LIMIT = f"make_interval(secs => coalesce(gap_limit_seconds, {STALENESS_INTERVALS} * interval_seconds))"

# Why the readings of a piece are fetched in a LATERAL query with OFFSET 0: the planner can't tell how few rows a range
# of time joins, and would read whole partitions. This way it looks up each piece in the primary key.
READINGS_OF_PIECE = """LATERAL (
        SELECT * FROM reading
        WHERE reading.storage_unit_id = {piece}.storage_unit_id
            AND recorded_at {after} AND recorded_at < to_at
            AND recorded_at BETWEEN %(earliest)s AND %(latest)s
        OFFSET 0
    ) AS reading"""

# `piece` is a relation of (storage_unit_id, from_at, to_at), each pair a stretch of time with an open end. The sums
# are taken in the order of time, so that the same readings give the same digits however they arrived. Nothing is joined
# after the readings were fetched: the planner takes thousands of pieces for one, and would go through all pairs.
WEIGH = f"""
bounded AS (
    SELECT piece.*, {STALENESS_LIMIT} AS staleness_limit
    FROM piece JOIN storage_unit ON storage_unit.id = piece.storage_unit_id
),
standing AS (
    SELECT bounded.storage_unit_id, from_at, to_at, sensor_id, temperature_c,
        greatest(recorded_at, from_at) AS stands_from,
        least(
            lead(recorded_at) OVER (
                PARTITION BY bounded.storage_unit_id, from_at, to_at, sensor_id ORDER BY recorded_at
            ),
            recorded_at + staleness_limit,
            to_at
        ) AS stands_until
    FROM bounded CROSS JOIN {READINGS_OF_PIECE.format(piece="bounded", after="> from_at - staleness_limit")}
),
stood AS (
    SELECT *, date_part('epoch', stands_until - stands_from) AS seconds
    FROM standing WHERE temperature_c IS NOT NULL AND stands_until > stands_from
),
-- What a reading covers that none before it does: sensors of one unit cover the same time together only once.
covering AS (
    SELECT *, greatest(0, date_part('epoch', stands_until - greatest(stands_from, max(stands_until) OVER before)))
        AS newly_covered_seconds
    FROM stood
    WINDOW before AS (
        PARTITION BY storage_unit_id, from_at, to_at ORDER BY stands_from, sensor_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
weights AS (
    SELECT storage_unit_id, from_at, to_at, sensor_id,
        sum(seconds ORDER BY stands_from) AS weighted_seconds,
        sum(seconds * temperature_c ORDER BY stands_from) AS weighted_sum_c,
        sum(seconds * {ARRHENIUS_SQL} ORDER BY stands_from) AS weighted_arrhenius,
        sum(newly_covered_seconds ORDER BY stands_from) AS covered_seconds
    FROM covering GROUP BY 1, 2, 3, 4
)
"""  # noqa: S608  names of ours, no input
WEIGHT_COLUMNS = "weighted_seconds, weighted_sum_c, weighted_arrhenius, covered_seconds"
