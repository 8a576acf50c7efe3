"""Two transactions at the same time: the second begins while the first one has not been committed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, transaction

from tests.running_system import wait_until

T = TypeVar("T")
IS_WAITED_FOR = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
)


def race(first: Callable[[], object], second: Callable[[], T]) -> T:
    """Carry `first` out, and commit it once `second` is complete or waits for it; return what `second` returns."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            later = pool.submit(_in_a_transaction, second)
            wait_until(
                "the second is complete or waits", lambda: later.done() or is_waited_for(), seconds=30, look_every=0.01
            )
        return later.result(timeout=30)


def is_waited_for() -> bool:
    """Return whether another connection waits for a lock that this one holds."""
    with connection.cursor() as cursor:
        cursor.execute(IS_WAITED_FOR)
        return bool(cursor.fetchone()[0])


def _in_a_transaction(work: Callable[[], T]) -> T:
    try:
        with transaction.atomic():
            return work()
    finally:
        connection.close()
