"""Delete messages and their attempts whose retention is over.

Messages of alarms that are not closed are kept: reminders are compared with them, and would be sent again.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection

from audit.events import record_event
from audit.models import AuditEntry
from core.db.retention import purge

_OLD_MESSAGES = """
SELECT message.id FROM message LEFT JOIN alarm ON alarm.id = message.alarm_id
WHERE message.created_at < %(before)s AND message.state <> 'waiting' AND (alarm.id IS NULL OR alarm.state = 'closed')
ORDER BY message.created_at LIMIT %(limit)s FOR UPDATE OF message SKIP LOCKED
"""
_DELETIONS = (
    "DELETE FROM message_attempt WHERE message_id = ANY(%s)",
    "UPDATE message SET folded_into_id = NULL WHERE folded_into_id = ANY(%s)",
    "DELETE FROM message WHERE id = ANY(%s)",
)


def purge_messages() -> int:
    """Delete messages older than MESSAGE_RETENTION_DAYS with their attempts; return how many messages."""
    return purge("message", settings.MESSAGE_RETENTION_DAYS, _delete_batch, _record)


def _delete_batch(before: datetime, limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_OLD_MESSAGES, {"before": before, "limit": limit})
        ids = [message_id for (message_id,) in cursor.fetchall()]
        for statement in _DELETIONS if ids else ():
            cursor.execute(statement, [ids])
    return len(ids)


def _record(count: int, before: datetime) -> None:
    details = {"deleted": count, "before": before.isoformat()}
    record_event(AuditEntry.Action.DELETED, model="alarms.message", label="old messages", details=details)
