"""Outgoing messages: claim those that are due, schedule retries, and give up after three days."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from alarms.models import Channel, Message
from alarms.models.channels import SLOW_SECONDS
from alarms.notifications.throttling import group_excess_messages
from core.backoff import backoff_seconds
from core.db import clock
from core.leases import Claim, LeasedTable

# The rest is left to the next tick, seconds later.
CLAIMS_PER_TICK = 500
GIVE_UP_AFTER = timedelta(days=3)

message_leases = LeasedTable(
    model=Message,
    lease_setting="NOTIFICATION_LEASE_SECONDS",
    due_column="next_attempt_at",
    joins="JOIN channel ON channel.id = message.channel_id JOIN customer ON customer.id = channel.customer_id",
    condition="message.state = 'waiting' AND channel.is_enabled AND customer.is_active",
    is_slow="failures_in_a_row > 0 OR coalesce(last_duration_seconds, 0) >= %(slow_seconds)s",
    slow_seconds=SLOW_SECONDS,
    also_set=", claimed_at = %(now)s",
)


# Those of failing and slow channels are claimed apart from all others.
_quick = replace(message_leases, condition=f"{message_leases.condition} AND NOT ({message_leases.is_slow})")
_slow = replace(message_leases, condition=f"{message_leases.condition} AND ({message_leases.is_slow})")


@transaction.atomic
def claim_due(now: datetime | None = None) -> list[Claim]:
    """Group excess messages per channel and claim the messages that are due, longest overdue first."""
    now = now or clock.database_now()
    group_excess_messages(now)
    return [*_quick.claim_due(limit=CLAIMS_PER_TICK, now=now), *claim_slow(now)]


def claim_slow(now: datetime | None = None) -> list[Claim]:
    """Claim due messages of failing and slow channels, as many as may be sent at once; the others remain due.

    So the worker has a process for each, and the messages of all other channels do not wait for them. A queue of
    messages that are claimed already would not do: they would expire in it while the first ones are sent.
    """
    now = now or clock.database_now()
    slow = Q(channel__failures_in_a_row__gt=0) | Q(channel__last_duration_seconds__gte=SLOW_SECONDS)
    being_sent = Message.objects.filter(slow, state=Message.State.WAITING, lease_until__gt=now).count()
    return _slow.claim_due(limit=max(settings.NOTIFICATION_SLOW_AT_ONCE - being_sent, 0), now=now)


def message_of(claim: Claim) -> Message:
    """Return the claimed message, with its channel."""
    message: Message = Message.objects.select_related("channel__customer").get(pk=claim.row_id)
    return message


def next_attempt(
    attempts: int, now: datetime, tried_since: datetime, *, random: Random, retry_after_seconds: int | None = None
) -> datetime | None:
    """Return when to retry after the `attempts`-th attempt failed at `now`; None once three days are over.

    Three days hold some 79 attempts.
    """
    wait = backoff_seconds(attempts, random=random, retry_after_seconds=retry_after_seconds)
    due_at = now + timedelta(seconds=wait)
    return due_at if due_at <= tried_since + GIVE_UP_AFTER else None


def send_again(messages: QuerySet[Message]) -> int:
    """Requeue undelivered messages for another three days, due at once; return their number."""
    now = clock.database_now()
    return messages.filter(state=Message.State.DEAD).update(
        state=Message.State.WAITING, next_attempt_at=now, tried_since=now, claim_id=None, lease_until=None
    )


def give_up(now: datetime) -> int:
    """Give up messages that waited three days for a disabled channel or an inactive customer; return their number.

    All others are given up when their last attempt fails.
    """
    waiting = Message.objects.filter(state=Message.State.WAITING, tried_since__lte=now - GIVE_UP_AFTER)
    is_held = Q(channel__is_enabled=False) | Q(channel__customer__is_active=False)
    unclaimed = waiting.filter(is_held).exclude(lease_until__gt=now)
    return unclaimed.update(state=Message.State.DEAD, claim_id=None, lease_until=None)


def retry_now(channels: QuerySet[Channel], now: datetime) -> int:
    """Make the retries that wait for these channels due at once; return their number."""
    waiting = Message.objects.filter(channel__in=channels, state=Message.State.WAITING, attempt_count__gt=0)
    return waiting.filter(next_attempt_at__gt=now, next_attempt_at__gte=F("tried_since")).update(next_attempt_at=now)
