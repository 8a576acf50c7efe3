"""What becomes due by time alone while an alarm is live: telling late, reminding, escalating.

A tick looks at every live alarm and makes what is missing. Each message has a key in the database, so a tick that was
missed is made up for by the next, and two at once are harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from alarms.models import Alarm, AlarmEvent, Message
from alarms.notifications.dispatch import LOUD, add, calls_for_people, new_message, tell_loud
from alarms.notifications.routing import LoadedRule, RuleBook

Kind, Reason = AlarmEvent.Kind, Message.Reason
# What begins a time in which nobody has acknowledged the alarm; getting worse does not begin it anew.
BEGINNINGS = LOUD - {Kind.WORSENED}
ALARMS_AT_ONCE = 500


@dataclass(slots=True)
class _Course:
    """What happened to a live alarm, as far as it calls for people, and who was told when."""

    alarm: Alarm
    newest: AlarmEvent
    beginning: AlarmEvent
    messages: list[Message] = field(default_factory=list)

    @property
    def is_unheeded(self) -> bool:
        """Has nobody acknowledged the alarm?"""
        return self.alarm.state == Alarm.State.OPEN

    @property
    def has_worsened_since(self) -> bool:
        """Did it get worse after somebody acknowledged it?"""
        acknowledged_at = self.alarm.acknowledged_at
        return acknowledged_at is not None and self.newest.happened_at > acknowledged_at

    def told_since(self, loaded: LoadedRule) -> datetime | None:
        """When the rule's channels were first told in this course of the alarm; None: not yet."""
        channels = {channel.pk for channel in loaded.channels}
        told = [message.created_at for message in self.messages if message.channel_id in channels]
        return min(told, default=None)


def remind(now: datetime) -> int:
    """Make the messages that have become due by `now`; return how many."""
    live = Alarm.objects.filter(state__in=[Alarm.State.OPEN, Alarm.State.ACKNOWLEDGED], suppressed_by=None)
    ids = list(live.filter(is_detected_late=False, is_withdrawn=False).order_by("pk").values_list("pk", flat=True))
    return sum(_remind_of(ids[first : first + ALARMS_AT_ONCE], now) for first in range(0, len(ids), ALARMS_AT_ONCE))


@transaction.atomic
def _remind_of(alarm_ids: Sequence[int], now: datetime) -> int:
    # Whoever changes an alarm holds its row: what is decided here is not decided on a state that is over.
    alarms = Alarm.objects.filter(pk__in=alarm_ids).select_for_update(of=("self",), no_key=True, skip_locked=True)
    related = alarms.select_related("customer", "storage_unit__facility").order_by("pk")
    courses = _courses([alarm for alarm in related if calls_for_people(alarm)])
    book = RuleBook.at_instant({course.alarm.customer_id for course in courses}, now)
    return sum(_remind_one(course, book) for course in courses)


def _remind_one(course: _Course, book: RuleBook) -> int:
    made = 0
    if course.is_unheeded or course.has_worsened_since:
        made += _tell_late(course, book)
    if course.is_unheeded:
        made += add(_due(course, book))
    return made


def _tell_late(course: _Course, book: RuleBook) -> int:
    """Tell whom nobody was there to tell when it happened."""
    told = {message.channel_id for message in course.messages if message.event_id == course.newest.pk}
    wanted = {channel.pk for loaded in book.telling(course.alarm) for channel in loaded.channels}
    return tell_loud(course.newest, book) if wanted - told else 0


def _due(course: _Course, book: RuleBook) -> Iterable[Message]:
    for loaded in book.telling(course.alarm):
        told_since = course.told_since(loaded)
        yield from _reminders(course, book, loaded, told_since)
        yield from _escalations(course, book, loaded, told_since)


def _reminders(course: _Course, book: RuleBook, loaded: LoadedRule, told_since: datetime | None) -> Iterable[Message]:
    number = reminder_number(loaded.rule.repeat_minutes, told_since, book.at)
    if not number:
        return
    made = {(message.rule_id, message.channel_id) for message in course.messages if message.sequence >= number}
    for channel in loaded.channels:
        if (loaded.rule.pk, channel.pk) not in made:
            yield new_message(channel, Reason.REMINDER, course.beginning, at=book.at, loaded=loaded, sequence=number)


def _escalations(course: _Course, book: RuleBook, loaded: LoadedRule, told_since: datetime | None) -> Iterable[Message]:
    # A rule that only escalates waits from when the alarm began; any other from when its people were told.
    since = told_since if loaded.channels else course.beginning.happened_at
    if since is None or not is_to_escalate(loaded.rule.escalate_minutes, since, book.at):
        return
    made = {message.channel_id for message in course.messages if message.reason == Reason.ESCALATED}
    for channel in loaded.escalation_channels:
        if channel.pk not in made:
            yield new_message(channel, Reason.ESCALATED, course.beginning, at=book.at, loaded=loaded)
            made.add(channel.pk)


def reminder_number(every_minutes: int | None, told_since: datetime | None, now: datetime) -> int:
    """The how-manieth reminder is due at `now`, those that were missed included; 0: none.

    They are due every `every_minutes` after people were first told; None: never, or nobody was told.
    """
    if every_minutes is None or told_since is None:
        return 0
    return max(0, (now - told_since) // timedelta(minutes=every_minutes))


def is_to_escalate(after_minutes: int | None, since: datetime, now: datetime) -> bool:
    """Has an alarm that nobody acknowledged `since` then waited long enough? None: it is never escalated."""
    return after_minutes is not None and now - since >= timedelta(minutes=after_minutes)


def _courses(alarms: Sequence[Alarm]) -> list[_Course]:
    """The courses of these alarms. One without an event that calls for people has none."""
    by_id = {alarm.pk: alarm for alarm in alarms}
    loud: dict[int, list[AlarmEvent]] = defaultdict(list)
    for event in AlarmEvent.objects.filter(alarm__in=by_id, kind__in=LOUD).order_by("happened_at", "pk"):
        event.alarm = by_id[event.alarm_id]
        loud[event.alarm_id].append(event)
    courses = {alarm_id: _course(by_id[alarm_id], events) for alarm_id, events in loud.items()}
    for message in Message.objects.filter(alarm__in=by_id).exclude(event=None):
        course = courses.get(message.alarm_id or 0)
        if course is not None and message.event_id in {course.newest.pk, course.beginning.pk}:
            course.messages.append(message)
    return list(courses.values())


def _course(alarm: Alarm, events: Sequence[AlarmEvent]) -> _Course:
    beginnings = [event for event in events if event.kind in BEGINNINGS]
    return _Course(alarm, events[-1], beginnings[-1] if beginnings else events[-1])
