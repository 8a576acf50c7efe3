"""Create the messages that become due with time while an alarm is live: catch-up, reminders, escalations.

Every tick looks at all live alarms and creates what is missing. Each message has a unique key in the database, so a
missed tick is made up for by the next, and two at once are harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from alarms.models import Alarm, AlarmEvent, Channel, Message
from alarms.notifications.dispatch import ACTIONABLE_KINDS, build_message, is_notifiable, notify, save_messages
from alarms.notifications.routing import Route, RoutingTable

Kind, Reason = AlarmEvent.Kind, Message.Reason
# Events that start the wait for an acknowledgement; a higher severity does not restart it.
STARTING_KINDS = ACTIONABLE_KINDS - {Kind.WORSENED}
_LOADED_KINDS = ACTIONABLE_KINDS | {Kind.ACKNOWLEDGED}
BATCH_SIZE = 500


@dataclass(slots=True)
class _NotificationState:
    """The actionable events of a live alarm and the messages sent about them.

    has_worsened_since: whether the newest one came after the alarm was acknowledged.
    """

    alarm: Alarm
    newest: AlarmEvent
    start: AlarmEvent
    has_worsened_since: bool
    messages: list[Message] = field(default_factory=list)

    @property
    def is_unacknowledged(self) -> bool:
        return self.alarm.state == Alarm.State.OPEN

    def first_notified_at(self, route: Route) -> datetime | None:
        """Return when the route's channels were first notified since the alarm started; None if not yet."""
        channels = {channel.pk for channel in route.channels}
        created = [message.created_at for message in self.messages if message.channel_id in channels]
        return min(created, default=None)


def create_due_messages(now: datetime) -> int:
    """Create the messages that have become due by `now`; return their number."""
    live = Alarm.objects.filter(state__in=[Alarm.State.OPEN, Alarm.State.ACKNOWLEDGED], suppressed_by=None)
    ids = list(live.filter(is_detected_late=False, is_withdrawn=False).order_by("pk").values_list("pk", flat=True))
    return sum(_process_batch(ids[first : first + BATCH_SIZE], now) for first in range(0, len(ids), BATCH_SIZE))


@transaction.atomic
def _process_batch(alarm_ids: Sequence[int], now: datetime) -> int:
    # Changes of an alarm lock its row, so nothing is decided on a state that is outdated.
    alarms = Alarm.objects.filter(pk__in=alarm_ids).select_for_update(of=("self",), no_key=True, skip_locked=True)
    related = alarms.select_related("customer", "storage_unit__facility").order_by("pk")
    states = _load_states([alarm for alarm in related if is_notifiable(alarm)])
    table = RoutingTable.load({state.alarm.customer_id for state in states}, now)
    return sum(_process(state, table) for state in states)


def _process(state: _NotificationState, table: RoutingTable) -> int:
    created = 0
    if state.is_unacknowledged or state.has_worsened_since:
        created += _catch_up(state, table)
    if state.is_unacknowledged:
        created += save_messages(_due_messages(state, table))
    return created


def _catch_up(state: _NotificationState, table: RoutingTable) -> int:
    """Notify routed channels that could not be notified when the event happened."""
    notified = {message.channel_id for message in state.messages if message.event_id == state.newest.pk}
    routed = {channel.pk for route in table.routes_for(state.alarm) for channel in route.channels}
    return notify(state.newest, table) if routed - notified else 0


def _due_messages(state: _NotificationState, table: RoutingTable) -> Iterable[Message]:
    for channel, route in _most_frequent(table.routes_for(state.alarm)).items():
        yield from _reminders(state, channel, route, table.at)
    for route in table.matching_routes(state.alarm):
        yield from _escalations(state, route, table)


def _most_frequent(routes: Iterable[Route]) -> dict[Channel, Route]:
    """Return the route by which each channel is reminded: of several the one with the shortest interval."""
    by_channel: dict[Channel, Route] = {}
    repeating = [route for route in routes if route.rule.repeat_minutes]
    for route in sorted(repeating, key=lambda route: route.rule.repeat_minutes or 0):
        for channel in route.channels:
            by_channel.setdefault(channel, route)
    return by_channel


