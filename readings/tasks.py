"""The periodic tasks of readings."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.utils import timezone

from readings.storage.partitions import close_partitions, ensure_partitions_ahead
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.rollups import refresh

logger = structlog.get_logger(__name__)

# Below the soft time limit of a task; the next run does the rest.
REFRESH_SECONDS = 45


@shared_task
def settle_rollups() -> None:
    """Rebuild requested roll-ups, then refresh stale ones."""
    rebuilt = run_requested_rebuilds()
    refreshed = refresh(deadline=timezone.now() + timedelta(seconds=REFRESH_SECONDS))
    if rebuilt or refreshed:
        logger.info("roll-ups refreshed", rebuilt_units=rebuilt, refreshed=refreshed)


@shared_task
def make_partitions() -> None:
    """Create the partitions of the coming months, and close those of past ones."""
    created, closed = ensure_partitions_ahead(), close_partitions()
    if created or closed:
        logger.info("partitions created or closed", created=created, closed=closed)
