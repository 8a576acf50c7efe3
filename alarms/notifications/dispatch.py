"""Turn alarm events into messages for the channels that the routing rules name.

Events notify by the rules that apply at that moment. Channels that had to be left out because of a rule's hours or a
maintenance window are caught up on by `alarms.notifications.reminders`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog
from django.utils import timezone

from alarms.models import Alarm, AlarmEvent, Channel, Message
from alarms.notifications.flapping import describe_end, group_if_flapping
from alarms.notifications.messages import alarm_content
from alarms.notifications.routing import Route, RoutingTable
from alarms.thresholds import Severity
from core.db import clock

logger = structlog.get_logger(__name__)

Kind = AlarmEvent.Kind
# Events that call for action, and events that tell whoever was notified how it went on.
ACTIONABLE_KINDS = frozenset({Kind.OPENED, Kind.WORSENED, Kind.REOPENED, Kind.RELEASED})
FOLLOW_UP_KINDS = frozenset({Kind.REVISED, Kind.CLOSED, Kind.WITHDRAWN})


def dispatch(event: AlarmEvent) -> None:
    """Create the messages that `event` calls for, in the caller's transaction."""
    if event.kind in ACTIONABLE_KINDS and is_notifiable(event.alarm):
        notify(event, RoutingTable.load([event.alarm.customer_id], timezone.now()))
    elif event.kind in FOLLOW_UP_KINDS:
        _notify_again(event)


def is_notifiable(alarm: Alarm) -> bool:
    """Return whether the alarm is live and not inhibited, detected late or withdrawn."""
    return alarm.is_live and not (alarm.is_detected_late or alarm.is_withdrawn) and alarm.suppressed_by_id is None


def notify(event: AlarmEvent, table: RoutingTable) -> int:
    """Create a message of `event` for every routed channel that has none yet; return their number."""
    routes = _first_route_by_channel(table.routes_for(event.alarm))
    existing = Message.objects.filter(event=event, sequence=0, channel__in=routes)
    notified = set(existing.values_list("channel_id", flat=True))
    messages = [
        build_message(channel, event.kind, event, at=table.at, route=route)
        for channel, route in routes.items()
        if channel.pk not in notified
    ]
    for message in messages:
        group_if_flapping(message)
    return save_messages(messages)


def build_message(
    channel: Channel, reason: str, event: AlarmEvent, *, at: datetime, route: Route, sequence: int = 0
) -> Message:
    """Return an unsaved message. `sequence` is the number of a reminder, 0 for other messages."""
    alarm = event.alarm
    # Messages are claimed by the database's clock: one by a clock that is ahead would have to wait.
    due_at = min(at, clock.database_now())
    message = Message(
        channel=channel,
        alarm=alarm,
        event=event,
        rule=route.rule,
        reason=reason,
        sequence=sequence,
        is_critical=alarm.severity == "critical",
        created_at=at,
        tried_since=due_at,
        next_attempt_at=due_at,
    )
    why = event.text if event.kind in FOLLOW_UP_KINDS else ""
    alarm_content(alarm, reason, at, count=sequence, why=why).apply_to(message)
    return message


def save_messages(messages: Iterable[Message]) -> int:
    """Save the messages, skipping those that a concurrent tick has created; return how many were given."""
    rows = list(messages)
    Message.objects.bulk_create(rows, ignore_conflicts=True)
    for message in rows:
        logger.info(
            "message created",
            message_id=str(message.public_id),
            channel=str(message.channel.public_id),
            reason=message.reason,
            state=message.state,
        )
    return len(rows)


def _first_route_by_channel(routes: Iterable[Route]) -> dict[Channel, Route]:
    by_channel: dict[Channel, Route] = {}
    for route in routes:
        for channel in route.channels:
            by_channel.setdefault(channel, route)
    return by_channel


def _notify_again(event: AlarmEvent) -> None:
    """Notify the channels that know of the alarm how it went on, where a rule says so."""
    alarm = event.alarm
    if event.kind == Kind.CLOSED and alarm.is_withdrawn:
        return  # The withdrawal has been sent already.
    now = timezone.now()
    notified_at = _notified_channels(alarm, describe_end(alarm, now))
    if not notified_at:
        return
    table = RoutingTable.load([alarm.customer_id], now)
    # Of several routes to a channel the first one wins. A critical alarm may have been a warning that was notified.
    routes = {
        channel: route
        for route in reversed(table.matching_routes(alarm, [alarm.severity, Severity.WARNING]))
        for channel in (*route.channels, *route.escalation_channels)
        if route.rule.tells_when_closed
        and channel.pk in notified_at
        and _may_notify_again(table, route, alarm, notified_at[channel.pk])
    }
    save_messages(build_message(channel, event.kind, event, at=now, route=route) for channel, route in routes.items())


def _may_notify_again(table: RoutingTable, route: Route, alarm: Alarm, notified_at: datetime) -> bool:
    """Return whether it is within the rule's hours, or the channel has been notified after them, by an escalation."""
    return table.is_within_hours(route, alarm, table.at) or not table.is_within_hours(route, alarm, notified_at)


def _notified_channels(alarm: Alarm, unsent_counter_ids: Sequence[int]) -> dict[int, datetime]:
    """Return the channels with a message of this alarm, alone or in a digest, and when they got the last one.

    A count of flapping names its last alarm, and how that ended if it is not sent yet.
    """
    messages = Message.objects.filter(alarm=alarm).exclude(pk__in=unsent_counter_ids)
    own = messages.exclude(folded_into__reason=Message.Reason.FLAPPING)
    return dict(own.order_by("created_at").values_list("channel_id", "created_at"))
