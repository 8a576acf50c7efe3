"""Lists of readings of many storage units, newest first, page by page.

The key's index holds each unit's readings in order of time. A page is merged from the newest rows of each unit. To keep
its cost independent of the number of units and months, only the time interval in which about a page of readings is
expected is searched first; if it held fewer, longer ones, and then all of it: three or four statements at most. How
many are expected follows from the days' counts, where those were read for the total, else from the units' intervals. Of
a page far below the newest row, the hours above it are counted by the roll-ups: one more statement, or two. Rows above
a page are passed over by their keys, without being fetched, if they are more than those on it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache, partial
from typing import NamedTuple

from core.api.pagination import Cursor
from core.db.prepared import Parameters, Prepared
from core.db.replica import read_connection
from readings.lists.filters import ReadingFilter
from readings.statistics.totals import RequestedUnit, totals_by_key
from readings.storage.archive.reading import with_archived
from readings.storage.reading_batch import instant_of, microseconds_of
from readings.storage.sql_arrays import READING_COLUMNS
from readings.time_ranges import DAY, HOUR, MICROSECOND, hour_from, hour_of
from readings.units.unit_refs import UnitRefs

# Multiples of a page's expected interval that are searched one after the other. Of many rows the interval is better
# known, and a longer one takes more time.
INTERVALS, INTERVALS_OF_MANY = (1.5, 24), (1.1, 2, 24)
SHORTEST_INTERVAL = timedelta(minutes=1)
# Fewer rows above a page are read faster than they are counted.
LEAST_SKIPPED = 1_000
# More than any list has.
UNKNOWN_TOTAL = sys.maxsize
_KEY = "recorded_at, storage_unit_id, sensor_id"
_COLUMNS = """storage_unit_id, sensor_id, recorded_at, temperature_c, scale, quality_score, {created_at},
    sensor_code, status.name"""


class Row(NamedTuple):
    """A stored reading with its sensor's code and its status's name."""

    unit_id: int
    sensor_id: int
    recorded_at: datetime
    temperature_c: float | None
    scale: str
    quality_score: float
    created_at: datetime
    sensor_code: str
    equipment_status: str

    def cursor(self, position: int, *, is_backwards: bool) -> Cursor:
        """Return the cursor after (or before) this row."""
        return Cursor(microseconds_of(self.recorded_at), self.unit_id, self.sensor_id, position, is_backwards)


class Counted(NamedTuple):
    """The number of rows; a_second: how many the units sent of late, None if that was not counted."""

    total: int
    a_second: float | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The readings of some units that a filter lets through."""

    unit_refs: UnitRefs
    wanted: ReadingFilter

    def count(self) -> Counted:
        """Count the rows, from the roll-ups where possible, else from the index. One to three queries."""
        newest = self._newest()
        if newest is None:
            return Counted(0)
        if self.wanted.is_empty:
            return self._count_of_days(newest)
        if self.wanted.has_only_times:
            requested = [RequestedUnit(unit_ref.unit_id, unit_ref.zone, 0) for unit_ref in self.unit_refs.values()]
            time_range = self.wanted.time_range()
            totals = totals_by_key(requested, time_range, with_weights=False)
            total = sum(each.reading_count for each in totals.values())
            return Counted(total, max(_rate(total, time_range.start, min(time_range.end, newest)), self._usual_rate()))
        conditions, parameters = self.wanted.conditions("unit.id")
        time_range = self.wanted.time_range()
        parameters |= {"unit_ids": list(self.unit_refs), "low": time_range.start, "high": time_range.end}
        high = min(time_range.end, newest)
        sql = COUNT_ROWS.format(conditions=conditions)
        return Counted(with_archived(self.unit_refs, [(time_range.start, high)], lambda: _number(sql, parameters)))

    def rows(
        self, limit: int, *, offset: int = 0, cursor: Cursor | None = None, counted: Counted | None = None
    ) -> list[Row]:
        """Return at most `limit` rows, newest first, after the cursor (before it, if it is backwards) and the offset.

        `counted` is the number of rows in all, if known: then a short page is known to be complete. Not after a cursor:
        readings above it may have been withdrawn since, so that its position says nothing of what is left.
        """
        rows: list[Row] = []
        a_second = counted.a_second if counted else None
        passed = offset
        newest = self._newest()
        if offset >= LEAST_SKIPPED and newest is not None and cursor is None and self.wanted.has_only_times:
            newest, offset, a_second = self._skip_hours(newest, offset, a_second)
        for low, high, is_all in self._intervals(newest, limit + offset, cursor, a_second):
            rows = with_archived(
                self.unit_refs, [(low, high)], partial(self._between, low, high, limit, offset, cursor)
            )
            is_whole = counted is not None and cursor is None and passed + len(rows) >= counted.total
            if is_all or is_whole or len(rows) == limit:
                break
        return rows

    def chunks(self, size: int, *, offset: int = 0, cursor: Cursor | None = None) -> Iterator[list[Row]]:
        """Yield all rows after the offset or the cursor, newest first, in chunks of at most `size`, each by its key."""
        a_second: float | None = None
        while rows := self.rows(size, offset=offset, cursor=cursor, counted=Counted(UNKNOWN_TOTAL, a_second)):
            yield rows
            if len(rows) < size:
                break
            offset, cursor = 0, rows[-1].cursor(0, is_backwards=False)
            # The next chunk is expected in as much time.
            a_second = _rate(len(rows), rows[-1].recorded_at, rows[0].recorded_at) or None

    def _count_of_days(self, newest: datetime) -> Counted:
        """Sum the days' counts; the units' rate is that since yesterday began, roughly: each zone has its own days."""
        yesterday = (newest - DAY).date()
        [(total, recent)] = COUNT_OF_DAYS.rows({"unit_ids": list(self.unit_refs), "yesterday": yesterday})
        seconds = (newest - datetime.combine(yesterday, time(), UTC)).total_seconds()
        return Counted(int(total), float(recent) / seconds or None)

    def _skip_hours(self, newest: datetime, offset: int, a_second: float | None) -> tuple[datetime, int, float | None]:
        """Return from which instant the rows after `offset` are to be read, how many to pass over, and their rate.

        The rows of whole hours above them are counted, as offsets are: with those that have arrived since `newest`.
        """
        time_range = self.wanted.time_range()
        high = min(time_range.end - MICROSECOND, newest)
        top, expected = hour_of(high), self._expected(offset, a_second)
        low = max(time_range.start, top - expected * INTERVALS[0])
        if top <= low or high - top >= expected:  # they are expected in the same hour
            return newest, offset, a_second
        # All of the newest hour is above; of another one the part until the end of the period is counted.
        begun = [] if high == newest else [(top, self._count_between(top, high))]
        end = top if begun else top + HOUR
        hours = COUNTS_OF_HOURS.rows({"unit_ids": list(self.unit_refs), "first": hour_from(low), "end": end})
        for begins_at, next_count in [*begun, *hours]:
            if next_count > offset:
                a_second = _rate(int(next_count), begins_at, min(begins_at + HOUR, high)) or a_second
                break
            newest, offset = begins_at - MICROSECOND, offset - int(next_count)
        return newest, offset, a_second

    def _count_between(self, low: datetime, high: datetime) -> int:
        parameters: Parameters = {"unit_ids": list(self.unit_refs), "low": low, "high": high + MICROSECOND}
        return with_archived(self.unit_refs, [(low, high)], lambda: _number(_COUNT_ALL, parameters))

    def _intervals(
        self, newest: datetime | None, count: int, cursor: Cursor | None, a_second: float | None
    ) -> Iterator[tuple[datetime, datetime, bool]]:
        """Yield the time intervals to search, both ends inclusive, and whether nothing lies beyond."""
        if newest is None:
            return
        time_range = self.wanted.time_range()
        low, high = time_range.start, min(time_range.end - MICROSECOND, newest)
        is_backwards = cursor is not None and cursor.is_backwards
        if cursor is not None:
            at = instant_of(cursor.microseconds)
            low, high = (max(low, at), high) if is_backwards else (low, min(high, at))
        if low > high:
            return
        expected = self._expected(count, a_second)
        for times in INTERVALS_OF_MANY if count >= LEAST_SKIPPED else INTERVALS:
            interval = expected * times
            if interval >= high - low:
                break
            yield (low, low + interval, False) if is_backwards else (high - interval, high, False)
        yield low, high, True

    def _expected(self, count: int, a_second: float | None) -> timedelta:
        """Return the time in which the units are expected to send this many readings."""
        seconds = min((count + len(self.unit_refs)) / (a_second or self._usual_rate()), 400 * DAY.total_seconds())
        return max(timedelta(seconds=seconds), SHORTEST_INTERVAL)

    def _usual_rate(self) -> float:
        """Return how many readings a second the units send by their intervals."""
        return sum(1 / unit_ref.interval_seconds for unit_ref in self.unit_refs.values())

    def _newest(self) -> datetime | None:
        return max((unit_ref.newest_at for unit_ref in self.unit_refs.values() if unit_ref.newest_at), default=None)

    def _between(self, low: datetime, high: datetime, limit: int, offset: int, cursor: Cursor | None) -> list[Row]:
        is_backwards = cursor is not None and cursor.is_backwards
        direction = "ASC" if is_backwards else "DESC"
        conditions, parameters = self.wanted.conditions("unit.id")
        if cursor is not None:
            conditions += f" AND ({_KEY}) {'>' if is_backwards else '<'} (%(at)s, %(at_unit)s, %(at_sensor)s)"
            parameters |= {
                "at": instant_of(cursor.microseconds),
                "at_unit": cursor.first_id,
                "at_sensor": cursor.second_id,
            }
        parameters |= {
            "unit_ids": list(self.unit_refs), "low": low, "high": high,
            "needed": limit + offset, "limit": limit, "offset": offset,
        }  # fmt: skip
        page = page_sql(conditions, direction, by_keys=offset > limit)
        # With its conditions a filter would be one of hundreds of statements.
        rows = _fetch_prepared(page, parameters) if self.wanted.has_only_times else _fetch(page, parameters)
        return rows[::-1] if is_backwards else rows


