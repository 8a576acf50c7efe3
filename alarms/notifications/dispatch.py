"""Who is told of what happened to an alarm.

What calls for people is told by the rules that apply at that moment. Whom nobody was there to tell, because of a
rule's hours or a maintenance window, is told by `alarms.notifications.reminders` as soon as somebody is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.utils import timezone

from alarms.models import Alarm, AlarmEvent, Channel, Message
from alarms.notifications.flapping import fold_if_flapping
from alarms.notifications.messages import alarm_words
from alarms.notifications.routing import LoadedRule, RuleBook

logger = structlog.get_logger(__name__)

Kind = AlarmEvent.Kind
# What calls for people, and what tells them that they are not needed any more.
LOUD = frozenset({Kind.OPENED, Kind.WORSENED, Kind.REOPENED, Kind.RELEASED})
ENDS = frozenset({Kind.CLOSED, Kind.WITHDRAWN})


def tell(event: AlarmEvent) -> None:
    """Make the messages that `event` calls for, in the caller's transaction."""
    if event.kind in LOUD and calls_for_people(event.alarm):
        tell_loud(event, RuleBook.at_instant([event.alarm.customer_id], timezone.now()))
    elif event.kind in ENDS:
        _tell_end(event)


def calls_for_people(alarm: Alarm) -> bool:
    """Is it live, and is nothing else that people are told of its cause?"""
    is_known = not (alarm.is_detected_late or alarm.is_withdrawn)
    return alarm.is_live and is_known and alarm.suppressed_by_id is None


def tell_loud(event: AlarmEvent, book: RuleBook) -> int:
    """Make a message for every channel that `book` names and that has none of `event`; return how many."""
    wanted = _first_rules(book.telling(event.alarm))
    told = set(Message.objects.filter(event=event, sequence=0, channel__in=wanted).values_list("channel_id", flat=True))
    messages = [
        new_message(channel, event.kind, event, at=book.at, loaded=loaded)
        for channel, loaded in wanted.items()
        if channel.pk not in told
    ]
    for message in messages:
        fold_if_flapping(message)
    return add(messages)


def new_message(
    channel: Channel, reason: str, event: AlarmEvent, *, at: datetime, loaded: LoadedRule, sequence: int = 0
) -> Message:
    """A message that is not saved. `sequence`: the how-manieth reminder; 0: it is none."""
    alarm = event.alarm
    message = Message(
        channel=channel,
        alarm=alarm,
        event=event,
        rule=loaded.rule,
        reason=reason,
        sequence=sequence,
        is_critical=alarm.severity == "critical",
        created_at=at,
        tried_since=at,
        next_attempt_at=at,
    )
    alarm_words(alarm, reason, at, count=sequence).put_into(message)
    return message


def add(messages: Iterable[Message]) -> int:
    """Save the messages; one that another tick made meanwhile stays the only one. Return how many were given."""
    rows = list(messages)
    Message.objects.bulk_create(rows, ignore_conflicts=True)
    for message in rows:
        logger.info(
            "message made",
            message_id=str(message.public_id),
            channel=str(message.channel.public_id),
            reason=message.reason,
            state=message.state,
        )
    return len(rows)


def _first_rules(rules: Iterable[LoadedRule]) -> dict[Channel, LoadedRule]:
    """Each channel once, with the first rule that names it."""
    found: dict[Channel, LoadedRule] = {}
    for loaded in rules:
        for channel in loaded.channels:
            found.setdefault(channel, loaded)
    return found


def _tell_end(event: AlarmEvent) -> None:
    """Tell those who were told of the alarm that it is over, where a rule says so; of a withdrawn one only once."""
    alarm = event.alarm
    if event.kind == Kind.CLOSED and alarm.is_withdrawn:
        return
    told = _channels_told(alarm)
    if not told:
        return
    now = timezone.now()
    ending = {
        channel: loaded
        for loaded in reversed(RuleBook.at_instant([alarm.customer_id], now).telling(alarm))
        for channel in (*loaded.channels, *loaded.escalation_channels)
        if loaded.rule.tells_when_closed and channel.pk in told
    }
    add(new_message(channel, event.kind, event, at=now, loaded=loaded) for channel, loaded in ending.items())


def _channels_told(alarm: Alarm) -> set[int]:
    """The channels that hold a message of this very alarm, be it in a digest. A count of many is of none of them."""
    messages = Message.objects.filter(alarm=alarm).exclude(reason=Message.Reason.FLAPPING)
    own = messages.exclude(folded_into__reason=Message.Reason.FLAPPING)
    return set(own.values_list("channel_id", flat=True))
