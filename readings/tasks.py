"""The periodic tasks of readings."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.utils import timezone

from readings.configuration import retention
from readings.reading_counts import count_readings
from readings.storage.archive.due import archive_due
from readings.storage.archive.state import AlreadyArchiving
from readings.storage.partitions import close_partitions, ensure_partitions_ahead
from readings.storage.rebuilds import run_requested_rebuilds
from readings.storage.rollups import refresh

logger = structlog.get_logger(__name__)

# Below the soft time limit of a task; the next run does the rest.
REFRESH_SECONDS = 45
# No month is begun after this; the last one has the rest of the time, which is less than RabbitMQ waits for a task.
ARCHIVE_SECONDS, ARCHIVE_SOFT_SECONDS, ARCHIVE_HARD_SECONDS = 300, 1_500, 1_560


@shared_task
def settle_rollups() -> None:
    """Rebuild requested roll-ups, then refresh stale ones."""
    deadline = timezone.now() + timedelta(seconds=REFRESH_SECONDS)
    rebuilt = run_requested_rebuilds(deadline=deadline)
    refreshed = refresh(deadline=deadline)
    if rebuilt or refreshed:
        logger.info("roll-ups refreshed", rebuilt_units=rebuilt, refreshed=refreshed)


@shared_task
def make_partitions() -> None:
    """Create the partitions of the coming months, and close those of past ones."""
    created, closed = ensure_partitions_ahead(), close_partitions()
    if created or closed:
        logger.info("partitions created or closed", created=created, closed=closed)


@shared_task
def count_earlier_readings() -> None:
    """Count the readings of earlier weeks, which the totals of lists begin with."""
    counted = count_readings()
    if counted:
        logger.info("earlier readings counted", units=counted)


@shared_task(soft_time_limit=ARCHIVE_SOFT_SECONDS, time_limit=ARCHIVE_HARD_SECONDS)
def archive_readings() -> None:
    """Archive the months that are older than data_retention_days."""
    try:
        archive_due(retention(), deadline=timezone.now() + timedelta(seconds=ARCHIVE_SECONDS))
    except AlreadyArchiving as error:
        logger.info("readings not archived", reason=str(error))
