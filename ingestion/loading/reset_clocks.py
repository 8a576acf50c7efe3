"""Find rows of devices whose clocks were reset, by comparison with the time of receipt and with what is stored.

A body may consist of such rows only, which nothing in it shows. Rows from years ago are stored if they are near stored
readings of their unit, if the body continues them up to now, or if its mapping accepts old readings.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
from django.db import connection

from ingestion.parsing.rejection_reasons import Reason, message_for
from ingestion.parsing.reset_clocks import UNIT, begins_like_reset_clock, spans_of_units
from ingestion.parsing.results import ParsedBatch, RejectedReading
from ingestion.parsing.values.timestamps import microseconds

# Rows that are this old are compared. They are alone if no reading of their unit is nearer than half of it.
YEARS_AWAY = timedelta(days=2 * 365)
# A person who imports a file is more likely to mean a history.
FILE_YEARS_AWAY = timedelta(days=10 * 365)
# So are rows of a year ago that begin like a clock that was reset, on the first of January, unless they span a month;
# those of earlier years unless they span most of it.
YEAR_AWAY = timedelta(days=365)
MONTH = timedelta(days=28)
MOST_OF_A_YEAR = timedelta(days=300)
# More rows of one unit, among newer ones, are its history rather than those of a device that lost its clock.
MAX_ROWS_APART = 100

# `ends_old`: the body has no newer rows of the unit. By the hour, from the roll-ups, which also sum archived readings.
_ALONE = """
SELECT sent.storage_unit_id
FROM unnest(%(unit_ids)s::int[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[], %(ends_old)s::boolean[])
    AS sent (storage_unit_id, first, last, ends_old)
LEFT JOIN latest_reading USING (storage_unit_id)
WHERE (ends_old OR latest_reading.recorded_at >= sent.last + %(away)s::interval) AND NOT EXISTS (
    SELECT FROM hourly_rollup AS hourly WHERE hourly.storage_unit_id = sent.storage_unit_id AND reading_count > 0
        AND hour BETWEEN sent.first - %(away)s::interval / 2 AND sent.last + %(away)s::interval / 2
)
"""


def without_reset_clocks(
    readings: pl.DataFrame,
    batch: ParsedBatch,
    received_at: datetime,
    since: datetime | None = None,
    *,
    is_file: bool = False,
) -> tuple[pl.DataFrame, list[RejectedReading]]:
    """Return the readings without those that are years older than now or all others of their units: these are rejected.

    `since` is when the requested period began: rows from years before it were not asked for. `is_file`: a person
    imports the rows, and may mean a history.
    """
    begins_at = since or received_at
    oldest = readings["recorded_at"].min()
    if batch.accepts_old_readings or not isinstance(oldest, datetime) or oldest >= begins_at - YEAR_AWAY:
        return readings, []
    reset = _years_old(readings, batch, begins_at, is_compared=not is_file, is_limited=since is None)
    reset |= _begun_in_january(readings.filter(~pl.col("storage_unit_id").is_in(reset)), batch, begins_at)
    if not reset:
        return readings, []
    is_reset = pl.col("storage_unit_id").is_in(reset) & (pl.col("recorded_at") < begins_at - YEAR_AWAY)
    rejected = [
        RejectedReading(number, Reason.CLOCK_RESET, _message(at), batch.raw_row(number))
        for number, at in readings.filter(is_reset).select("row_number", "recorded_at").rows()
    ]
    return readings.filter(~is_reset), rejected


def _years_old(
    readings: pl.DataFrame, batch: ParsedBatch, begins_at: datetime, *, is_compared: bool, is_limited: bool
) -> set[int]:
    """Return the units whose rows from years ago are alone.

    `is_compared`: rows of units with newer rows are compared as well, `is_limited`: if they are few. Otherwise only
    units whose rows are all from years ago are looked at, from many years ago if those of the other units are as well.
    """
    newest = _spans_of_body(batch)["newest"].max()
    is_current = isinstance(newest, datetime) and newest >= begins_at - YEARS_AWAY
    away = YEARS_AWAY if is_compared or is_current else FILE_YEARS_AWAY
    spans = _spans(readings, batch, begins_at - away)
    is_candidate = pl.col("ends_old")
    if is_compared:
        is_candidate |= (pl.col("count") <= MAX_ROWS_APART) | pl.lit(not is_limited)
    return _units_alone(spans.filter(is_candidate), YEARS_AWAY)


def _begun_in_january(readings: pl.DataFrame, batch: ParsedBatch, begins_at: datetime) -> set[int]:
    """Return the units all of whose rows are a year old, begin like a clock that was reset, and are alone."""
    spans = _spans(readings, batch, begins_at - YEAR_AWAY)
    is_earlier = pl.col("newest") < begins_at - YEARS_AWAY
    span = pl.col("newest") - pl.col("oldest")
    spans = spans.filter(pl.col("ends_old") & ((span < MONTH) | (is_earlier & (span < MOST_OF_A_YEAR))))
    begins = [begins_like_reset_clock(microseconds(at)) for at in spans["oldest"]]
    return _units_alone(spans.filter(pl.Series(begins, dtype=pl.Boolean)), YEAR_AWAY)


def _spans(readings: pl.DataFrame, batch: ParsedBatch, before: datetime) -> pl.DataFrame:
    """Return the span and the number of the rows of each unit from before a time, and its span in the whole body."""
    old = readings.filter(pl.col("recorded_at") < before)
    return (
        old.join(_spans_of_body(batch), on=UNIT, how="left", nulls_equal=True)
        .group_by("storage_unit_id")
        .agg(
            first=pl.col("recorded_at").min(),
            last=pl.col("recorded_at").max(),
            oldest=pl.col("oldest").min(),
            newest=pl.col("newest").max(),
            count=pl.len(),
        )
        .with_columns(ends_old=pl.col("newest") < before)
    )


def _spans_of_body(batch: ParsedBatch) -> pl.DataFrame:
    return batch.spans_of_units if batch.spans_of_units is not None else spans_of_units(batch.readings)


def _units_alone(spans: pl.DataFrame, away: timedelta) -> set[int]:
    """Return the units that have no stored readings near these spans, and newer ones unless their body ends old."""
    if spans.is_empty():
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            _ALONE,
            {
                "unit_ids": spans["storage_unit_id"].to_list(),
                "firsts": spans["first"].to_list(),
                "lasts": spans["last"].to_list(),
                "ends_old": spans["ends_old"].to_list(),
                "away": f"{away.days} days",
            },
        )
        return {unit_id for (unit_id,) in cursor.fetchall()}


def _message(at: datetime) -> str:
    return message_for(
        Reason.CLOCK_RESET,
        value=f"{at:%Y-%m-%d %H:%M:%S} UTC",
        why="years away from now and from the other readings of its unit",
    )
