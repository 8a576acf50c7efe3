"""The words of a message, for people and for programs. They are made once, with the message, and never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from alarms.models import Alarm, Channel, Message
from alarms.notifications.routing import is_drill
from customers.models import StorageUnit
from readings.units.formatting import temperature_text

SUBJECT_MAX_LENGTH = 300
LINES_IN_A_DIGEST = 100
Reason = Message.Reason

_WHAT_HAPPENED = {
    Reason.OPENED: "",
    Reason.WORSENED: "now critical: ",
    Reason.REOPENED: "again: ",
    Reason.RELEASED: "",
    Reason.CLOSED: "over: ",
    Reason.WITHDRAWN: "withdrawn: ",
    Reason.REMINDER: "still open: ",
    Reason.ESCALATED: "not acknowledged: ",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What a message says: a line, a text, and the body of a webhook."""

    subject: str
    body: str
    data: dict[str, Any]

    def put_into(self, message: Message) -> None:
        message.subject, message.body, message.data = self.subject, self.body, self.data


def alarm_words(alarm: Alarm, reason: str, at: datetime, *, count: int = 0) -> Words:
    """What to say of `alarm`. `count`: of FLAPPING how often it alarmed, of REMINDER the how-manieth this is."""
    subject = _one_line(f"{_mark(alarm)}{_happened(reason, count)}{_headline(alarm)}")
    body = "\n".join([subject, "", *_facts(alarm), *_closing_lines(alarm)])
    data = {"alarm": alarm_data(alarm), "is_drill": is_drill(alarm)} | ({"count": count} if count else {})
    return Words(subject, body, _event(f"alarm.{reason}", at, data))


def digest_words(messages: Sequence[Message], at: datetime) -> Words:
    """What to say of many messages at once; the longest list of lines is cut, the counts are not."""
    alarms = len({message.alarm_id for message in messages})
    critical = len({message.alarm_id for message in messages if message.is_critical})
    drill = "DRILL: " if all(message.data.get("data", {}).get("is_drill") for message in messages) else ""
    subject = f"{drill}{len(messages)} messages at once about {alarms} alarms, {critical} of them critical"
    if len(messages) == 1:
        subject = messages[0].subject
    lines = [f"- {message.subject}" for message in messages[:LINES_IN_A_DIGEST]]
    if len(messages) > LINES_IN_A_DIGEST:
        lines.append(f"- and {len(messages) - LINES_IN_A_DIGEST} more; the notifications page lists all.")
    data = {
        "message_count": len(messages),
        "alarm_count": alarms,
        "critical_count": critical,
        "is_drill": bool(drill),
        "messages": [{"id": str(message.public_id), **message.data} for message in messages[:LINES_IN_A_DIGEST]],
    }
    return Words(subject, "\n".join([subject, "", *lines]), _event("alarm.digest", at, data))


def words_of_test(channel: Channel, at: datetime, by: str) -> Words:
    """What a test of `channel` says."""
    subject = _one_line(f"Test of the channel {channel.name}")
    body = f"{subject}\n\nAlarms of {channel.customer.name} arrive here. {by} asked for this test; nothing is wrong."
    return Words(subject, body, _event("test", at, {"channel": channel.name, "customer": _customer_data(channel)}))


def alarm_data(alarm: Alarm) -> dict[str, Any]:
    """An alarm as programs are told of it: °C, instants ISO 8601 in UTC; None: not known, or not yet."""
    return {
        "id": str(alarm.public_id),
        "kind": alarm.kind,
        "severity": alarm.severity,
        "state": alarm.state,
        "started_at": _iso(alarm.started_at),
        "opened_at": _iso(alarm.opened_at),
        "ended_at": _iso(alarm.ended_at),
        "temperature_c": alarm.temperature_c,
        "recorded_at": _iso(alarm.recorded_at),
        "acknowledged_by": alarm.acknowledged_by or None,
        "customer": _customer_data(alarm),
        "unit": _unit_data(alarm.storage_unit),
        "source": {"id": str(alarm.source_key), "name": alarm.source_name} if alarm.source_key else None,
        "url": alarm_url(alarm) or None,
    }


def alarm_url(alarm: Alarm) -> str:
    """The address of the alarm's page; "" where SITE_URL is not set or the site has no such page."""
    try:
        path = reverse("alarm", args=[alarm.public_id])
    except NoReverseMatch:
        return ""
    return f"{settings.SITE_URL.rstrip('/')}{path}" if settings.SITE_URL else ""


def _mark(alarm: Alarm) -> str:
    return ("DRILL: " if is_drill(alarm) else "") + f"{alarm.severity.capitalize()}: "


def _happened(reason: str, count: int) -> str:
    if reason == Reason.FLAPPING:
        return f"{count} times within a short time: "
    if reason == Reason.REMINDER:
        return f"still open, reminder {count}: "
    return _WHAT_HAPPENED[Reason(reason)]


def _headline(alarm: Alarm) -> str:
    if alarm.storage_unit is None:
        return f"{alarm.get_kind_display()}, {alarm.source_name}"
    unit = alarm.storage_unit
    worst = "" if alarm.temperature_c is None else f", {temperature_text(alarm.temperature_c, unit.temperature_unit)}"
    return f"{alarm.get_kind_display()}, {unit} in {unit.facility}{worst}"


def _facts(alarm: Alarm) -> list[str]:
    unit = alarm.storage_unit
    zone = unit.facility.zone if unit else ZoneInfo("UTC")
    lines = [f"Customer: {alarm.customer.name}", f"Began: {_local(alarm.started_at, zone)}"]
    if unit is not None and alarm.temperature_c is not None:
        when = f" at {_local(alarm.recorded_at, zone)}" if alarm.recorded_at else ""
        lines.append(f"Worst so far: {temperature_text(alarm.temperature_c, unit.temperature_unit)}{when}")
    if alarm.ended_at is not None:
        lines.append(f"Over since: {_local(alarm.ended_at, zone)}")
    if alarm.acknowledged_by:
        lines.append(f"Acknowledged by {alarm.acknowledged_by}: {alarm.acknowledgement}")
    return lines


def _closing_lines(alarm: Alarm) -> list[str]:
    url = alarm_url(alarm)
    lines = ["", url] if url else []
    return [*lines, "", "This is a drill: no goods are concerned."] if is_drill(alarm) else lines


def _event(kind: str, at: datetime, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "timestamp": _iso(at), "data": data}


def _unit_data(unit: StorageUnit | None) -> dict[str, Any] | None:
    if unit is None:
        return None
    facility = unit.facility
    return {
        "id": str(unit.public_id),
        "code": unit.unit_code,
        "name": unit.name,
        "facility": {"id": str(facility.public_id), "code": facility.facility_code, "name": facility.name},
    }


def _customer_data(owned: Alarm | Channel) -> dict[str, str]:
    return {"code": owned.customer.customer_code, "name": owned.customer.name}


def _iso(instant: datetime | None) -> str | None:
    return instant.isoformat().replace("+00:00", "Z") if instant else None


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _one_line(text: str) -> str:
    """A name may hold anything; a subject is one line."""
    return " ".join(text.split())[:SUBJECT_MAX_LENGTH]
