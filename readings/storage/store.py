"""The only way into the tables of readings.

In the caller's transaction `store` inserts the new rows of a batch, adds exactly the inserted rows to the hourly and
daily roll-ups and the latest readings, and reports duplicates and contradictions. Storing the same rows again, in any
order and any splitting, changes nothing. Rows dated ahead are kept apart until their time has come, see
`readings.storage.future_readings`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.utils import timezone

from core.db.prepared import Row
from readings.storage import many_readings, store_sql
from readings.storage.archive.reading import recall_each
from readings.storage.archive.state import LOOKED_UP_AFTER, may_be_archived
from readings.storage.few_readings import Stored, store_few
from readings.storage.known_readings import find_known, is_other_measurement
from readings.storage.partitions import ensure_partitions, month_start, partition_name
from readings.storage.reading_batch import (
    ReadingBatch,
    begins_of_groups,
    instant_of,
    instants_of,
    microseconds_of,
)
from readings.storage.sql_arrays import instants

# Clocks differ by seconds: a reading that is ahead by no more takes effect at once.
CLOCK_TOLERANCE = timedelta(seconds=60)
# COPY and NumPy store more than this many rows faster than a statement.
FEW_ROWS = 200


class UnknownUnits(ValueError):  # noqa: N818 - reads better where it is caught
    """The batch refers to storage units that do not exist."""


@dataclass(frozen=True, slots=True)
class NewSpan:
    """The first and the last instant of a unit's newly stored readings."""

    first: datetime
    last: datetime

    def extended(self, other: NewSpan | None) -> NewSpan:
        """Return the span from the first to the last instant of both."""
        return self if other is None else NewSpan(min(self.first, other.first), max(self.last, other.last))


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
    stored_of_units: the number of stored rows of each unit, also of those dated ahead.
    """

    stored: int = 0
    duplicates: int = 0
    contradictions: list[int] = field(default_factory=list)
    new_spans: dict[int, NewSpan] = field(default_factory=dict)
    units_ahead: frozenset[int] = frozenset()
    spans: list[StoredSpan] = field(default_factory=list, compare=False)
    stored_of_units: Counter[int] = field(default_factory=Counter, compare=False)


@transaction.atomic(savepoint=False)
def store(columns: ReadingBatch, received_at: datetime | None = None) -> StoreResult:
    """Store a batch; see the module's docstring.

    Rows dated more than CLOCK_TOLERANCE after `received_at` are stored as future readings; without it there are none.
    Of several rows with one key (unit, sensor, time) the first in the batch counts. Transactions that store for one
    unit are serialised by a lock that lasts until they end. Raise UnknownUnits, or IntegrityError for values that
    violate the table's constraints; the transaction must be rolled back then.
    """
    if not len(columns):
        return StoreResult()
    _lock_units_to_store(np.unique(columns.storage_unit_id).tolist(), _months(columns.recorded_at_us))
    firsts, repeats, keys_of_repeats = columns.in_key_order()
    batch = columns.take(firsts)
    _recall(batch)
    is_ahead = _is_ahead(batch, received_at)
    store_new = store_few if len(batch) <= FEW_ROWS else _store_many
    known, inserted, kept = store_new(batch, is_ahead)
    spans, ahead = _spans(inserted), _spans(kept)
    # A reading is stored for every key now, to which its repetitions are compared.
    stored_c = np.where(known.is_stored, known.stored_c, batch.temperature_c)
    contradictions = [
        *firsts[known.contradicted_by(batch.temperature_c)],
        *repeats[is_other_measurement(columns.temperature_c[repeats], stored_c[keys_of_repeats])],
    ]
    stored = len(firsts) - int(known.is_stored.sum())
    return StoreResult(
        stored=stored,
        duplicates=len(columns) - stored - len(contradictions),
        contradictions=sorted(map(int, contradictions)),
        new_spans={span.unit_id: NewSpan(span.first, span.last) for span in spans},
        units_ahead=frozenset(span.unit_id for span in ahead),
        spans=[*spans, *ahead],
        stored_of_units=Counter(dict(row[:2] for row in inserted)) + Counter(dict(row[:2] for row in kept)),
    )


def lock_units(unit_ids: list[int]) -> None:
    """Take the lock that serialises storing for these units until the transaction ends. Raise UnknownUnits."""
    _refuse_unknown(unit_ids, store_sql.LOCK_UNITS.rows([unit_ids]))


def _lock_units_to_store(unit_ids: list[int], months: list[datetime]) -> None:
    """Lock the units, and create the partitions of these months if they are missing. Raise UnknownUnits."""
    parameters = {"unit_ids": unit_ids, "partition": partition_name(months[0])}
    locked = store_sql.LOCK_UNITS_TO_STORE.rows(parameters)
    _refuse_unknown(unit_ids, locked)
    has_partition = all(exists for _, exists in locked)
    # PostgreSQL looked before it waited for the locks: a month that may be archived can have lost its partition since.
    if len(months) > 1 or not has_partition or may_be_archived(months[0]):
        ensure_partitions(months)


def _refuse_unknown(unit_ids: list[int], locked: list[Row]) -> None:
    unknown = set(unit_ids) - {unit_id for unit_id, *_ in locked}
    if unknown:
        raise UnknownUnits(f"No storage units have these ids: {sorted(unknown)}.")


def lock_free_units(unit_ids: Iterable[int]) -> list[int]:
    """Take the locks of those of these units that nobody is storing for; return these units."""
    with connection.cursor() as cursor:
        cursor.execute(store_sql.LOCK_FREE_UNITS, [sorted(unit_ids)])
        return [unit_id for (unit_id,) in cursor.fetchall()]


def _recall(batch: ReadingBatch) -> None:
    """Have the readings in the table that old rows, in order of unit and time, are to be compared with."""
    old = np.flatnonzero(batch.recorded_at_us < microseconds_of(timezone.now() - LOOKED_UP_AFTER))
    if len(old):
        unit_ids, recorded_at_us = batch.storage_unit_id[old], batch.recorded_at_us[old]
        begins = begins_of_groups(unit_ids, _in_months(recorded_at_us))
        begin_at = instants_of(recorded_at_us[begins])
        recall_each(list(zip(unit_ids[begins].tolist(), begin_at, begin_at, strict=True)))


def _store_many(batch: ReadingBatch, is_ahead: npt.NDArray[np.bool_]) -> Stored:
    """Do what `store_few` does, by COPY. It still stores rows dated ahead, and new readings if there are few."""
    known = find_known(batch)
    is_copied = ~known.is_stored & ~is_ahead
    if is_copied.sum() <= FEW_ROWS:
        is_copied[:] = False
    inserted = many_readings.insert(batch.take(np.flatnonzero(is_copied))) if is_copied.any() else []
    others = np.flatnonzero(~known.is_stored & ~is_copied)
    if not len(others):
        return Stored(known, inserted, [])
    _, few_inserted, kept = store_few(batch.take(others), is_ahead[others])
    return Stored(known, inserted or few_inserted, kept)


def _is_ahead(batch: ReadingBatch, received_at: datetime | None) -> npt.NDArray[np.bool_]:
    """Return which rows are dated ahead."""
    if received_at is None:
        return np.zeros(len(batch), np.bool_)
    return batch.recorded_at_us > microseconds_of(received_at + CLOCK_TOLERANCE)


def _spans(rows: list[Row]) -> list[StoredSpan]:
    return [StoredSpan(stored_at, unit_id, first, last) for unit_id, _, first, last, stored_at in rows]


def _months(recorded_at_us: np.ndarray) -> list[datetime]:
    """Return the starts of the UTC months of these instants."""
    first, last = (month_start(instant_of(int(each))) for each in (recorded_at_us.min(), recorded_at_us.max()))
    if first == last:
        return [first]
    return instants_of(np.unique(_in_months(recorded_at_us)).astype("datetime64[us]").astype(np.int64))


def _in_months(recorded_at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    return instants(recorded_at_us).astype("datetime64[M]")
