"""Which messages are due, and who sends them.

A claim is one conditional UPDATE: it gives a due message a claim id and a lease. What is told to a worker are both ids;
a worker whose claim id is no longer the message's own does nothing. A lost wake-up call or a killed worker leaves a
lease that runs out, after which the next tick claims the message again. Two beats, or a call twice, are harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from alarms.models import Channel, Message
from alarms.models.channels import SLOW_SECONDS
from alarms.notifications.backoff import GIVE_UP_AFTER
from alarms.notifications.throttling import fold_storms

# More than this many are left to the next tick, which is seconds away.
CLAIMS_A_TICK = 500

CLAIM_DUE = """
UPDATE message SET claim_id = gen_random_uuid(), claimed_at = %(now)s, lease_until = %(lease_until)s
FROM channel
WHERE channel.id = message.channel_id AND message.id IN (
    SELECT message.id
    FROM message JOIN channel ON channel.id = message.channel_id JOIN customer ON customer.id = channel.customer_id
    WHERE message.state = 'waiting' AND message.next_attempt_at <= %(now)s
        AND (message.lease_until IS NULL OR message.lease_until <= %(now)s)
        AND channel.is_enabled AND customer.is_active
    ORDER BY message.next_attempt_at LIMIT %(most)s
    FOR NO KEY UPDATE OF message SKIP LOCKED
)
RETURNING message.id, claim_id, failures_in_a_row > 0 OR coalesce(last_duration_seconds, 0) >= %(slow_seconds)s
"""


class ClaimLost(Exception):  # noqa: N818  an expected outcome: another worker has taken over
    """The message was claimed anew, sent or given up since this claim was made."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send a message until the lease runs out."""

    message_id: int
    claim_id: uuid.UUID
    is_slow: bool = False


@transaction.atomic
def claim_due(now: datetime | None = None) -> list[Claim]:
    """Fold what is too much for a channel, and claim the messages that are due, the longest due first."""
    now = now or timezone.now()
    fold_storms(now)
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM_DUE,
            {"now": now, "lease_until": now + _lease(), "most": CLAIMS_A_TICK, "slow_seconds": SLOW_SECONDS},
        )
        return [Claim(*row) for row in cursor.fetchall()]


def begin(claim: Claim) -> Message:
    """The claimed message, with the lease renewed for the sending that begins. Raises ClaimLost.

    A claim may have waited in a queue: the lease is to cover the sending, not the wait.
    """
    now = timezone.now()
    mine = Message.objects.filter(pk=claim.message_id, claim_id=claim.claim_id, lease_until__gt=now)
    if not mine.update(lease_until=now + _lease()):
        raise ClaimLost(f"Message {claim.message_id} is no longer claimed by {claim.claim_id}.")
    return Message.objects.select_related("channel__customer").get(pk=claim.message_id)


@contextmanager
def held(claim: Claim) -> Iterator[Message]:
    """A transaction in which `claim` can't be lost, with its message, locked. Raises ClaimLost."""
    with transaction.atomic():
        try:
            message = Message.objects.select_for_update(of=("self",), no_key=True).get(
                pk=claim.message_id, claim_id=claim.claim_id
            )
        except Message.DoesNotExist as error:
            raise ClaimLost(f"Message {claim.message_id} is no longer claimed by {claim.claim_id}.") from error
        yield message


def send_again(messages: QuerySet[Message]) -> int:
    """Have dead messages tried for another three days, at once; return how many were dead."""
    now = timezone.now()
    return messages.filter(state=Message.State.DEAD).update(
        state=Message.State.WAITING, next_attempt_at=now, tried_since=now, claim_id=None, lease_until=None
    )


def bury(now: datetime) -> int:
    """Give up what waited three days on a channel that is disabled; return how many. What is tried ends by itself."""
    waiting = Message.objects.filter(state=Message.State.WAITING, tried_since__lte=now - GIVE_UP_AFTER)
    resting = waiting.filter(channel__is_enabled=False).exclude(lease_until__gt=now)
    return resting.update(state=Message.State.DEAD, claim_id=None, lease_until=None)


def due_at_once(channels: QuerySet[Channel], now: datetime) -> int:
    """Have all that waits on these channels tried now instead of after its backoff; return how much that is."""
    waiting = Message.objects.filter(channel__in=channels, state=Message.State.WAITING, attempt_count__gt=0)
    return waiting.filter(next_attempt_at__gt=now, next_attempt_at__gte=F("tried_since")).update(next_attempt_at=now)


def _lease() -> timedelta:
    return timedelta(seconds=settings.NOTIFICATION_LEASE_SECONDS)
