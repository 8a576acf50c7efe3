"""What beat wakes up in this room."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.utils import timezone

from readings.storage.partitions import ensure_partitions_ahead
from readings.storage.rebuilds import rebuild_requested
from readings.storage.rollups import settle

logger = structlog.get_logger(__name__)

# Short of the soft time limit of a task; what is left then is for the next run.
SETTLING_SECONDS = 45


@shared_task
def settle_rollups() -> None:
    """Make anew the roll-ups that were asked for, then settle what is unsettled."""
    rebuilt = rebuild_requested()
    settled = settle(deadline=timezone.now() + timedelta(seconds=SETTLING_SECONDS))
    if rebuilt or settled:
        logger.info("roll-ups settled", rebuilt_units=rebuilt, settled=settled)


@shared_task
def make_partitions() -> None:
    """Make the partitions of the coming months."""
    made = ensure_partitions_ahead()
    if made:
        logger.info("partitions made", partitions=made)
