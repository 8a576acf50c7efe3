"""Too many messages to a channel at once become one that lists them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from django.db.models import Count, QuerySet

from alarms.models import Channel, Message
from alarms.notifications.messages import digest_words

logger = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
Reason, State = Message.Reason, Message.State
# What is never held back: a person waits for a test, and a digest is what others were folded into.
EXEMPT = [Reason.TEST, Reason.DIGEST]


class Waiting(NamedTuple):
    """A message that is due, as far as it matters for what goes first."""

    message_id: int
    is_critical: bool
    created_at: datetime


def to_fold(waiting: Sequence[Waiting], limit: int, sent_within_minute: int) -> list[int]:
    """The ids of what is beyond the channel's limit, in the order it happened.

    As many as the limit leaves room for go out on their own, critical ones first, then in order.
    """
    in_order = sorted(waiting, key=lambda row: (not row.is_critical, row.created_at, row.message_id))
    beyond = in_order[max(0, limit - sent_within_minute) :]
    return [row.message_id for row in sorted(beyond, key=lambda row: (row.created_at, row.message_id))]


def digest_due(now: datetime, last_digest_at: datetime | None) -> datetime:
    """When the next digest goes out: at once, but a minute after the last one at the earliest."""
    return now if last_digest_at is None else max(now, last_digest_at + MINUTE)


def fold_storms(now: datetime) -> int:
    """Fold what is beyond the channels' limits, in the caller's transaction; return how many messages were folded."""
    due = dict(_due(now).values_list("channel").annotate(Count("pk")).order_by())
    recent = dict(_recent(due, now).values_list("channel").annotate(Count("pk")).order_by())
    # Who folds for a channel holds its row; another tick leaves it to them.
    channels = Channel.objects.filter(pk__in=due, is_enabled=True).order_by("pk")
    crowded = channels.filter(messages_a_minute__lt=_most(due, recent)).select_for_update(no_key=True, skip_locked=True)
    return sum(_fold(channel, recent.get(channel.pk, 0), now) for channel in crowded)


def _due(now: datetime) -> QuerySet[Message]:
    return Message.objects.filter(state=State.WAITING, next_attempt_at__lte=now, claim_id=None).exclude(
        reason__in=EXEMPT
    )


def _recent(channel_ids: Iterable[int], now: datetime) -> QuerySet[Message]:
    """What these channels were sent on its own within the last minute."""
    sent = Message.objects.filter(channel__in=channel_ids, claimed_at__gt=now - MINUTE)
    return sent.exclude(reason__in=EXEMPT).exclude(state=State.FOLDED)


def _most(due: Mapping[int, int], recent: Mapping[int, int]) -> int:
    """The most that any channel would be sent within the minute: no channel with a higher limit has to be looked at."""
    return max((count + recent.get(channel_id, 0) for channel_id, count in due.items()), default=0)


def _fold(channel: Channel, sent_within_minute: int, now: datetime) -> int:
    due = _due(now).filter(channel=channel)
    waiting = [Waiting(*row) for row in due.values_list("pk", "is_critical", "created_at")]
    ids = to_fold(waiting, channel.messages_a_minute, sent_within_minute)
    if not ids:
        return 0
    digest = _digest_at_hand(channel) or _new_digest(channel, now)
    Message.objects.filter(pk__in=ids).update(state=State.FOLDED, folded_into=digest)
    folded = list(digest.folded.order_by("created_at", "pk"))
    digest.is_critical = any(message.is_critical for message in folded)
    digest_words(folded, now).put_into(digest)
    digest.save(update_fields=["is_critical", "subject", "body", "data"])
    logger.info("messages folded", channel=str(channel.public_id), digest=str(digest.public_id), count=len(ids))
    return len(ids)


def _digest_at_hand(channel: Channel) -> Message | None:
    """The channel's digest that nobody has begun to send."""
    waiting = channel.messages.filter(reason=Reason.DIGEST, state=State.WAITING, claim_id=None, attempt_count=0)
    digest: Message | None = waiting.select_for_update(no_key=True, of=("self",), skip_locked=True).first()
    return digest


def _new_digest(channel: Channel, now: datetime) -> Message:
    last = channel.messages.filter(reason=Reason.DIGEST, claimed_at__gt=now - MINUTE).order_by("-claimed_at").first()
    due_at = digest_due(now, last.claimed_at if last else None)
    digest: Message = channel.messages.create(
        reason=Reason.DIGEST, created_at=now, tried_since=due_at, next_attempt_at=due_at
    )
    return digest
