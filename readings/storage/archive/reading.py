"""Reading and changing archived readings as if they were in the table.

`with_archived` runs queries with the archived readings that they need in the table, and takes them out again: nobody
else ever sees them. So every query has one definition, and answers the same whether a month is archived or not.
`recall` is for transactions that write: it returns the months concerned of a few units to the table, until they are
archived again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import TypeVar

import polars as pl
from django.db import IntegrityError, transaction

from core.db.replica import on_primary
from readings.archive_models import RecalledUnit
from readings.storage.archive import files, windows
from readings.storage.archive.rows import fill
from readings.storage.archive.state import (
    ArchiveBusy,
    ArchiveUnavailable,
    MonthState,
    files_with,
    lock_table,
    may_be_archived,
    months_between,
)
from readings.storage.store_sql import LOCK_UNITS

T = TypeVar("T")
ATTEMPTS = 5


def with_archived(unit_ids: Collection[int], first: datetime, last: datetime, read: Callable[[], T]) -> T:
    """Return what `read` returns, which queries readings of these units from `first` to `last`, both included.

    `read` writes nothing, and returns values rather than cursors. It may run several times. Raise ArchiveUnavailable.
    """
    months = months_between(first, last)
    if not any(state.is_archived for state in months):
        result = read()
        if months_between(first, last) == months:
            return result
    with on_primary():
        return _read_archived(unit_ids, first, last, read)


def _read_archived(unit_ids: Collection[int], first: datetime, last: datetime, read: Callable[[], T]) -> T:
    for attempt in range(1, ATTEMPTS + 1):
        months = months_between(first, last)
        try:
            result = _read_with(months, unit_ids, first, last, read)
        except (IntegrityError, ArchiveUnavailable):
            # Of a month that was changed meanwhile another file counts, or rows are in the table.
            is_changed = months_between(first, last) != months or _is_recalled_meanwhile(months, unit_ids)
            if attempt == ATTEMPTS or not is_changed:
                raise
            continue
        if months_between(first, last) == months:
            return result
    raise ArchiveBusy("The readings were being archived or restored. Try again.")


def archived_rows(unit_id: int, first: datetime, last: datetime) -> Iterator[pl.DataFrame]:
    """Yield what only files hold of a unit between these instants, both included, in order of time, month by month.

    In a transaction that holds a lock on the table of readings, so that no month is archived meanwhile.
    """
    for state in months_between(first, last):
        if state.is_archived:
            for file, own in files_with(state.month, [unit_id]):
                yield files.read(file, own, max(first, state.start), min(last, state.last))


def _read_with(
    months: list[MonthState], unit_ids: Collection[int], first: datetime, last: datetime, read: Callable[[], T]
) -> T:
    with transaction.atomic():
        for state in months:
            if state.is_archived:
                for file, own in files_with(state.month, unit_ids):
                    fill(windows.read(file, own, max(first, state.start), min(last, state.last)))
        result = read()
        transaction.set_rollback(True)
    return result


def _is_recalled_meanwhile(months: list[MonthState], unit_ids: Collection[int]) -> bool:
    """Return whether units among these are recalled, which can explain why a row was in the table already."""
    return RecalledUnit.objects.filter(
        month__in=[state.month for state in months], storage_unit_id__in=list(unit_ids)
    ).exists()


def recall(unit_ids: Collection[int], first: datetime, last: datetime) -> bool:
    """Return the archived months from that of `first` to that of `last` of these units to the table; say whether any.

    In the caller's transaction, which must not have read these readings before. Takes the locks of the units concerned.
    Raise ArchiveUnavailable.
    """
    if not may_be_archived(first):
        return False
    # From here on no month is archived until the transaction ends, also none that is still in the table: the caller
    # would compare its rows with an empty partition.
    lock_table("ROW EXCLUSIVE")
    archived = [state for state in months_between(first, last) if state.is_archived]
    if not archived:
        return False
    LOCK_UNITS.rows([sorted(unit_ids)])
    recalled = False
    for state in archived:
        for file, own in list(files_with(state.month, unit_ids)):
            fill(windows.read(file, own, state.start, state.last))
            RecalledUnit.objects.bulk_create([RecalledUnit(month_id=state.month, storage_unit_id=each) for each in own])
            recalled = True
    return recalled
