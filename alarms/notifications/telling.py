"""Who is told of what happened to an alarm."""

from __future__ import annotations

from alarms.models import AlarmEvent


def tell(event: AlarmEvent) -> None:
    """Make the messages that `event` calls for, in the caller's transaction."""
