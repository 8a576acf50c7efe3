"""Delete rows that have been kept for as long as the operator decided, in batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from core.db import clock

logger = structlog.get_logger(__name__)

# Few enough that a batch holds its locks for a moment only.
BATCH_ROWS = 2_000
# Of a run; the next one, an hour later, continues.
RUN_TIME = timedelta(seconds=30)

# Deletes up to that many rows older than an instant and returns how many there were.
DeleteBatch = Callable[[datetime, int], int]


def purge(kind: str, days: int, delete_batch: DeleteBatch, record: Callable[[int, datetime], object]) -> int:
    """Delete what is older than `days`, and return how many rows that were; 0 days keep everything.

    Each batch is a transaction, in which `record` notes the number deleted and the instant before which.
    """
    if not days:
        return 0
    now = clock.database_now()
    before, ends_at = now - timedelta(days=days), now + RUN_TIME
    total = 0
    while clock.database_now() < ends_at:
        with transaction.atomic():
            count = delete_batch(before, BATCH_ROWS)
            if count:
                record(count, before)
        total += count
        if count < BATCH_ROWS:
            break
    if total:
        logger.info("old rows deleted", kind=kind, count=total, before=before)
    return total
