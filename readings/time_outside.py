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

from readings.rollups import LONGEST_GAP
from readings.scales import to_celsius
from readings.spans import Span
from readings.states import DeviationLimits
from readings.weighing import GAP_LIMIT, WEIGH

# A month of readings, be it of one a minute, is weighed in some hundredths of a second.
MOST_TO_WEIGH = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class TimeOutside:
    """How long the temperature was beyond the limit of a warning, and how long of it beyond the critical one."""

    outside: timedelta
    critical: timedelta


def time_outside(
    unit_id: int, set_temperature: float | None, scale: str, span: Span, limits: DeviationLimits
) -> TimeOutside | None:
    """The time in `span` in which a reading of any sensor that stood was outside; exactly at a limit is within.

    None where it is not known: the unit has no set temperature, or was outside in too much of the range. The set
    temperature is on `scale`. At most two queries.
    """
    if set_temperature is None or span.is_empty:
        return None
    set_c = to_celsius(set_temperature, scale)
    parameters: dict[str, Any] = {
        "unit_id": unit_id,
        "start": span.start,
        "end": span.end,
        "set_c": set_c,
        "warning": limits.warning_k,
        "critical": limits.critical_k,
    }
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
WITH unit AS (SELECT id, {GAP_LIMIT} AS gap_limit FROM storage_unit WHERE id = %(unit_id)s),
suspicious AS (
    SELECT range_agg(tstzrange(hour, hour + interval '1 hour' + gap_limit))
        * tstzmultirange(tstzrange(%(start)s, %(end)s)) AS stretches
    FROM unit JOIN hourly_rollup ON storage_unit_id = unit.id
        AND hour > %(start)s - gap_limit - interval '1 hour' AND hour < %(end)s
    WHERE max_c > %(set_c)s + %(warning)s OR min_c < %(set_c)s - %(warning)s
)
SELECT lower(stretch), upper(stretch) FROM suspicious CROSS JOIN unnest(stretches) AS stretch
"""  # noqa: S608  names of ours, no input
# As `states.state_of` rounds: 2.0000000000000004 is two kelvin.
_SECONDS = """
    (SELECT coalesce(sum(date_part('epoch', upper(stretch) - lower(stretch))), 0)
     FROM unnest(
        range_agg(tstzrange(stands_from, stands_until)) FILTER (WHERE abs(deviation) > %({limit})s)
     ) AS stretch)"""
WEIGHED = f"""
WITH piece AS (
    SELECT %(unit_id)s::int AS storage_unit_id, from_at, to_at
    FROM unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) AS stretch (from_at, to_at)
),
{WEIGH},
deviating AS (
    SELECT stands_from, stands_until, round((temperature_c - %(set_c)s)::numeric, 6) AS deviation FROM stood
)
SELECT {_SECONDS.format(limit="warning")}, {_SECONDS.format(limit="critical")}
FROM deviating
"""  # noqa: S608  names of ours, no input
