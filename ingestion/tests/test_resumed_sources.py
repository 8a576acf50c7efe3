"""A source that was not polled for long, because it was paused, is polled before it counts as down."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from alarms.models import Alarm
from ingestion.models import Source
from ingestion.polling.claims import poll_now, resume
from ingestion.watchdog import run_watchdogs
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db

IN_TIME, TOO_LATE = timedelta(seconds=5), timedelta(seconds=61)


@pytest.fixture
def resumed_at(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Create a source that succeeded a day ago and is resumed now; return the time."""
    now = timezone.now()
    monkeypatch.setattr("core.db.clock.database_now", lambda: now)
    SourceFactory(is_paused=True, interval_seconds=60, last_success_at=now - timedelta(days=1))
    resume(Source.objects.all())
    return now


def down() -> list[str]:
    """Return the states of the alarms of sources that are down."""
    return list(Alarm.objects.filter(kind=Alarm.Kind.SOURCE_DOWN).values_list("state", flat=True))


def test_a_resumed_source_has_a_minute_to_be_polled(resumed_at: datetime) -> None:
    """So has one with a new URL or a shorter interval: its last success is long ago although nothing is wrong."""
    run_watchdogs(resumed_at + IN_TIME)
    assert down() == []

    run_watchdogs(resumed_at + TOO_LATE)
    assert down() == ["open"]


def test_a_source_is_down_until_a_poll_succeeds_not_until_one_is_asked_for(resumed_at: datetime) -> None:
    run_watchdogs(resumed_at + TOO_LATE)
    poll_now(Source.objects.all())

    run_watchdogs(resumed_at + IN_TIME)

    assert down() == ["open"]
