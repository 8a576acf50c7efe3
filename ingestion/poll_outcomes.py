"""Whether readings are stored, judged by the outcome: sources that are polled successfully, and on time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from ingestion.models.source import LATE_GRACE, LATE_INTERVALS

# Fewer sources may all be down at the same time without a cause in this system.
MIN_SOURCES = 3
MAX_LATE_SHARE = 0.5
# After so many times the mean time between polls, at least a minute, without a success.
SILENT_POLLS = 10
MIN_SILENCE = timedelta(seconds=60)

_OUTCOMES = """
SELECT count(*), count(*) FILTER (WHERE %(now)s - succeeded_at > late_after),
    max(last_success_at), max(succeeded_at), coalesce(sum(1.0 / interval_seconds), 0)::float8
FROM (
    SELECT interval_seconds, last_success_at, coalesce(last_success_at, source.created_at) AS succeeded_at,
        interval_seconds * %(late_intervals)s * interval '1 second' + %(late_grace)s * interval '1 second' AS late_after
    FROM source JOIN customer ON customer.id = source.customer_id
    WHERE NOT is_paused AND url <> '' AND customer.is_active
) AS polled
"""


def storing_problem(now: datetime) -> str | None:
    """Return why readings seem not to be stored, None if they are. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            _OUTCOMES,
            {"now": now, "late_intervals": LATE_INTERVALS, "late_grace": LATE_GRACE.total_seconds()},
        )
        count, late, last_success_at, since, polls_per_second = cursor.fetchone()
    if count < MIN_SOURCES:
        return None
    if late > MAX_LATE_SHARE * count:
        return f"{late:,} of {count:,} sources are late"
    if now - since > max(MIN_SILENCE, timedelta(seconds=SILENT_POLLS / polls_per_second)):
        told = f"{last_success_at:%Y-%m-%d %H:%M:%S} UTC" if last_success_at else "the sources were added"
        return f"no source was polled successfully since {told}"
    return None
