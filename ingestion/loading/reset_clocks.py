"""Find rows of devices whose clocks were reset, by comparison with what is stored of their units.

A body may consist of such rows only, which nothing in it shows. Files that people import are not compared: they may be
of any time. Of what was not requested as a period, such as a push, only a few rows are compared: more are a history.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
from django.db import connection

from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.results import ParsedBatch, RejectedReading

# Rows that are this much older than the unit's newest reading, with no other reading nearer than half of it.
YEARS_AWAY = timedelta(days=2 * 365)
# More rows of one unit are its history rather than those of a device that lost its clock.
MAX_ROWS_APART = 100

_ALONE = """
SELECT sent.storage_unit_id
FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[])
    AS sent (storage_unit_id, first, last)
JOIN latest_reading USING (storage_unit_id)
WHERE latest_reading.recorded_at >= sent.last + %(away)s::interval AND NOT EXISTS (
    SELECT FROM reading WHERE reading.storage_unit_id = sent.storage_unit_id
        AND reading.recorded_at BETWEEN sent.first - %(away)s::interval / 2 AND sent.last + %(away)s::interval / 2
)
"""


def without_reset_clocks(
    readings: pl.DataFrame, batch: ParsedBatch, received_at: datetime, since: datetime | None = None
) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Return the readings without those that are years older than all others of their units, which are rejected.

    `since` is when the requested period began: rows from years before it were not asked for.
    """
    is_old = pl.col("recorded_at") < (since or received_at) - YEARS_AWAY
    old = readings.filter(is_old)
    if old.is_empty():
        return readings, []
    spans = (
        old.group_by("storage_unit_id")
        .agg(first=pl.col("recorded_at").min(), last=pl.col("recorded_at").max(), count=pl.len())
        .filter((pl.col("count") <= MAX_ROWS_APART) | (since is not None))
    )
    is_reset = is_old & pl.col("storage_unit_id").is_in(_units_alone(spans))
    rejected = [
        RejectedReading(number, Reason.CLOCK_RESET, _message(at), batch.raw_row(number))
        for number, at in readings.filter(is_reset).select("row_number", "recorded_at").rows()
    ]
    return readings.filter(~is_reset), rejected


def _units_alone(spans: pl.DataFrame) -> list[int]:
    """Return the units that have newer readings, and none near the sent ones."""
    if spans.is_empty():
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _ALONE,
            {
                "unit_ids": spans["storage_unit_id"].to_list(),
                "firsts": spans["first"].to_list(),
                "lasts": spans["last"].to_list(),
                "away": f"{YEARS_AWAY.days} days",
            },
        )
        return [unit_id for (unit_id,) in cursor.fetchall()]


def _message(at: datetime) -> str:
    return message_for(
        Reason.CLOCK_RESET, value=f"{at:%Y-%m-%d %H:%M:%S} UTC", why="years before the other readings of its unit"
    )
