"""Group the repeated alarms of a flapping unit: one message at once, then one with the count."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from alarms.models import Alarm, Message
from alarms.notifications.messages import alarm_content

Reason, State = Message.Reason, Message.State
STARTING_REASONS = [Reason.OPENED, Reason.REOPENED, Reason.RELEASED]
WINDOW_REASONS = [*STARTING_REASONS, Reason.FLAPPING]
# A counting message that was never attempted.
_IS_UNSENT_COUNTER = Q(reason=Reason.FLAPPING, state=State.WAITING, attempt_count=0, claim_id=None)


def group_if_flapping(message: Message) -> None:
    """Group the unsaved `message` if its channel was notified of the same within the flap window.

    The first message is sent at once. Those that follow within the channel's `flap_minutes` are counted by one further
    message, which is sent when the window ends and starts the next one. Messages of a higher severity than the one
    sent, and drills, are never held back.
    """
    alarm = message.alarm
    if alarm is None or message.reason not in STARTING_REASONS or not message.channel.flap_minutes or alarm.is_drill:
        return
    similar = _similar_messages(alarm).filter(channel=message.channel)
    counter = _unsent_counter(similar) or _new_counter(message, similar)
    if counter is not None and counter.is_critical >= message.is_critical:
        _count(counter, message, alarm)


def describe_end(alarm: Alarm, at: datetime) -> list[int]:
    """Describe `alarm` as it ended in the counting messages about it that are not sent yet; return their ids."""
    counters = Message.objects.filter(_IS_UNSENT_COUNTER, alarm=alarm).select_for_update(of=("self",), no_key=True)
    for counter in counters:
        alarm_content(alarm, Reason.FLAPPING, at, count=counter.sequence).apply_to(counter)
        counter.save(update_fields=["subject", "body", "data"])
    return [counter.pk for counter in counters]


def _similar_messages(alarm: Alarm) -> QuerySet[Message]:
    """Return the messages about the same kind of alarm of the same unit, sensor or source."""
    alarms = Alarm.objects.filter(kind=alarm.kind, storage_unit=alarm.storage_unit_id, sensor=alarm.sensor_id)
    return Message.objects.filter(alarm__in=alarms.filter(source_key=alarm.source_key))


def _unsent_counter(similar: QuerySet[Message]) -> Message | None:
    """Return the counting message whose delivery has not begun."""
    return similar.filter(_IS_UNSENT_COUNTER).select_for_update(of=("self",), no_key=True).first()


def _new_counter(message: Message, similar: QuerySet[Message]) -> Message | None:
    """Return an unsaved counting message, due when the flap window ends; None outside a window."""
    window = timedelta(minutes=message.channel.flap_minutes)
    recent = similar.filter(reason__in=WINDOW_REASONS, tried_since__gt=message.created_at - window)
    sent = recent.exclude(folded_into__reason=Reason.FLAPPING).order_by("-tried_since").first()
    if sent is None:
        return None
    due_at = sent.tried_since + window
    return Message(
        channel=message.channel,
        rule=message.rule,
        reason=Reason.FLAPPING,
        sequence=1,
        is_critical=sent.is_critical,
        created_at=message.created_at,
        tried_since=due_at,
        next_attempt_at=due_at,
    )


def _count(counter: Message, message: Message, alarm: Alarm) -> None:
    """Group `message` under `counter`, whose `sequence` is the number of alarms."""
    counter.sequence += 1
    counter.alarm = alarm
    alarm_content(alarm, Reason.FLAPPING, message.created_at, count=counter.sequence).apply_to(counter)
    counter.save()
    message.state, message.folded_into = State.GROUPED, counter
