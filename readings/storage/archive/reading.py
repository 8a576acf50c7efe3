"""Reading and changing archived readings as if they were in the table.

`with_archived` runs queries with the archived readings that they need in the table, and takes them out again: nobody
else ever sees them. So every query has one definition, and answers the same whether a month is archived or not.
`recall` is for transactions that write: it returns the months concerned of a few units to the table, until they are
archived again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import polars as pl
from django.db import IntegrityError, OperationalError, connection, transaction

from core.db.conflicts import is_conflict
from core.db.replica import on_primary
from readings.archive_models import ArchiveFile, RecalledUnit
from readings.storage.archive import files, windows
from readings.storage.archive.rows import fill
from readings.storage.archive.state import (
    ArchiveBusy,
    ArchiveUnavailable,
    MonthState,
    files_with,
    hold_archived,
    lock_table,
    may_be_archived,
    month_states,
)
from readings.storage.store_sql import LOCK_UNITS
from readings.storage.time_weighting import LONGEST_GAP

T = TypeVar("T")
# Two instants, both included.
Span = tuple[datetime, datetime]
ATTEMPTS = 5
LONGEST_VALIDITY = """
SELECT max(gap_limit_seconds) FROM limit_period WHERE storage_unit_id = ANY(%s) AND valid_until > %s
"""
# Reading a file takes longer than taking the readings of some hours from it.
NEAR = timedelta(hours=6)
MOST_SPANS = 32


def with_archived(
    unit_ids: Collection[int],
    spans: Collection[Span],
    read: Callable[[], T],
    *,
    reaches_back: bool = False,
    narrowed: Callable[[], Collection[Span]] | None = None,
) -> T:
    """Return what `read` returns, which queries readings of these units within `spans`, both ends of each included.

    `reaches_back`: the reading before each span matters as well, if it is still valid when that begins. `narrowed`
    returns the parts of the spans that are queried, and is called only if any month is archived. `read` writes nothing,
    and returns values rather than cursors. It may run several times. Raise ArchiveUnavailable.
    """
    first, last = min(since for since, _ in spans), max(until for _, until in spans)
    first -= LONGEST_GAP if reaches_back else timedelta()
    months = month_states(first, last)
    if not any(state.is_archived for state in months):
        result = read()
        if month_states(first, last) == months:
            return result
    with on_primary():
        needed = narrowed() if narrowed else spans
        before = _longest_validity(unit_ids, first) if reaches_back else timedelta()
        return _read_archived(unit_ids, first, last, joined([(since - before, until) for since, until in needed]), read)


def _longest_validity(unit_ids: Collection[int], since: datetime) -> timedelta:
    """Return how long a reading of any of these units has been valid since then, at most."""
    with connection.cursor() as cursor:
        cursor.execute(LONGEST_VALIDITY, [list(unit_ids), since])
        [(seconds,)] = cursor.fetchall()
    return timedelta(seconds=seconds or 0)


def joined(spans: Collection[Span]) -> list[Span]:
    """Return spans in order of time, none of them near the next: a window of a file may hold both."""
    apart: list[Span] = []
    for since, until in sorted(spans):
        if apart and since - apart[-1][1] <= NEAR:
            apart[-1] = apart[-1][0], max(apart[-1][1], until)
        else:
            apart.append((since, until))
    return apart if len(apart) <= MOST_SPANS else [(apart[0][0], apart[-1][1])]


def _read_archived(
    unit_ids: Collection[int], first: datetime, last: datetime, spans: list[Span], read: Callable[[], T]
) -> T:
    for attempt in range(1, ATTEMPTS + 1):
        months = month_states(first, last)
        try:
            result = _read_with(months, unit_ids, spans, read)
        except (IntegrityError, ArchiveUnavailable):
            # Of a month that was changed meanwhile another file counts, or rows are in the table.
            is_changed = month_states(first, last) != months or _is_recalled_meanwhile(months, unit_ids)
            if attempt == ATTEMPTS or not is_changed:
                raise
            continue
        except OperationalError as error:
            # Those who have the same readings in the table at the same time, in another order, wait for each other.
            if attempt == ATTEMPTS or not is_conflict(error):
                raise
            continue
        if month_states(first, last) == months:
            return result
    raise ArchiveBusy("The readings were being archived or restored. Try again.")


def archived_parts(
    unit_id: int, first: datetime, last: datetime
) -> Iterator[tuple[ArchiveFile, Callable[[], pl.DataFrame]]]:
    """Yield the files with what only they hold of a unit between these instants, both included, in order of time.

    Each with a function that returns the rows, or raises ArchiveUnavailable. In a transaction that holds a lock on the
    table of readings, so that no month is archived meanwhile.
    """
    for state in month_states(first, last):
        if state.is_archived:
            for file, own in files_with(state.month, [unit_id]):
                yield file, partial(files.read, file, own, max(first, state.start), min(last, state.last))


def _read_with(months: list[MonthState], unit_ids: Collection[int], spans: list[Span], read: Callable[[], T]) -> T:
    with transaction.atomic():
        for state in months:
            within = [(max(since, state.start), min(until, state.last)) for since, until in spans]
            within = [(since, until) for since, until in within if since <= until]
            if state.is_archived and within:
                for file, own in files_with(state.month, unit_ids):
                    for since, until in within:
                        fill(windows.read(file, own, since, until))
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

    See `recall_each`.
    """
    return recall_each([(unit_id, first, last) for unit_id in unit_ids])


def recall_each(requested: Sequence[tuple[int, datetime, datetime]]) -> bool:
    """Return the archived months of units to the table, of each from one instant to another; say whether any.

    In the caller's transaction, which must not have read these readings before. Takes the locks of the units concerned.
    Raise ArchiveUnavailable. One query if nothing of all that time is archived.
    """
    first, last = min(since for _, since, _ in requested), max(until for _, _, until in requested)
    if not may_be_archived(first):
        return False
    # From here on no month is archived until the transaction ends, also none that is still in the table: the caller
    # would compare its rows with an empty partition.
    lock_table("ROW EXCLUSIVE")
    archived = [state for state in month_states(first, last) if state.is_archived]
    concerned = {
        state.month: {unit_id for unit_id, since, until in requested if since <= state.last and until >= state.start}
        for state in archived
    }
    if not any(concerned.values()):
        return False
    LOCK_UNITS.rows([sorted(set().union(*concerned.values()))])
    recalled = False
    # A month that is being restored is in the table, with the same rows, as soon as that is done.
    for state in hold_archived([state for state in archived if concerned[state.month]]):
        for file, own in list(files_with(state.month, concerned[state.month])):
            fill(windows.read(file, own, state.start, state.last))
            RecalledUnit.objects.bulk_create([RecalledUnit(month_id=state.month, storage_unit_id=each) for each in own])
            recalled = True
    return recalled
