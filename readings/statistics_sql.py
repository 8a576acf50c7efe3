"""The queries of `readings.statistics`: each gives sums by storage unit, or what a level can't answer."""

from readings.store_sql import MEASURES
from readings.weighing import READINGS_OF_PIECE, WEIGH

_COUNTS = """
    sum(reading_count)::bigint AS reading_count, sum(fault_count)::bigint AS fault_count,
    sum(normal_count)::bigint AS normal_count, sum(warning_count)::bigint AS warning_count,
    sum(error_count)::bigint AS error_count, sum(good_count)::bigint AS good_count,
    sum(sum_micro_c)::bigint AS sum_micro_c, min(min_c) AS min_c, max(max_c) AS max_c"""


def _weights(span: str) -> str:
    """Sums of fractions in a fixed order, so that the same readings give the same digits."""
    return ", ".join(
        f"sum({measure} ORDER BY {span}, sensor_id) AS {measure}"
        for measure in ("weighted_seconds", "weighted_sum_c", "weighted_arrhenius", "covered_seconds")
    )


# Looked up span by span in the primary key; see `weighing` for why.
_DAYS = """unnest(%(unit_ids)s, %(firsts)s::date[], %(ends)s::date[]) AS asked (unit_id, first, until)
    CROSS JOIN LATERAL (
        SELECT * FROM daily_rollup
        WHERE storage_unit_id = unit_id AND local_date >= first AND local_date < until OFFSET 0
    ) AS rollup"""
_HOURS = """unnest(%(unit_ids)s, %(starts)s::timestamptz[], %(ends)s::timestamptz[]) AS asked (unit_id, first, until)
    CROSS JOIN LATERAL (
        SELECT * FROM hourly_rollup
        WHERE storage_unit_id = unit_id AND hour >= first AND hour < until OFFSET 0
    ) AS rollup"""


def _all_but(rollup: str, span: str, kind: str) -> str:
    """Sums over a roll-up without the days or hours that are to be answered by the level below."""
    return f"""
SELECT storage_unit_id, {_COUNTS}, {_weights(span)}
FROM {rollup}
WHERE (storage_unit_id, {span}) NOT IN (SELECT * FROM unnest(%(below_unit_ids)s::int[], %(below)s::{kind}[]))
GROUP BY storage_unit_id"""  # noqa: S608  names of ours, no input


UNSETTLED_DAYS = f"SELECT DISTINCT storage_unit_id, local_date FROM {_DAYS} WHERE NOT is_settled"  # noqa: S608
UNSETTLED_HOURS = f"SELECT DISTINCT storage_unit_id, hour FROM {_HOURS} WHERE NOT is_settled"  # noqa: S608
ALL_BUT_THOSE_DAYS = _all_but(_DAYS, "local_date", "date")
ALL_BUT_THOSE_HOURS = _all_but(_HOURS, "hour", "timestamptz")

_PIECES = """piece AS (
    SELECT * FROM unnest(%(unit_ids)s, %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS piece (storage_unit_id, from_at, to_at)
)"""
RAW_COUNTS = f"""
WITH {_PIECES}
SELECT reading.storage_unit_id, {MEASURES}
FROM piece CROSS JOIN {READINGS_OF_PIECE.format(piece="piece", after=">= from_at")}
GROUP BY reading.storage_unit_id
"""  # noqa: S608  names of ours, no input
RAW_WEIGHTS = f"""
WITH {_PIECES},
{WEIGH}
SELECT storage_unit_id, {_weights("from_at")}
FROM weights GROUP BY storage_unit_id
"""  # noqa: S608  names of ours, no input