def _rate(count: int, since: datetime, until: datetime) -> float:
    """Return the readings a second of a period, 0 without a length."""
    seconds = (until - since).total_seconds()
    return count / seconds if seconds > 0 else 0.0


def latest_rows(unit_refs: UnitRefs, wanted: ReadingFilter, limit: int) -> list[Row]:
    """Return the latest reading of each unit that passes the filter, newest first. One query."""
    conditions, parameters = wanted.conditions("reading.storage_unit_id")
    time_range = wanted.time_range()
    parameters |= {"unit_ids": list(unit_refs), "low": time_range.start, "high": time_range.end, "limit": limit}
    if not unit_refs:
        return []
    if conditions:
        return _fetch(LATEST.format(conditions=conditions), parameters)
    return _fetch_prepared(LATEST.format(conditions=""), parameters)


def stored_row(unit_id: int, sensor_code: str, recorded_at: datetime) -> Row | None:
    """Return the stored reading of a sensor at an instant, in effect or future, None if there is none."""
    parameters = {"unit_id": unit_id, "sensor_code": sensor_code, "recorded_at": recorded_at}
    stored = partial(_fetch_prepared, STORED, parameters)
    return next(iter(with_archived([unit_id], [(recorded_at, recorded_at)], stored)), None)


# Every day of a unit has its row, whatever the zone: no raw reading is counted. Days before the counts of the units are
# not read, if all of them have one up to the same date.
COUNT_OF_DAYS = Prepared("""
WITH counted AS (
    SELECT count(*) = cardinality(%(unit_ids)s::int[]) AND min(before) = max(before) AS is_known,
        min(before) AS before, sum(reading_count) AS reading_count
    FROM reading_count WHERE storage_unit_id = ANY(%(unit_ids)s::int[])
)
SELECT coalesce((SELECT reading_count FROM counted WHERE is_known), 0) + coalesce(sum(reading_count), 0),
    coalesce(sum(reading_count) FILTER (WHERE local_date >= %(yesterday)s), 0)
FROM daily_rollup
WHERE storage_unit_id = ANY(%(unit_ids)s::int[])
    AND local_date >= coalesce((SELECT before FROM counted WHERE is_known), '-infinity')
""")
COUNT_ROWS = """
SELECT coalesce(sum(each.count), 0) FROM unnest(%(unit_ids)s::int[]) AS unit (id) CROSS JOIN LATERAL (
    SELECT count(*) FROM reading
    WHERE storage_unit_id = unit.id AND recorded_at >= %(low)s AND recorded_at < %(high)s{conditions}
) AS each
"""
_COUNT_ALL = COUNT_ROWS.format(conditions="")
COUNTS_OF_HOURS = Prepared("""
SELECT hour, sum(reading_count) FROM hourly_rollup
WHERE storage_unit_id = ANY(%(unit_ids)s) AND hour >= %(first)s AND hour < %(end)s
GROUP BY hour ORDER BY hour DESC
""")
_JOINED = """
    JOIN (SELECT id, sensor_code FROM sensor) AS sensor ON sensor.id = sensor_id
    JOIN equipment_status AS status ON status.id = equipment_status_id"""


