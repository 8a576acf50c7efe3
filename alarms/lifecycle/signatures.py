"""Sign actions on alarms: who, with which meaning, when, and on which record.

A signature holds the alarm as it was after the action. What is signed cannot be replaced without notice: the signature
shows whether the alarm is still the same, and as an entry of the audit trail it is chained and sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from alarms.models import Alarm, AlarmEvent, AlarmSignature
from core.crypto.merkle import CanonicalValue, canonical_json, leaf_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """The will of a person to sign, after their password or passkey was checked."""

    meaning: str
    signer_id: int
    signer_user_name: str
    signer_name: str
    method: str = AlarmSignature.Method.PASSWORD
    # What a passkey confirmed: the hash of the alarm as it was shown.
    seen_sha256: bytes | None = None


def signing_of(
    user: User,
    meaning: str,
    method: str = AlarmSignature.Method.PASSWORD,
    seen_sha256: bytes | None = None,
) -> Signing:
    """Return the signature of a person who was confirmed by this method, in their full name, yet to be stored."""
    return Signing(
        meaning=meaning,
        signer_id=user.pk,
        signer_user_name=user.get_username(),
        signer_name=user.get_full_name() or user.get_username(),
        method=method,
        seen_sha256=seen_sha256,
    )


def seen_hash(alarm: Alarm) -> bytes:
    """Return the hash of the alarm as it is before an action."""
    return leaf_hash(canonical_json(alarm_record(alarm)))


def subject_hash(alarm: Alarm, action: str, arguments: Mapping[str, str], user: User) -> bytes:
    """Return the hash of what a person confirms: the alarm, the action with its texts and meaning, and the signer."""
    asked: dict[str, CanonicalValue] = {
        "alarm": seen_hash(alarm).hex(),
        "action": action,
        "arguments": dict(arguments),
        "signer": user.pk,
    }
    return leaf_hash(canonical_json(asked))


def sign(alarm: Alarm, event: AlarmEvent, signing: Signing) -> AlarmSignature:
    """Sign the alarm as it is after the action that `event` records."""
    unit = alarm.storage_unit
    record = canonical_json(
        {
            "alarm": alarm_record(alarm),
            "event": event.kind,
            "meaning": signing.meaning,
            "method": str(signing.method),
            "signer": {"id": signing.signer_id, "user_name": signing.signer_user_name, "name": signing.signer_name},
            "signed_at": _instant(event.happened_at),
        }
    )
    return AlarmSignature.objects.create(
        alarm=alarm,
        event=event,
        meaning=signing.meaning,
        signer_id=signing.signer_id,
        signer_user_name=signing.signer_user_name,
        signer_name=signing.signer_name,
        method=signing.method,
        signed_at=event.happened_at,
        time_zone=unit.facility.time_zone if unit else "UTC",
        record=record.decode(),
        record_sha256=leaf_hash(record).hex(),
    )


def alarm_record(alarm: Alarm) -> dict[str, CanonicalValue]:
    """Return what people decide about an alarm, and what they know of it then."""
    return {
        "id": str(alarm.public_id),
        "customer_id": alarm.customer_id,
        "storage_unit_id": alarm.storage_unit_id,
        "kind": alarm.kind,
        "severity": alarm.severity,
        "started_at": _instant(alarm.started_at),
        "acknowledged_at": _instant(alarm.acknowledged_at),
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledgement": alarm.acknowledgement,
        "cause": alarm.cause,
        "corrective_action": alarm.corrective_action,
    }


def is_unchanged(signature: AlarmSignature) -> bool:
    """Return whether the stored record is the one that was signed."""
    return leaf_hash(signature.record.encode()).hex() == signature.record_sha256


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
