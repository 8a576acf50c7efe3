"""How long each reading is valid: the basis of time-weighted means, MKT and coverage (LOCF).

A reading is valid until the next one of its sensor, but no longer than the unit's staleness limit. One without a
measurement ends the previous one's validity and has none. A period begins with the reading valid at that moment.
"""

from __future__ import annotations

import math

from customers.models import STALENESS_INTERVALS

ACTIVATION_K = 10_000.0
ZERO_C_IN_K = 273.15
# Below this exp(−10000/T) leaves the range of double precision; no goods are stored there.
COLDEST_K = 20.0


def arrhenius(temperature_c: float) -> float:
    """Return exp(−10000/T) of a temperature: the rate of degradation up to a factor that cancels out."""
    return math.exp(-ACTIVATION_K / max(temperature_c + ZERO_C_IN_K, COLDEST_K))


ARRHENIUS_SQL = f"exp(-{ACTIVATION_K} / greatest(temperature_c + {ZERO_C_IN_K}, {COLDEST_K}))"


def mean_kinetic_temperature_c(weighted_arrhenius: float, weighted_seconds: float) -> float | None:
    """Return the MKT in °C from Σt·exp(−10000/T) and Σt (USP <1160>), None if nothing was measured."""
    if weighted_seconds <= 0 or weighted_arrhenius <= 0:
        return None
    return ACTIVATION_K / -math.log(weighted_arrhenius / weighted_seconds) - ZERO_C_IN_K


# How long a reading of a `storage_unit` is valid if no other follows, as an interval.
STALENESS_LIMIT = f"make_interval(secs => coalesce(gap_limit_seconds, {STALENESS_INTERVALS} * interval_seconds))"

# The readings of a piece are fetched in a LATERAL query with OFFSET 0 because the planner cannot estimate how few rows
# a time range joins and would read whole partitions. This way it looks up each piece in the primary key.
READINGS_OF_PIECE = """LATERAL (
        SELECT * FROM reading
        WHERE reading.storage_unit_id = {piece}.storage_unit_id
            AND recorded_at {after} AND recorded_at < to_at
            AND recorded_at BETWEEN %(earliest)s AND %(latest)s
        OFFSET 0
    ) AS reading"""

# `piece` is a relation of (storage_unit_id, from_at, to_at), a half-open period. Sums are taken in order of
# time, so that the same readings give the same digits in any order of arrival. Nothing is joined after the readings are
# fetched: the planner takes thousands of pieces for one, and would try all pairs.
TIME_WEIGHTS = f"""
bounded AS (
    SELECT piece.*, {STALENESS_LIMIT} AS staleness_limit
    FROM piece JOIN storage_unit ON storage_unit.id = piece.storage_unit_id
),
valid AS (
    SELECT bounded.storage_unit_id, from_at, to_at, sensor_id, temperature_c,
        greatest(recorded_at, from_at) AS valid_from,
        least(
            lead(recorded_at) OVER (
                PARTITION BY bounded.storage_unit_id, from_at, to_at, sensor_id ORDER BY recorded_at
            ),
            recorded_at + staleness_limit,
            to_at
        ) AS valid_until
    FROM bounded CROSS JOIN {READINGS_OF_PIECE.format(piece="bounded", after="> from_at - staleness_limit")}
),
weighted AS (
    SELECT *, date_part('epoch', valid_until - valid_from) AS seconds
    FROM valid WHERE temperature_c IS NOT NULL AND valid_until > valid_from
),
-- The time a reading covers that no earlier one does: sensors of one unit cover the same time only once.
covering AS (
    SELECT *, greatest(0, date_part('epoch', valid_until - greatest(valid_from, max(valid_until) OVER before)))
        AS newly_covered_seconds
    FROM weighted
    WINDOW before AS (
        PARTITION BY storage_unit_id, from_at, to_at ORDER BY valid_from, sensor_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
weights AS (
    SELECT storage_unit_id, from_at, to_at, sensor_id,
        sum(seconds ORDER BY valid_from) AS weighted_seconds,
        sum(seconds * temperature_c ORDER BY valid_from) AS weighted_sum_c,
        sum(seconds * {ARRHENIUS_SQL} ORDER BY valid_from) AS weighted_arrhenius,
        sum(newly_covered_seconds ORDER BY valid_from) AS covered_seconds
    FROM covering GROUP BY 1, 2, 3, 4
)
"""  # noqa: S608  constants only