def page_sql(conditions: str, direction: str, *, by_keys: bool) -> str:
    """Return the query of a page.

    The bounds let the planner leave other months' partitions out. `by_keys` passes over the rows above the page in the
    index, which has the keys alone, and then looks up the page's rows.
    """
    order = f"recorded_at {direction}, storage_unit_id {direction}, sensor_id {direction}"
    merged = f"""(
    SELECT each.* FROM unnest(%(unit_ids)s::int[]) AS unit (id) CROSS JOIN LATERAL (
        SELECT {_KEY if by_keys else "*"} FROM reading
        WHERE storage_unit_id = unit.id AND recorded_at >= %(low)s AND recorded_at <= %(high)s{conditions}
        ORDER BY recorded_at {direction}, sensor_id {direction} LIMIT %(needed)s
    ) AS each
    ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s
)"""  # noqa: S608  constants only
    page = f"{merged} AS page"
    if by_keys:
        page = f"""{merged} AS key (at, at_unit, at_sensor) CROSS JOIN LATERAL (
    SELECT * FROM reading
    WHERE recorded_at = key.at AND storage_unit_id = key.at_unit AND sensor_id = key.at_sensor
        AND recorded_at >= %(low)s AND recorded_at <= %(high)s
    OFFSET 0
) AS page"""  # noqa: S608  constants only
    columns = _COLUMNS.format(created_at="page.created_at")
    return f"SELECT {columns} FROM {page} {_JOINED} ORDER BY {order}"  # noqa: S608  constants only


