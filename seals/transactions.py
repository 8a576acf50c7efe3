"""The transactions of sealing: one at a time, and with one view of the data.

The lock belongs to the transaction, so it works behind PgBouncer and is released whatever happens. The sealing task
never waits for it: what one run leaves, the next one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

SEALING_LOCK = 7_202_615


class AlreadyRunning(Exception):  # noqa: N818  an expected outcome: the other run does the work
    """Another run of the sealing task is in progress."""


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Run a transaction whose queries all see the same; within another transaction they see what that one does."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                # Before the snapshot is taken: no month is archived while it is in use.
                cursor.execute("LOCK TABLE ONLY reading IN ACCESS SHARE MODE")
        yield


@contextmanager
def sealing_step(*, sees_commits: bool = False) -> Iterator[None]:
    """Run one step of sealing in a transaction. Raise AlreadyRunning.

    Its queries all see the same; with `sees_commits` each one sees what was committed before it.
    """
    with transaction.atomic() if sees_commits else one_snapshot():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALING_LOCK])
            if not cursor.fetchone()[0]:
                raise AlreadyRunning
        yield
