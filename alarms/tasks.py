"""The periodic tasks of alarms. A message carries ids; the work is described in the database."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from math import ceil

import structlog
from celery import shared_task
from django.conf import settings
from django.utils import timezone

from alarms import drills
from alarms.evaluation.mkt_checks import run_requested_checks
from alarms.evaluation.reevaluation import run_reevaluations
from alarms.evaluation.retries import retry_failed
from alarms.notifications import deliver, outbox, reminders, retention
from alarms.watchdogs import clock_drift
from core.leases import Claim, ClaimLost

logger = structlog.get_logger(__name__)

# The soft limit leaves time to record the attempt before the hard limit; the lease is renewed meanwhile.
SOFT_SECONDS = ceil(settings.NOTIFICATION_TOTAL_SECONDS) + 5
HARD_SECONDS = SOFT_SECONDS + 5
# Leaves the task's time limit to the last unit.
RETRYING_SECONDS = 20

# A run ends with the unit during which this time has passed, so that other tasks get their turn.
REEVALUATION_TIME = timedelta(seconds=10)
CHECKING_TIME = timedelta(seconds=30)


@shared_task
def send_due_messages() -> None:
    """Claim due messages and send a task for each; the task expires with the lease."""
    outbox.give_up(timezone.now())
    _send_each(outbox.claim_due())


def _send_each(claims: Sequence[Claim]) -> None:
    outbox.message_leases.send_each([[claim] for claim in claims], _send)


def _send(group: Sequence[Claim]) -> None:
    [claim] = group
    send_message.apply_async(
        (claim.row_id, str(claim.claim_id)), expires=settings.NOTIFICATION_LEASE_SECONDS, queue=settings.MESSAGE_QUEUE
    )


@shared_task(soft_time_limit=SOFT_SECONDS, time_limit=HARD_SECONDS)
def send_message(message_id: int, claim_id: str) -> None:
    """Send a claimed message, and then a task for the next one of a slow channel if this was one."""
    try:
        attempt = deliver.deliver(Claim(message_id, uuid.UUID(claim_id)))
    except ClaimLost as lost:
        logger.info("claim lost", message_id=message_id, message=str(lost))
        return
    if attempt.is_slow:
        _send_each(outbox.claim_slow())


@shared_task
def remind() -> None:
    """Create the messages that become due by time alone."""
    reminders.create_due_messages(timezone.now())


@shared_task
def purge_messages() -> None:
    """Delete messages whose retention is over."""
    retention.purge_messages()


@shared_task
def reevaluate() -> None:
    """Evaluate units again that other limits apply to now."""
    run_reevaluations(deadline=timezone.now() + REEVALUATION_TIME)


@shared_task
def check_mkt() -> None:
    """Check the mean kinetic temperature of units with new readings."""
    run_requested_checks(deadline=timezone.now() + CHECKING_TIME)


@shared_task
def retry_evaluations() -> None:
    """Retry the evaluations that failed and are due."""
    retry_failed(deadline=timezone.now() + timedelta(seconds=RETRYING_SECONDS))


@shared_task
def check_clocks() -> None:
    """Measure the sensors' clocks; open and close the alarms of those that are wrong."""
    clock_drift.check_clocks(timezone.now())


@shared_task(name="alarms.tasks.see_to_drills")
def run_drills() -> None:
    """Start due drills and end completed ones."""
    now = timezone.now()
    drills.start_due(now)
    drills.finish_drills(now)
