"""Deliver one claimed message: network access outside transactions, the result stored only while the claim is valid."""

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
from alarms.models.channels import GONE_REASON
from alarms.notifications.channels import kind_of
from alarms.notifications.channels.base import DeliveryResult
from alarms.notifications.outbox import message_leases, message_of, next_attempt, retry_now
from core.crypto.encryption import SecretUnreadable
from core.db import clock
from core.leases import Claim
from core.tracing import span

logger = structlog.get_logger(__name__)

State = Message.State


def deliver(claim: Claim) -> Attempt:
    """Try once to deliver the claimed message and return the stored attempt.

    Raise ClaimLost, and then store nothing. Programming errors are stored as well and raised.
    """
    with message_leases.work(claim):
        message = message_of(claim)
        names = {"message_id": str(message.public_id), "channel": str(message.channel.public_id)}
        with structlog.contextvars.bound_contextvars(**names), span("send message", parent=message.trace, **names):
            at, started = timezone.now(), time.monotonic()
            try:
                result = kind_of(message.channel.kind).send(message.channel, message)
            except SecretUnreadable as unreadable:
                result = DeliveryResult(False, str(unreadable))
            except SoftTimeLimitExceeded:
                result = DeliveryResult(False, f"No answer within {settings.NOTIFICATION_TOTAL_SECONDS:g} s.")
            except Exception as error:
                failed = DeliveryResult(False, f"Internal error ({type(error).__name__}).")
                _record(claim, failed, at, time.monotonic() - started)
                raise
            return _record(claim, result, at, time.monotonic() - started)


def _record(claim: Claim, result: DeliveryResult, at: datetime, seconds: float) -> Attempt:
    """Store how the attempt ended, in one transaction. Raise ClaimLost."""
    with message_leases.hold(claim) as message:
        now = clock.database_now()
        message.attempt_count += 1
        if result.is_delivered:
            message.state, message.sent_at = State.SENT, now
        else:
            _schedule_retry(message, result, now)
        message.claim_id = message.lease_until = None
        message.save(update_fields=["attempt_count", "state", "sent_at", "next_attempt_at", "claim_id", "lease_until"])
        _update_channel(message.channel_id, result, seconds, now)
        attempt = Attempt.objects.create(
            message=message,
            at=at,
            duration_seconds=seconds,
            outcome=_outcome(result),
            status_code=result.status_code,
            answer=result.answer,
        )
    logger.info(
        "delivery attempted",
        outcome=attempt.outcome,
        status_code=result.status_code,
        attempt=message.attempt_count,
        state=message.state,
        seconds=round(seconds, 3),
    )
    return attempt


def _schedule_retry(message: Message, result: DeliveryResult, now: datetime) -> None:
    """Set when the message is retried, or give it up."""
    due_at = next_attempt(
        message.attempt_count,
        now,
        message.tried_since,
        random=random.SystemRandom(),
        retry_after_seconds=result.retry_after_seconds,
    )
    if due_at is None:
        message.state = State.DEAD
    else:
        message.next_attempt_at = due_at


def _update_channel(channel_id: int, result: DeliveryResult, seconds: float, now: datetime) -> None:
    channel = Channel.objects.filter(pk=channel_id)
    if result.is_delivered:
        recovered = channel.filter(failures_in_a_row__gt=0).update(failures_in_a_row=0)
        last_error = result.answer if result.is_partial else ""
        channel.update(last_success_at=now, last_duration_seconds=seconds, last_error=last_error)
        if recovered:
            retry_now(channel, now)
        return
    error = result.answer or f"The receiver answered {result.status_code}."
    channel.update(failures_in_a_row=F("failures_in_a_row") + 1, last_error=error, last_duration_seconds=seconds)
    if result.is_gone and channel.filter(is_enabled=True).update(is_enabled=False, disabled_reason=GONE_REASON):
        logger.warning("channel disabled", reason=GONE_REASON)


def _outcome(result: DeliveryResult) -> Attempt.Outcome:
    if result.is_delivered:
        return Attempt.Outcome.DELIVERED
    return Attempt.Outcome.GONE if result.is_gone else Attempt.Outcome.FAILED
