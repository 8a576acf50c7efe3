"""Work requested by a row, which may end the process that does it: an attempt counts before it begins.

What reads much may exceed the memory of a process, or its time. The attempt is committed first, and postpones the next
one for longer and longer, so that such a row does not keep the others from being worked on.
"""

from __future__ import annotations

import traceback
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

import structlog
from django.db import models, transaction
from django.db.models import Q, QuerySet

from core.backoff import FIRST_RETRY_SECONDS, backoff_seconds

logger = structlog.get_logger(__name__)

_random = Random()  # noqa: S311  spreads retries


class Attempted(models.Model):
    """A request that is deleted once the work is done, or extended if it recurs."""

    attempts = models.PositiveIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: at once.")
    error = models.TextField(
        blank=True, default="", db_default="", help_text="Of the last attempt. Empty: none, or it ended the process."
    )

    class Meta:
        abstract = True


AttemptedRow = TypeVar("AttemptedRow", bound=Attempted)


def is_due(now: datetime) -> Q:
    """Return the condition of the rows to be attempted now."""
    return Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)


def begin_attempt(
    model: type[models.Model], pk: int, now: datetime, *, first_seconds: float = FIRST_RETRY_SECONDS, **changes: object
) -> bool:
    """Count an attempt in a row with `attempts` and `next_attempt_at`, and postpone the next one before it begins.

    Call it outside of transactions. `changes` are written along with it. Return False if no attempt is due, or another
    worker has begun it.
    """
    due = model._default_manager.filter(is_due(now), pk=pk)
    attempts = due.values_list("attempts", flat=True).first()
    if attempts is None:
        return False
    if attempts:
        logger.warning("attempted again", model=model._meta.model_name, pk=pk, attempts=attempts)
    following = next_attempt_at(attempts + 1, now, first_seconds)
    return bool(due.filter(attempts=attempts).update(attempts=attempts + 1, next_attempt_at=following, **changes))


def begin_first_attempts(requests: QuerySet[AttemptedRow], now: datetime) -> list[int]:
    """Count the first attempts of those requests that are due, as `begin_attempt` does; return their keys in order.

    Those that another worker is beginning are left to it.
    """
    with transaction.atomic():
        fresh = requests.filter(is_due(now), attempts=0).select_for_update(skip_locked=True)
        keys = sorted(fresh.values_list("pk", flat=True))
        requests.model._default_manager.filter(pk__in=keys).update(attempts=1, next_attempt_at=next_attempt_at(1, now))
    return keys


def next_attempt_at(attempts: int, now: datetime, first_seconds: float = FIRST_RETRY_SECONDS) -> datetime:
    """Return when to try again after that many attempts, the last of them now."""
    return now + timedelta(seconds=backoff_seconds(attempts, random=_random, first_seconds=first_seconds))


def error_text(error: Exception) -> str:
    """Return the traceback of an error, to be recorded."""
    return "".join(traceback.format_exception(error))
