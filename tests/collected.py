"""What a system has collected, unit by unit, for comparison with the simulator's ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from tests.databases import Database
from tests.running_system import ask

COLLECTED = """
SELECT customer_code, unit_code, count(*), count(*) FILTER (WHERE temperature_c IS NULL),
    coalesce(sum(round(1000 * CASE scale WHEN 'F' THEN temperature_c * 9 / 5 + 32 ELSE temperature_c END)), 0)::bigint,
    min(recorded_at), max(recorded_at)
FROM (
    SELECT storage_unit_id, recorded_at, temperature_c, scale FROM reading
    UNION ALL SELECT storage_unit_id, recorded_at, temperature_c, scale FROM future_reading
) AS stored
    JOIN storage_unit ON storage_unit.id = storage_unit_id
    JOIN facility ON facility.id = facility_id
    JOIN customer ON customer.id = customer_id
WHERE recorded_at >= %(since)s AND recorded_at < coalesce(%(until)s, 'infinity'::timestamptz)
GROUP BY 1, 2
"""

# Every measure that a roll-up sums from readings, by unit, next to the same measure of the readings themselves.
ROLLUPS_ASTRAY = """
WITH raw AS (
    SELECT storage_unit_id, count(*) AS count, count(*) FILTER (WHERE temperature_c IS NULL) AS faults,
        coalesce(sum(round(temperature_c * 9000000)), 0)::bigint AS sum, min(temperature_c), max(temperature_c)
    FROM reading GROUP BY 1
), hourly AS (
    SELECT storage_unit_id, sum(reading_count) AS count, sum(fault_count) AS faults,
        sum(sum_ninth_micro_c)::bigint AS sum, min(min_c), max(max_c)
    FROM hourly_rollup GROUP BY 1
), daily AS (
    SELECT storage_unit_id, sum(reading_count) AS count, sum(fault_count) AS faults,
        sum(sum_ninth_micro_c)::bigint AS sum, min(min_c), max(max_c)
    FROM daily_rollup GROUP BY 1
)
SELECT storage_unit_id FROM raw FULL JOIN hourly USING (storage_unit_id) FULL JOIN daily USING (storage_unit_id)
WHERE (raw.count, raw.faults, raw.sum, raw.min, raw.max)
        IS DISTINCT FROM (hourly.count, hourly.faults, hourly.sum, hourly.min, hourly.max)
    OR (raw.count, raw.faults, raw.sum, raw.min, raw.max)
        IS DISTINCT FROM (daily.count, daily.faults, daily.sum, daily.min, daily.max)
"""

LATEST_ASTRAY = """
SELECT storage_unit_id FROM (SELECT storage_unit_id, max(recorded_at) FROM reading GROUP BY 1) AS newest
    FULL JOIN latest_reading USING (storage_unit_id)
WHERE newest.max IS DISTINCT FROM recorded_at
"""


@dataclass(frozen=True)
class Account:
    """What a unit's readings add up to; temperatures in thousandths of a degree of the scale they were sent in."""

    count: int
    nulls: int
    sum_thousandths: int
    first: datetime | None
    last: datetime | None


INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
NOTHING = Account(0, 0, 0, None, None)
Accounts = dict[tuple[str, str], Account]


class Difference(NamedTuple):
    """How a database differs from the ledger: rows missing, rows too many, units with rows that read otherwise."""

    missing: int
    extra: int
    changed: int


NONE_AT_ALL = Difference(missing=0, extra=0, changed=0)


def accounts_in(database: Database, since: datetime, until: datetime | None = None) -> Accounts:
    """Return what the system holds for each (customer, unit) from `since` on, before `until` if given."""
    return {(row[0], row[1]): Account(*row[2:]) for row in database.rows(COLLECTED, {"since": since, "until": until})}


def accounts_due(urls: dict[str, str], since: datetime, until: datetime | None = None) -> Accounts:
    """Return what a perfect collector would hold for each (customer, unit) from `since` on, before `until` if given."""
    period = f"start={since:{INSTANT}}" + (f"&end={until:{INSTANT}}" if until else "")
    ledgers = {code: ask(f"{url}/ledger?{period}") for code, url in urls.items()}
    return {
        (code, unit): _account(entry)
        for code, ledger in ledgers.items()
        for unit, entry in ledger["units"].items()
        if entry["count"]
    }


def difference(held: Accounts, due: Accounts) -> Difference:
    pairs = [(held.get(unit, NOTHING), due.get(unit, NOTHING)) for unit in held.keys() | due.keys()]
    return Difference(
        missing=sum(max(0, told.count - found.count) for found, told in pairs),
        extra=sum(max(0, found.count - told.count) for found, told in pairs),
        changed=sum(found != told for found, told in pairs if found.count == told.count),
    )


def _account(entry: dict[str, Any]) -> Account:
    first, last = (entry[name] and datetime.fromisoformat(entry[name]) for name in ("first", "last"))
    return Account(entry["count"], entry["nulls"], entry["sum_thousandths"], first, last)
