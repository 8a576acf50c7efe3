"""The database's clock: the only one by which processes agree on what is due and what has expired.

Machines' clocks differ and are set back and forth. Leases and due times are stamped and compared by this one. It is
read every half minute and continued by the process's monotonic clock meanwhile, which nobody sets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

READ_EVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Reading:
    at: datetime
    monotonic: float


_last: _Reading | None = None


def database_now() -> datetime:
    """Return the time by the database's clock."""
    global _last
    last = _last
    if last is None or time.monotonic() - last.monotonic > READ_EVERY_SECONDS:
        last = _last = _read()
    return last.at + timedelta(seconds=time.monotonic() - last.monotonic)


def seconds_ahead() -> float:
    """Return by how many seconds this machine's clock is ahead of the database's, negative if it is behind."""
    return (timezone.now() - database_now()).total_seconds()


def _read() -> _Reading:
    with connection.cursor() as cursor:
        asked = time.monotonic()
        cursor.execute("SELECT clock_timestamp()")
        [(at,)] = cursor.fetchall()
    # The server read its clock in between.
    return _Reading(at, (asked + time.monotonic()) / 2)
