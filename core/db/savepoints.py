"""Work in a savepoint of its own, so that its failure is recorded and affects nothing else in the transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction

logger = structlog.get_logger(__name__)

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def is_transaction_lost() -> bool:
    """Return whether nothing more can be done in the transaction, as after a lost connection."""
    return connection.needs_rollback or not connection.is_usable()


def isolated(work: Callable[[], object], what: str, **context: object) -> bool:
    """Run `work` in a savepoint; if it fails, undo and log it, and return False.

    Raise what leaves no time or no usable transaction for anything else.
    """
    try:
        with transaction.atomic():
            work()
    except SoftTimeLimitExceeded:
        raise
    except Exception:  # whatever it is: it is recorded, and the next run tries again
        if is_transaction_lost():
            raise
        logger.exception("part of a task failed", what=what, **context)
        return False
    return True


def each_isolated(items: Iterable[_Item], work: Callable[[_Item], object], what: str) -> int:
    """Run `work` for each item in a savepoint of its own; return for how many it succeeded."""
    return sum(isolated(partial(work, item), what, item=str(item)) for item in items)


def divided(
    items: Sequence[_Item],
    work: Callable[[Sequence[_Item]], _Result],
    record: Callable[[Sequence[_Item], Exception], object],
) -> list[_Result]:
    """Run `work` in a savepoint and return its result in a list; if it fails, divide the items in two, and so on.

    `record` is called with each item that fails alone. After the soft time limit there is no time to search for the one
    that took too long: it is called with all that are left. Raise only if the transaction itself is lost.
    """
    if not items:
        return []
    try:
        with transaction.atomic():
            return [work(items)]
    except Exception as error:  # whatever it is, `record` records it
        if is_transaction_lost():
            raise
        if len(items) == 1 or isinstance(error, SoftTimeLimitExceeded):
            record(items, error)
            return []
    middle = len(items) // 2
    return [*divided(items[:middle], work, record), *divided(items[middle:], work, record)]
