"""Limit the messages per minute and channel: excess messages are grouped in a digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from django.db.models import Count, QuerySet

from alarms.models import Channel, Message
from alarms.notifications.messages import digest_content

logger = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
Reason, State = Message.Reason, Message.State
# Never held back: a person waits for a test, and a digest contains messages that were held back.
EXEMPT_REASONS = [Reason.TEST, Reason.DIGEST]


class DueMessage(NamedTuple):
    """The part of a due message that determines its priority."""

    message_id: int
    is_critical: bool
    created_at: datetime


def excess_ids(due: Sequence[DueMessage], limit: int, sent_within_minute: int) -> list[int]:
    """Return the ids of the messages beyond the channel's limit, oldest first.

    The others, as many as the limit leaves room for, are sent on their own: critical ones first, then the oldest.
    """
    by_priority = sorted(due, key=lambda row: (not row.is_critical, row.created_at, row.message_id))
    excess = by_priority[max(0, limit - sent_within_minute) :]
    return [row.message_id for row in sorted(excess, key=lambda row: (row.created_at, row.message_id))]


def next_digest_at(now: datetime, last_digest_at: datetime | None) -> datetime:
    """Return when the next digest is due: now, but at least a minute after the last one."""
    return now if last_digest_at is None else max(now, last_digest_at + MINUTE)


def group_excess_messages(now: datetime) -> int:
    """Group the messages beyond the channels' limits, in the caller's transaction; return their number."""
    due = dict(_due(now).values_list("channel").annotate(Count("pk")).order_by())
    recent = dict(_recent(due, now).values_list("channel").annotate(Count("pk")).order_by())
    # The channel's row is the lock; a concurrent tick skips the channel.
    channels = Channel.objects.filter(pk__in=due, is_enabled=True).order_by("pk")
    over_limit = channels.filter(messages_a_minute__lt=_highest_rate(due, recent))
    locked = over_limit.select_for_update(no_key=True, skip_locked=True)
    return sum(_group(channel, recent.get(channel.pk, 0), now) for channel in locked)


def _due(now: datetime) -> QuerySet[Message]:
    return Message.objects.filter(state=State.WAITING, next_attempt_at__lte=now, claim_id=None).exclude(
        reason__in=EXEMPT_REASONS
    )


def _recent(channel_ids: Iterable[int], now: datetime) -> QuerySet[Message]:
    """Return the messages sent to these channels on their own within the last minute."""
    sent = Message.objects.filter(channel__in=channel_ids, claimed_at__gt=now - MINUTE)
    return sent.exclude(reason__in=EXEMPT_REASONS).exclude(state=State.GROUPED)


def _highest_rate(due: Mapping[int, int], recent: Mapping[int, int]) -> int:
    """Return the most messages any channel would get within the minute; channels that allow more are fine."""
    return max((count + recent.get(channel_id, 0) for channel_id, count in due.items()), default=0)


def _group(channel: Channel, sent_within_minute: int, now: datetime) -> int:
    due = _due(now).filter(channel=channel)
    due_messages = [DueMessage(*row) for row in due.values_list("pk", "is_critical", "created_at")]
    ids = excess_ids(due_messages, channel.messages_a_minute, sent_within_minute)
    if not ids:
        return 0
    digest = _unsent_digest(channel) or _new_digest(channel, now)
    Message.objects.filter(pk__in=ids).update(state=State.GROUPED, folded_into=digest)
    grouped = list(digest.folded.order_by("created_at", "pk"))
    digest.is_critical = any(message.is_critical for message in grouped)
    digest_content(grouped, now).apply_to(digest)
    digest.save(update_fields=["is_critical", "subject", "body", "data"])
    logger.info("messages grouped", channel=str(channel.public_id), digest=str(digest.public_id), count=len(ids))
    return len(ids)


def _unsent_digest(channel: Channel) -> Message | None:
    """Return the channel's digest whose delivery has not begun."""
    waiting = channel.messages.filter(reason=Reason.DIGEST, state=State.WAITING, claim_id=None, attempt_count=0)
    digest: Message | None = waiting.select_for_update(no_key=True, of=("self",), skip_locked=True).first()
    return digest


def _new_digest(channel: Channel, now: datetime) -> Message:
    last = channel.messages.filter(reason=Reason.DIGEST, claimed_at__gt=now - MINUTE).order_by("-claimed_at").first()
    due_at = next_digest_at(now, last.claimed_at if last else None)
    digest: Message = channel.messages.create(
        reason=Reason.DIGEST, created_at=now, tried_since=due_at, next_attempt_at=due_at
    )
    return digest
