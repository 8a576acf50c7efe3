"""The content of messages for people and programs. It is written once, with the message, and never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from alarms.models import Alarm, Channel, Message
from customers.models import StorageUnit
from readings.units.condition import LimitsInForce
from readings.units.formatting import drift_text, limits_text, temperature_text

SUBJECT_MAX_LENGTH = 300
LINES_IN_A_DIGEST = 100
Reason = Message.Reason

# What follows the severity in a subject, before the headline.
_PREFIXES = {
    Reason.OPENED: "",
    Reason.WORSENED: "worsened: ",
    Reason.REVISED: "revised: ",
    Reason.REOPENED: "reopened: ",
    Reason.RELEASED: "",
    Reason.CLOSED: "closed: ",
    Reason.WITHDRAWN: "withdrawn: ",
    Reason.REMINDER: "reminder {count}, still open: ",
    Reason.ESCALATED: "escalated, not acknowledged: ",
    Reason.FLAPPING: "repeated {count} times: ",
}


class WebhookEvent(TypedDict):
    """The body of a webhook; `data` depends on the type."""

    type: str
    timestamp: str | None
    data: dict[str, object]


@dataclass(frozen=True, slots=True)
class MessageContent:
    """A subject of one line, a plain text, and the body of a webhook."""

    subject: str
    body: str
    data: WebhookEvent

    def apply_to(self, message: Message) -> None:
        """Set the content of `message`, without saving it."""
        message.subject, message.body, message.data = self.subject, self.body, self.data


def alarm_content(alarm: Alarm, reason: str, at: datetime, *, count: int = 0, why: str = "") -> MessageContent:
    """Describe `alarm`. `count` is the number of alarms for FLAPPING and the number of the reminder for REMINDER."""
    drill = "DRILL: " if alarm.is_drill else ""
    prefix = _PREFIXES[Reason(reason)].format(count=count)
    subject = _one_line(f"{drill}{alarm.severity.capitalize()}: {prefix}{_headline(alarm)}")
    body = "\n".join([subject, "", *([why, ""] if why else []), *_details(alarm), *_closing_lines(alarm)])
    data: dict[str, object] = {"alarm": alarm_data(alarm), "is_drill": alarm.is_drill}
    if count:
        data["count"] = count
    return MessageContent(subject, body, _event(f"alarm.{reason}", at, data))


def digest_content(messages: Sequence[Message], at: datetime) -> MessageContent:
    """Summarise many messages; the list holds at most LINES_IN_A_DIGEST of them, the counts cover all."""
    alarms = len({message.alarm_id for message in messages})
    critical = len({message.alarm_id for message in messages if message.is_critical})
    drill = "DRILL: " if all(message.data.get("data", {}).get("is_drill") for message in messages) else ""
    subject = f"{drill}{len(messages)} messages about {alarms} alarm{'' if alarms == 1 else 's'}, {critical} critical"
    if len(messages) == 1:
        subject = messages[0].subject
    lines = [f"- {message.subject}" for message in messages[:LINES_IN_A_DIGEST]]
    if len(messages) > LINES_IN_A_DIGEST:
        lines.append(f"- and {len(messages) - LINES_IN_A_DIGEST} more; see the notifications page.")
    data: dict[str, object] = {
        "message_count": len(messages),
        "alarm_count": alarms,
        "critical_count": critical,
        "is_drill": bool(drill),
        "messages": [{"id": str(message.public_id), **message.data} for message in messages[:LINES_IN_A_DIGEST]],
    }
    return MessageContent(subject, "\n".join([subject, "", *lines]), _event("alarm.digest", at, data))


def channel_test_content(channel: Channel, at: datetime, by: str) -> MessageContent:
    """Return the content of a test of `channel`, requested by `by`."""
    subject = _one_line(f"Test of channel {channel.name}")
    body = (
        f"{subject}\n\nAlarms of {channel.customer.name} are sent to this channel. {by} requested this test;"
        " no action is needed."
    )
    return MessageContent(
        subject, body, _event("test", at, {"channel": channel.name, "customer": _customer_data(channel)})
    )


def alarm_data(alarm: Alarm) -> dict[str, object]:
    """Return an alarm for programs: temperatures in °C, instants as ISO 8601 in UTC, None for unknown or not yet."""
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
    """Return the absolute URL of the alarm's page; "" if SITE_URL is not set or the site has no such page."""
    try:
        path = reverse("alarm", args=[alarm.public_id])
    except NoReverseMatch:
        return ""
    return f"{settings.SITE_URL.rstrip('/')}{path}" if settings.SITE_URL else ""


def _headline(alarm: Alarm) -> str:
    if alarm.storage_unit is None:
        return f"{alarm.get_kind_display()}, {alarm.source_name}"
    unit = alarm.storage_unit
    peak = "" if alarm.temperature_c is None else f", {temperature_text(alarm.temperature_c, unit.temperature_unit)}"
    return f"{alarm.get_kind_display()}, {unit} in {unit.facility}{peak}"


def _details(alarm: Alarm) -> list[str]:
    unit = alarm.storage_unit
    zone = unit.facility.zone if unit else ZoneInfo("UTC")
    lines = [f"Customer: {alarm.customer.name}", f"Started: {_local(alarm.started_at, zone)}"]
    if alarm.sensor is not None:
        lines.append(f"Sensor: {alarm.sensor}{_drift_of(alarm)}")
    if unit is not None and alarm.temperature_c is not None:
        when = f" at {_local(alarm.recorded_at, zone)}" if alarm.recorded_at else ""
        lines.append(f"Peak: {temperature_text(alarm.temperature_c, unit.temperature_unit)}{when}")
    if unit is not None and alarm.kind == Alarm.Kind.TEMPERATURE:
        lines.append(f"Limits: {limits_text(LimitsInForce.of(unit), unit.temperature_unit)}")
    if alarm.ended_at is not None:
        lines.append(f"Ended: {_local(alarm.ended_at, zone)}")
    if alarm.acknowledged_by:
        lines.append(f"Acknowledged by {alarm.acknowledged_by}: {alarm.acknowledgement}")
    return lines


def _drift_of(alarm: Alarm) -> str:
    clock = getattr(alarm.sensor, "clock", None)
    return f", its clock is {drift_text(clock.drift_seconds)}" if alarm.kind == Alarm.Kind.CLOCK_DRIFT and clock else ""


def _closing_lines(alarm: Alarm) -> list[str]:
    url = alarm_url(alarm)
    lines = ["", url] if url else []
    return [*lines, "", "This is a drill. No goods are affected."] if alarm.is_drill else lines


def _event(kind: str, at: datetime, data: dict[str, object]) -> WebhookEvent:
    return {"type": kind, "timestamp": _iso(at), "data": data}


def _unit_data(unit: StorageUnit | None) -> dict[str, object] | None:
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
    """Format an instant with the abbreviation of its offset: 02:30 occurs twice on the day when summer time ends."""
    local = instant.astimezone(zone)
    name = "" if local.tzname() == zone.key else f", {zone.key}"
    return f"{local:%Y-%m-%d %H:%M %Z}{name}"


def _one_line(text: str) -> str:
    """Collapse white space, line breaks included: names may hold anything."""
    return " ".join(text.split())[:SUBJECT_MAX_LENGTH]
