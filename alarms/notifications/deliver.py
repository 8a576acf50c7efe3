"""Sending one claimed message: the network outside transactions, the result only while the claim is still one's own."""

from __future__ import annotations

import random
import time
from datetime import datetime

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from alarms.models import Attempt, Channel, Message
from alarms.notifications.channels import kind_of
from alarms.notifications.channels.outcome import Outcome
from alarms.notifications.outbox import begin, message_leases, next_attempt, retry_now
from core.crypto.encryption import SecretUnreadable
from core.leases import Claim

logger = structlog.get_logger(__name__)

GONE_REASON = "The receiver answered 410: it never wants anything again."
State = Message.State


def send(claim: Claim) -> Attempt:
    """Try once to deliver the claimed message; return what is kept of it. Raises ClaimLost, and then nothing is.

    A failure that is our own fault is kept, too, and raised.
    """
    message = begin(claim)
    with structlog.contextvars.bound_contextvars(
        message_id=str(message.public_id), channel=str(message.channel.public_id)
    ):
        at, started = timezone.now(), time.monotonic()
        try:
            outcome = kind_of(message.channel.kind).send(message.channel, message)
        except SecretUnreadable as unreadable:
            outcome = Outcome(False, str(unreadable))
        except SoftTimeLimitExceeded:
            outcome = Outcome(False, f"No answer within {settings.NOTIFICATION_TOTAL_SECONDS:g} s.")
        except Exception as error:
            _keep(claim, Outcome(False, f"{type(error).__name__} in our own code."), at, time.monotonic() - started)
            raise
        return _keep(claim, outcome, at, time.monotonic() - started)


def _keep(claim: Claim, outcome: Outcome, at: datetime, seconds: float) -> Attempt:
    """Write down how the attempt ended, in one transaction. Raises ClaimLost."""
    with message_leases.hold(claim) as message:
        now = timezone.now()
        message.attempt_count += 1
        if outcome.is_delivered:
            message.state, message.sent_at = State.SENT, now
        else:
            _put_off(message, outcome, now)
        message.claim_id = message.lease_until = None
        message.save(update_fields=["attempt_count", "state", "sent_at", "next_attempt_at", "claim_id", "lease_until"])
        _note_on_channel(message.channel_id, outcome, seconds, now)
        attempt = Attempt.objects.create(
            message=message,
            at=at,
            duration_seconds=seconds,
            outcome=_outcome_name(outcome),
            status_code=outcome.status_code,
            answer=outcome.answer,
        )
    logger.info(
        "message tried",
        outcome=attempt.outcome,
        status_code=outcome.status_code,
        attempt=message.attempt_count,
        state=message.state,
        seconds=round(seconds, 3),
    )
    return attempt


def _put_off(message: Message, outcome: Outcome, now: datetime) -> None:
    """Set when the next attempt is due; without one the message is dead. On a channel that is gone it waits."""
    due_at = next_attempt(
        message.attempt_count,
        now,
        message.tried_since,
        random=random.SystemRandom(),
        retry_after_seconds=outcome.retry_after_seconds,
    )
    if due_at is None:
        message.state = State.DEAD
    else:
        message.next_attempt_at = due_at


def _note_on_channel(channel_id: int, outcome: Outcome, seconds: float, now: datetime) -> None:
    channel = Channel.objects.filter(pk=channel_id)
    if outcome.is_delivered:
        recovered = channel.filter(failures_in_a_row__gt=0).update(failures_in_a_row=0, last_error="")
        channel.update(last_success_at=now, last_duration_seconds=seconds)
        if recovered:
            retry_now(channel, now)
        return
    error = outcome.answer or f"The receiver answered {outcome.status_code}."
    channel.update(failures_in_a_row=F("failures_in_a_row") + 1, last_error=error, last_duration_seconds=seconds)
    if outcome.is_gone and channel.filter(is_enabled=True).update(is_enabled=False, disabled_reason=GONE_REASON):
        logger.warning("channel disabled", reason=GONE_REASON)


def _outcome_name(outcome: Outcome) -> Attempt.Outcome:
    if outcome.is_delivered:
        return Attempt.Outcome.DELIVERED
    return Attempt.Outcome.GONE if outcome.is_gone else Attempt.Outcome.FAILED
