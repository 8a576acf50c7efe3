"""The only way into the tables of readings.

In the caller's transaction `store` inserts the new rows of a batch, adds exactly the inserted rows to the hourly and
daily roll-ups and the latest readings, and reports duplicates and contradictions. Storing the same rows again, in any
order and any splitting, changes nothing. Rows dated ahead are kept apart until their time has come, see
`readings.storage.future_readings`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from django.db import connection, transaction

from core.db.prepared import Row
from readings.storage import few_readings, store_sql
from readings.storage.partitions import ensure_partitions, month_start
from readings.storage.reading_batch import ReadingBatch, Rows, instant_of, microseconds_of

# Clocks differ by seconds: a reading that is ahead by no more takes effect at once.
CLOCK_TOLERANCE = timedelta(seconds=60)
# Up to so many rows planning costs more than reading them from arrays, see `readings.storage.few_readings`. Either way
# costs the same at 1,000.
FEW_ROWS = 500


class UnknownUnits(ValueError):  # noqa: N818 - reads better where it is caught
    """The batch refers to storage units that do not exist."""


@dataclass(frozen=True, slots=True)
class NewSpan:
    """The first and the last instant of a unit's newly stored readings."""

    first: datetime
    last: datetime


class StoredSpan(NamedTuple):
    """Rows of a unit that were stored at one instant, their `created_at`: between `first` and `last`."""

    stored_at: datetime
    unit_id: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The outcome of a batch: each of its rows is stored, a duplicate or a contradiction.

    contradictions: indexes (from 0) of the rows whose key is stored with another temperature.
    new_spans: by the id of each unit that got new readings.
    units_ahead: the ids of the units with stored rows that are dated ahead, which are no readings yet.
    spans: of all stored rows, also of those dated ahead. As the units are locked, their instants identify the rows.
    """

    stored: int = 0
    duplicates: int = 0
    contradictions: list[int] = field(default_factory=list)
    new_spans: dict[int, NewSpan] = field(default_factory=dict)
    units_ahead: frozenset[int] = frozenset()
    spans: list[StoredSpan] = field(default_factory=list, compare=False)


@transaction.atomic
def store(columns: ReadingBatch, received_at: datetime | None = None) -> StoreResult:
    """Store a batch; see the module's docstring.

    Rows dated more than CLOCK_TOLERANCE after `received_at` are stored as future readings; without it there are none.
    Of several rows with one key (unit, sensor, time) the first in the batch counts. Transactions that store for one
    unit are serialised by a lock that lasts until they end. Raise UnknownUnits, or IntegrityError for values that
    violate the table's constraints; then nothing is stored.
    """
    if not len(columns):
        return StoreResult()
    lock_units(np.unique(columns.storage_unit_id).tolist())
    ensure_partitions(_months(columns.recorded_at_us))
    firsts, repeats = columns.in_key_order()
    if len(columns) <= FEW_ROWS and not len(repeats) and not _reaches_ahead(columns, received_at):
        return _store_few(columns, firsts)
    known, contradictions = _stage_new(columns, firsts)
    ahead, kept = _keep_future(columns, received_at) if received_at and known < len(firsts) else ([], 0)
    spans, stored = _upsert() if known + kept < len(firsts) else ([], 0)
    new_spans = _new_spans(spans)
    stored += kept
    if len(repeats):
        # By now a reading is stored for every key, to which its repetitions are compared.
        contradictions += _stage_new(columns, repeats)[1]
    duplicates = len(columns) - stored - len(contradictions)
    units_ahead = frozenset(span.unit_id for span in ahead)
    return StoreResult(stored, duplicates, sorted(contradictions), new_spans, units_ahead, [*spans, *ahead])


def _store_few(columns: ReadingBatch, rows: Rows) -> StoreResult:
    """Store a few rows of different keys, none of which is dated ahead."""
    known = few_readings.find_known(columns, rows)
    new = rows[~np.isin(rows, list(known))] if known else rows
    spans, stored = _spans(few_readings.insert(columns, new)) if len(new) else ([], 0)
    contradictions = sorted(index for index, is_contradiction in known.items() if is_contradiction)
    duplicates = len(known) - len(contradictions)
    return StoreResult(stored, duplicates, contradictions, _new_spans(spans), spans=spans)


def lock_units(unit_ids: list[int]) -> None:
    """Take the lock that serialises storing for these units until the transaction ends. Raise UnknownUnits."""
    with connection.cursor() as cursor:
        cursor.execute(store_sql.LOCK_UNITS, [unit_ids])
        unknown = set(unit_ids) - {unit_id for (unit_id,) in cursor.fetchall()}
    if unknown:
        raise UnknownUnits(f"No storage units have these ids: {sorted(unknown)}.")


def _stage_new(columns: ReadingBatch, rows: Rows) -> tuple[int, list[int]]:
    """Put the rows whose key is not stored yet into the staging table.

    Return the number already stored, and the indexes of those that contradict the stored reading.
    """
    first, last = (instant_of(int(end(columns.recorded_at_us))) for end in (np.min, np.max))
    with connection.cursor() as cursor:
        cursor.execute(store_sql.PREPARE_STAGING)
        cursor.copy_expert(store_sql.COPY_STAGING, columns.to_copy(rows))
        cursor.execute(store_sql.SET_ASIDE_KNOWN, {"first": first, "last": last})
        known, contradictions = cursor.fetchone()
    return known, contradictions or []


def _keep_future(columns: ReadingBatch, received_at: datetime) -> tuple[list[StoredSpan], int]:
    """Move staged rows that are dated ahead to the future readings; return their spans and their number."""
    if not _reaches_ahead(columns, received_at):
        return [], 0
    return _stored(store_sql.KEEP_FUTURE, {"until": received_at + CLOCK_TOLERANCE})


def _reaches_ahead(columns: ReadingBatch, received_at: datetime | None) -> bool:
    """Return whether rows are dated ahead."""
    if received_at is None:
        return False
    return int(np.max(columns.recorded_at_us)) > microseconds_of(received_at + CLOCK_TOLERANCE)


def _upsert() -> tuple[list[StoredSpan], int]:
    return _stored(store_sql.UPSERT, {})


def _stored(statement: str, parameters: dict[str, datetime]) -> tuple[list[StoredSpan], int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return _spans(cursor.fetchall())


def _spans(rows: list[Row]) -> tuple[list[StoredSpan], int]:
    """Return the span of each unit's stored rows, and their number, from the rows that a statement returned."""
    return [StoredSpan(at, unit_id, first, last) for unit_id, _, first, last, at in rows], sum(row[1] for row in rows)


def _new_spans(spans: list[StoredSpan]) -> dict[int, NewSpan]:
    return {span.unit_id: NewSpan(span.first, span.last) for span in spans}


def _months(recorded_at_us: np.ndarray) -> list[datetime]:
    months = np.unique(recorded_at_us.astype("datetime64[us]").astype("datetime64[M]"))
    return [month_start(instant_of(int(month.astype("datetime64[us]").astype(np.int64)))) for month in months]
