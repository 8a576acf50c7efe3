"""The periodic tasks of ingestion. A message carries ids; the work is described in the database."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog
from celery import shared_task
from django.conf import settings

from core.leases import Claim, ClaimLost
from ingestion import retention, watchdog
from ingestion.imports import drafts, storing
from ingestion.imports.undoing import run_claimed
from ingestion.loading import due_readings
from ingestion.polling.claims import claim_due, source_leases
from ingestion.polling.group import poll_group
from ingestion.polling.poll import poll

# A million rows take a few minutes. RabbitMQ waits half an hour for a task, and then ends the connection of its worker.
IMPORT_SECONDS = 1_500
# Sources that are requested at the same time and loaded by one worker.
GROUP_SIZE = 32

logger = structlog.get_logger(__name__)


@shared_task
def send_due_sources() -> None:
    """Claim due sources and send a task for each slow one, and for each group of others; it expires with the lease."""
    claims = claim_due()
    quick = [claim for claim in claims if not claim.is_slow]
    groups = [quick[first : first + GROUP_SIZE] for first in range(0, len(quick), GROUP_SIZE)]
    slow = [[claim] for claim in claims if claim.is_slow]
    source_leases.send_each(groups + slow, lambda group: (_send_alone if group[0].is_slow else _send_together)(group))


def _send_together(group: Sequence[Claim]) -> None:
    """Send a task for several sources."""
    poll_sources.apply_async(
        ([(claim.row_id, str(claim.claim_id)) for claim in group],), expires=settings.POLL_LEASE_SECONDS
    )


def _send_alone(group: Sequence[Claim]) -> None:
    """Send a task for one source."""
    [claim] = group
    poll_source.apply_async(
        (claim.row_id, str(claim.claim_id)),
        expires=settings.POLL_LEASE_SECONDS,
        queue=settings.SLOW_QUEUE if claim.is_slow else settings.CELERY_TASK_DEFAULT_QUEUE,
    )


@shared_task
def send_due_imports() -> None:
    """Claim the imports that are to be stored or undone, and send a task for each; forget old drafts."""
    drafts.forget_drafts()
    storing.import_leases.send_each([[claim] for claim in storing.claim_due()], _send_import)


def _send_import(group: Sequence[Claim]) -> None:
    [claim] = group
    run_import.apply_async(
        (claim.row_id, str(claim.claim_id)), expires=settings.POLL_LEASE_SECONDS, queue=settings.SLOW_QUEUE
    )


@shared_task(soft_time_limit=IMPORT_SECONDS, time_limit=IMPORT_SECONDS + 60)
def run_import(import_id: int, claim_id: str) -> None:
    """Store or undo a claimed import."""
    try:
        run_claimed(Claim(import_id, uuid.UUID(claim_id)))
    except ClaimLost as lost:
        logger.info("claim lost", import_id=import_id, message=str(lost))


@shared_task(name="ingestion.tasks.watch")
def run_watchdogs() -> None:
    """Open and close the alarms of sources that are down, units without data and faulty sensors."""
    watchdog.run_watchdogs()


@shared_task
def purge_deliveries() -> None:
    """Delete rejected rows and deliveries whose retention is over."""
    retention.purge_rejected_rows()
    retention.purge_deliveries()


@shared_task
def load_due_readings() -> None:
    """Let readings dated ahead take effect when their time has come."""
    due_readings.load_due_readings()


@shared_task
def poll_source(source_id: int, claim_id: str) -> None:
    """Poll a claimed source."""
    try:
        poll(Claim(source_id, uuid.UUID(claim_id)))
    except ClaimLost as lost:
        logger.info("claim lost", source_id=source_id, message=str(lost))


@shared_task
def poll_sources(claims: list[tuple[int, str]]) -> None:
    """Poll claimed sources together; those that have to be polled alone get a task each."""
    left_over = poll_group([Claim(source_id, uuid.UUID(claim_id)) for source_id, claim_id in claims])
    source_leases.send_each([[claim] for claim in left_over], _send_alone)
