"""Actions of people on an alarm: acknowledge, comment, and close with cause and corrective action."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from alarms.lifecycle.signatures import Signing, seen_hash, sign
from alarms.lifecycle.transitions import record_event
from alarms.models import Alarm, AlarmEvent

# Characters of a comment, a cause or a corrective action.
LONGEST_TEXT = 2_000


class ActionNotAllowed(Exception):  # noqa: N818  reads better where it is caught
    """The alarm's state does not permit the action; the message says why, and what to do instead."""


@transaction.atomic
def acknowledge(alarm: Alarm, *, by: str, comment: str, signing: Signing | None = None) -> Alarm:
    """Acknowledge an open alarm, and sign it if `signing` is given.

    Raise ActionNotAllowed if it is not open, without a comment, or without a signature that the customer requires.
    """
    alarm = _locked(alarm)
    _require_signature(alarm, signing)
    comment = _required(comment, "Enter a comment saying what you are doing about it.")
    if alarm.state == Alarm.State.ACKNOWLEDGED:
        raise ActionNotAllowed(f"{alarm.acknowledged_by} has already acknowledged this alarm. Add a comment instead.")
    if alarm.state != Alarm.State.OPEN:
        raise ActionNotAllowed(f"Only an open alarm can be acknowledged. This alarm is {alarm.state}.")
    alarm.state = Alarm.State.ACKNOWLEDGED
    alarm.acknowledged_at, alarm.acknowledged_by, alarm.acknowledgement = timezone.now(), by, comment
    alarm.save(update_fields=["state", "acknowledged_at", "acknowledged_by", "acknowledgement"])
    event = record_event(alarm, AlarmEvent.Kind.ACKNOWLEDGED, alarm.acknowledged_at, by=by, text=comment)
    if signing is not None:
        sign(alarm, event, signing)
    return alarm


@transaction.atomic
def comment(alarm: Alarm, *, by: str, text: str) -> Alarm:
    """Add a comment to an alarm in any state. Raise ActionNotAllowed for an empty one."""
    alarm = _locked(alarm)
    record_event(alarm, AlarmEvent.Kind.COMMENTED, timezone.now(), by=by, text=_required(text, "The comment is empty."))
    return alarm


@transaction.atomic
def close(alarm: Alarm, *, by: str, cause: str, corrective_action: str, signing: Signing | None = None) -> Alarm:
    """Record cause and corrective action, and close the alarm unless it has closed automatically.

    When recorded again, the earlier texts remain in the timeline. It is signed if `signing` is given. Raise
    ActionNotAllowed while the condition is active, for an alarm that never opened, if either text is empty, and without
    a signature that the customer requires.
    """
    alarm = _locked(alarm)
    _require_signature(alarm, signing)
    if alarm.state == Alarm.State.PENDING:
        raise ActionNotAllowed("This alarm has not opened yet.")
    if alarm.ended_at is None and alarm.state != Alarm.State.CLOSED:
        raise ActionNotAllowed("The condition is still active. Acknowledge the alarm, or schedule maintenance.")
    now = timezone.now()
    alarm.cause = _required(cause, "Enter the cause.")
    alarm.corrective_action = _required(corrective_action, "Enter the corrective action.")
    alarm.reviewed_at = now
    was_closed = alarm.state == Alarm.State.CLOSED
    if not was_closed:
        alarm.state, alarm.closed_at, alarm.closed_by = Alarm.State.CLOSED, now, by
    alarm.save(update_fields=["cause", "corrective_action", "reviewed_at", "state", "closed_at", "closed_by"])
    if not was_closed:
        record_event(alarm, AlarmEvent.Kind.CLOSED, now, by=by)
    note = f"Cause: {alarm.cause} Corrective action: {alarm.corrective_action}"
    event = record_event(alarm, AlarmEvent.Kind.REVIEWED, now, by=by, text=note)
    if signing is not None:
        sign(alarm, event, signing)
    return alarm


def _locked(alarm: Alarm) -> Alarm:
    alarms = Alarm.objects.select_related("customer", "storage_unit__facility")
    locked: Alarm = alarms.select_for_update(no_key=True, of=("self",)).get(pk=alarm.pk)
    return locked


def _require_signature(alarm: Alarm, signing: Signing | None) -> None:
    if signing is None and alarm.customer.requires_signatures:
        raise ActionNotAllowed(
            f"{alarm.customer.name} requires an electronic signature. Sign in as a person, choose what your signature "
            "means, and enter your password or use a passkey."
        )
    if signing is not None and signing.seen_sha256 not in (None, seen_hash(alarm)):
        raise ActionNotAllowed(
            "The alarm has changed since you confirmed with your passkey. Look at it, and sign again."
        )


def _required(text: str, message: str) -> str:
    if not text.strip():
        raise ActionNotAllowed(message)
    return text.strip()
