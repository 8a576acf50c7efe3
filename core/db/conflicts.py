"""Retry transactions that PostgreSQL ended because of others, and say in a sentence why a statement failed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import Error, OperationalError, transaction

logger = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_ATTEMPTS = 6
_FIRST_WAIT_SECONDS = 0.05
_DEADLOCK, _SERIALIZATION = "40P01", "40001"
LOCK_NOT_AVAILABLE = "55P03"
_CAUSES = {
    _DEADLOCK: "Others were storing the same rows at the same time. Please try again.",
    _SERIALIZATION: "Others were storing the same rows at the same time. Please try again.",
    "53100": "The database's disk is full, so that nothing can be stored at the moment.",
    "53200": "The database is out of memory. Please try again later.",
    "53300": "The database has no free connection at the moment. Please try again.",
    "25006": "The database is read-only at the moment. Please try again later.",
    "57014": "The database took too long. Please try again with less.",
    LOCK_NOT_AVAILABLE: "Others are changing the same rows. Please try again.",
}


class DataUnavailable(Exception):  # noqa: N818 - reads better where it is caught
    """Data cannot be read at present although the database answers: the message says which, why, and what to do."""


class ConflictError(OperationalError):
    """Ends a transaction that would otherwise wait for one that waits for it; `retry_conflicts` repeats it."""

    pgcode = _SERIALIZATION


def pgcode_of(error: BaseException) -> str:
    """Return PostgreSQL's code of a database error, "" without one."""
    return str(getattr(error.__cause__, "pgcode", None) or getattr(error, "pgcode", None) or "")


def is_conflict(error: BaseException) -> bool:
    """Return whether PostgreSQL ended a transaction because of another one, so that it will succeed if repeated."""
    return pgcode_of(error) in (_DEADLOCK, _SERIALIZATION)


def cause_of(error: BaseException) -> str:
    """Return a sentence for the sender that says why a statement failed, "" if the code is not known."""
    return _CAUSES.get(pgcode_of(error), "")


def retry_conflicts(work: Callable[[int], T]) -> T:
    """Return the result of `work`, called with the number of the attempt, from 0, in a transaction or savepoint.

    A deadlock or a serialization failure rolls the attempt back, which releases its locks, and it is repeated after a
    short random wait. The last failure is raised.
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            with transaction.atomic():
                return work(attempt)
        except Error as error:
            if not is_conflict(error) or attempt == MAX_ATTEMPTS - 1:
                raise
            logger.warning("transaction repeated", attempt=attempt + 1, pgcode=pgcode_of(error))
        time.sleep(random.SystemRandom().uniform(0.5, 1.5) * _FIRST_WAIT_SECONDS * 2**attempt)
    raise AssertionError  # the last attempt returns or raises
