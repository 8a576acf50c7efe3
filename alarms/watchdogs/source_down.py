"""Alarms of sources that are down; `ingestion.watchdog` determines which those are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alarms.lifecycle.transitions import end, open_alarm
from alarms.models import Alarm
from alarms.thresholds import Severity
from core.db.savepoints import each_isolated


@dataclass(frozen=True, slots=True)
class DownSource:
    """A source that is down: its public id, name and customer, and when it last succeeded."""

    key: UUID
    name: str
    customer_id: int
    since: datetime


def update_source_down_alarms(down: Sequence[DownSource], now: datetime) -> None:
    """Open the alarms of sources that are down, and end those of all others."""
    alarms = {
        alarm.source_key: alarm
        for alarm in Alarm.objects.filter(kind=Alarm.Kind.SOURCE_DOWN)
        .exclude(state=Alarm.State.CLOSED)
        .select_for_update(no_key=True, of=("self",))
    }
    each_isolated(
        [source for source in down if source.key not in alarms],
        lambda source: open_alarm(_new_alarm(source), now, now),
        "opening an alarm of a source",
    )
    down_keys = {source.key for source in down}
    recovered = [alarm for key, alarm in alarms.items() if key not in down_keys]
    each_isolated(recovered, lambda alarm: end(alarm, now, now), "ending an alarm")


def _new_alarm(source: DownSource) -> Alarm:
    return Alarm(
        customer_id=source.customer_id,
        kind=Alarm.Kind.SOURCE_DOWN,
        severity=Severity.CRITICAL,
        started_at=source.since,
        source_key=source.key,
        source_name=source.name,
    )