LATEST = f"""
SELECT {_COLUMNS.format(created_at="reading.created_at")}
FROM latest_reading AS reading {_JOINED}
WHERE storage_unit_id = ANY(%(unit_ids)s) AND recorded_at >= %(low)s AND recorded_at < %(high)s{{conditions}}
ORDER BY recorded_at DESC, storage_unit_id DESC LIMIT %(limit)s
"""  # noqa: S608  constants only
_AT_INSTANT = f"""SELECT {READING_COLUMNS}, created_at FROM {{table}}
    WHERE storage_unit_id = %(unit_id)s AND recorded_at = %(recorded_at)s"""  # noqa: S608  constants only
# Both tables in one statement: meanwhile a future reading may become one.
STORED = f"""
SELECT {_COLUMNS.format(created_at="stored.created_at")} FROM (
    {_AT_INSTANT.format(table="reading")}
    UNION ALL {_AT_INSTANT.format(table="future_reading")}
) AS stored {_JOINED}
WHERE sensor_code = %(sensor_code)s
"""  # noqa: S608  constants only


def _fetch(sql: str, parameters: Parameters) -> list[Row]:
    with read_connection().cursor() as cursor:
        cursor.execute(sql, parameters)
        return [Row._make(row) for row in cursor.fetchall()]


def _fetch_prepared(sql: str, parameters: Parameters) -> list[Row]:
    return [Row._make(row) for row in _prepared(sql).rows(parameters)]


@cache
def _prepared(sql: str) -> Prepared:
    return Prepared(sql)


def _number(sql: str, parameters: Parameters) -> int:
    with read_connection().cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.fetchone()[0])
