"""A unit that alarms again and again is told of once, and then once more with its count."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet

from alarms.models import Alarm, Message
from alarms.notifications.messages import alarm_words
from alarms.notifications.routing import is_drill

Reason, State = Message.Reason, Message.State
BEGINNINGS = [Reason.OPENED, Reason.REOPENED, Reason.RELEASED]
TELLING = [*BEGINNINGS, Reason.FLAPPING]


def fold_if_flapping(message: Message) -> None:
    """Fold `message`, which is not saved, where its channel was told of the same within the flap window.

    The first message goes out at once. Those that follow within the channel's `flap_minutes` are counted by one more,
    which goes out when that time is over, and from which the time runs anew. What is worse than what was told, and
    drills, are never held back.
    """
    alarm = message.alarm
    if alarm is None or message.reason not in BEGINNINGS or not message.channel.flap_minutes or is_drill(alarm):
        return
    alike = _alike(alarm).filter(channel=message.channel)
    counter = _counter_at_hand(alike) or _new_counter(message, alike)
    if counter is not None and counter.is_critical >= message.is_critical:
        _count(counter, message, alarm)


def _alike(alarm: Alarm) -> QuerySet[Message]:
    """The messages about the same kind of alarm of the same unit, or of the same source."""
    cause = {"storage_unit": alarm.storage_unit_id} if alarm.storage_unit_id else {"source_key": alarm.source_key}
    return Message.objects.filter(alarm__in=Alarm.objects.filter(kind=alarm.kind, **cause))


def _counter_at_hand(alike: QuerySet[Message]) -> Message | None:
    """The counting message that nobody has begun to send."""
    waiting = alike.filter(reason=Reason.FLAPPING, state=State.WAITING, attempt_count=0, claim_id=None)
    return waiting.select_for_update(of=("self",), no_key=True).first()


def _new_counter(message: Message, alike: QuerySet[Message]) -> Message | None:
    """A counting message, not saved, that is due when the flap window is over; None: this is the first of its like."""
    window = timedelta(minutes=message.channel.flap_minutes)
    recent = alike.filter(reason__in=TELLING, tried_since__gt=message.created_at - window)
    told = recent.exclude(folded_into__reason=Reason.FLAPPING).order_by("-tried_since").first()
    if told is None:
        return None
    due_at = told.tried_since + window
    return Message(
        channel=message.channel,
        rule=message.rule,
        reason=Reason.FLAPPING,
        sequence=1,
        is_critical=told.is_critical,
        created_at=message.created_at,
        tried_since=due_at,
        next_attempt_at=due_at,
    )


def _count(counter: Message, message: Message, alarm: Alarm) -> None:
    """Fold `message` into `counter`, whose `sequence` is how often the unit has alarmed."""
    counter.sequence += 1
    counter.alarm = alarm
    alarm_words(alarm, Reason.FLAPPING, message.created_at, count=counter.sequence).put_into(counter)
    counter.save()
    message.state, message.folded_into = State.FOLDED, counter
