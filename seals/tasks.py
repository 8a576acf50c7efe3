"""The periodic task that chains the audit trail and seals closed days."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.utils import timezone

from seals.sealing import seal
from seals.time_stamps import NotStamped, stamp_seals
from seals.transactions import AlreadyRunning

logger = structlog.get_logger(__name__)

# Below the soft time limit of a task; the next run does the rest.
SEAL_SECONDS = 30


@shared_task
def seal_trail() -> None:
    """Chain the entries of the audit trail that are settled, and seal the days that are closed."""
    try:
        sealed = seal(deadline=timezone.now() + timedelta(seconds=SEAL_SECONDS))
    except AlreadyRunning:
        return
    if sealed.entries or sealed.days:
        logger.info("trail sealed", entries=sealed.entries, days=sealed.days)


@shared_task
def stamp_roots() -> None:
    """Have new seals stamped by the configured service."""
    try:
        stamp_seals()
    except AlreadyRunning:
        return
    except NotStamped as error:
        logger.warning("seals not stamped", reason=str(error))
