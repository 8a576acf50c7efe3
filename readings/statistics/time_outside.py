"""For how long a unit was outside its limits: exact, from its readings, and only where there is something to look at.

No roll-up can tell it: an hour's highest temperature says whether it was too warm, not for how long. So the hourly
roll-up names the hours with a temperature outside the limits, and only the readings of those hours, and of what they
stood for afterwards, are weighed. Where that is more than MOST_TO_WEIGH, the answer is that it is not known, rather
than a guess; a shorter range has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from readings.spans import Span
from readings.storage.rollups import LONGEST_GAP
from readings.storage.time_weighting import STALENESS_LIMIT, WEIGH
from readings.units.condition import LimitsInForce

# A month of readings, be it of one a minute, is weighed in some hundredths of a second.
MOST_TO_WEIGH = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class TimeOutside:
    """How long the temperature was beyond the limit of a warning, and how long of it beyond the critical one."""

    outside: timedelta
    critical: timedelta


def time_outside(unit_id: int, span: Span, limits: LimitsInForce) -> TimeOutside | None:
    """The time in `span` in which a reading of any sensor that stood was outside `limits`.

    None where it is not known: there are no limits, or it was outside in too much of the range. At most two queries.
    """
    if not limits or span.is_empty:
        return None
    parameters: dict[str, Any] = {"unit_id": unit_id, "start": span.start, "end": span.end}
    parameters["low"], parameters["high"] = limits.widened(limits.lowest_and_highest)
    parameters["low_critical"], parameters["high_critical"] = limits.widened(limits.critical)
    with connection.cursor() as cursor:
        cursor.execute(STRETCHES, parameters)
        stretches: list[tuple[datetime, datetime]] = cursor.fetchall()
        if not stretches:
            return TimeOutside(timedelta(), timedelta())
        if sum((until - since for since, until in stretches), timedelta()) > MOST_TO_WEIGH:
            return None
        since, until = zip(*stretches, strict=True)
        bounds = {
            "earliest": min(since) - LONGEST_GAP,
            "latest": max(until),
            "since": list(since),
            "until": list(until),
        }
        cursor.execute(WEIGHED, parameters | bounds)
        outside, critical = cursor.fetchone()
    return TimeOutside(timedelta(seconds=outside), timedelta(seconds=critical))


# A reading stands on for as long as the gap limit: what stood when the range began may have come before it.
STRETCHES = f"""
WITH unit AS (SELECT id, {STALENESS_LIMIT} AS staleness_limit FROM storage_unit WHERE id = %(unit_id)s),
suspicious AS (
    SELECT range_agg(tstzrange(hour, hour + interval '1 hour' + staleness_limit))
        * tstzmultirange(tstzrange(%(start)s, %(end)s)) AS stretches
    FROM unit JOIN hourly_rollup ON storage_unit_id = unit.id
        AND hour > %(start)s - staleness_limit - interval '1 hour' AND hour < %(end)s
    WHERE max_c > %(high)s OR min_c < %(low)s
)
SELECT lower(stretch), upper(stretch) FROM suspicious CROSS JOIN unnest(stretches) AS stretch
"""  # noqa: S608  names of ours, no input
# Where there is no limit, nothing is above or below it.
_SECONDS = """
    (SELECT coalesce(sum(date_part('epoch', upper(stretch) - lower(stretch))), 0)
     FROM unnest(
        range_agg(tstzrange(stands_from, stands_until))
            FILTER (WHERE temperature_c > %(high{kind})s OR temperature_c < %(low{kind})s)
     ) AS stretch)"""
WEIGHED = f"""
WITH piece AS (
    SELECT %(unit_id)s::int AS storage_unit_id, from_at, to_at
    FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) AS stretch (from_at, to_at)
),
{WEIGH}
SELECT {_SECONDS.format(kind="")}, {_SECONDS.format(kind="_critical")}
FROM stood
"""  # noqa: S608  names of ours, no input