def _reminders(state: _NotificationState, channel: Channel, route: Route, now: datetime) -> Iterable[Message]:
    notified_at, every_minutes = state.first_notified_at(route), route.rule.repeat_minutes
    number = reminders_due(every_minutes, notified_at, now)
    if not (notified_at and every_minutes and number):
        return
    # The rule's interval may have changed, or another rule of the channel have applied: its earlier reminders count.
    earlier = [each for each in state.messages if each.reason == Reason.REMINDER and each.channel_id == channel.pk]
    due_at = notified_at + number * timedelta(minutes=every_minutes)
    if all(reminder.created_at < due_at for reminder in earlier):
        number = max([number, *(reminder.sequence + 1 for reminder in earlier)])
        yield build_message(channel, Reason.REMINDER, state.start, at=now, route=route, sequence=number)


def _escalations(state: _NotificationState, route: Route, table: RoutingTable) -> Iterable[Message]:
    # A rule that only escalates counts from the start of the alarm, any other from its first notification.
    since = state.first_notified_at(route) if route.channels else state.start.happened_at
    if since is None or not is_escalation_due(route.rule.escalate_minutes, since, table.at):
        return
    # The wait that began within the rule's hours goes on after them: nobody may be there any more.
    if not any(table.is_within_hours(route, state.alarm, instant) for instant in (since, table.at)):
        return
    existing = {message.channel_id for message in state.messages if message.reason == Reason.ESCALATED}
    for channel in route.escalation_channels:
        if channel.pk not in existing:
            yield build_message(channel, Reason.ESCALATED, state.start, at=table.at, route=route)
            existing.add(channel.pk)


def reminders_due(every_minutes: int | None, notified_at: datetime | None, now: datetime) -> int:
    """Return the number of reminders due by `now`, missed ones included.

    They are due every `every_minutes` after the first notification; without either there are none.
    """
    if every_minutes is None or notified_at is None:
        return 0
    return max(0, (now - notified_at) // timedelta(minutes=every_minutes))


def is_escalation_due(after_minutes: int | None, since: datetime, now: datetime) -> bool:
    """Return whether an alarm unacknowledged `since` then is to be escalated; never without `after_minutes`."""
    return after_minutes is not None and now - since >= timedelta(minutes=after_minutes)


def _load_states(alarms: Sequence[Alarm]) -> list[_NotificationState]:
    """Return the notification states of the alarms that have an actionable event."""
    by_id = {alarm.pk: alarm for alarm in alarms}
    events: dict[int, list[AlarmEvent]] = defaultdict(list)
    # In the order in which they were recorded: what a reading shows happened before it arrived.
    for event in AlarmEvent.objects.filter(alarm__in=by_id, kind__in=_LOADED_KINDS).order_by("pk"):
        event.alarm = by_id[event.alarm_id]
        events[event.alarm_id].append(event)
    found = (_state(by_id[alarm_id], of_alarm) for alarm_id, of_alarm in events.items())
    states = {state.alarm.pk: state for state in found if state is not None}
    for message in Message.objects.filter(alarm__in=by_id).exclude(event=None):
        state = states.get(message.alarm_id or 0)
        if state is not None and message.event_id in {state.newest.pk, state.start.pk}:
            state.messages.append(message)
    return list(states.values())


def _state(alarm: Alarm, events: Sequence[AlarmEvent]) -> _NotificationState | None:
    actionable = [event for event in events if event.kind in ACTIONABLE_KINDS]
    if not actionable:
        return None
    newest, starts = actionable[-1], [event for event in actionable if event.kind in STARTING_KINDS]
    acknowledged = [event for event in events if event.kind == Kind.ACKNOWLEDGED]
    has_worsened_since = bool(acknowledged) and newest.pk > acknowledged[-1].pk
    return _NotificationState(alarm, newest, starts[-1] if starts else newest, has_worsened_since)
