"""Beat sends what is due on a machine whose clock is set, and no message expires by its clock."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from celery import current_app
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django import Settings

from temperature_site.beat import ClockSafeScheduler
from temperature_site.celery import app
from temperature_site.heartbeats import BEAT
from temperature_site.models import QueueHeartbeat
from temperature_site.schedule import ensure_schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the entries that are sent, without a broker."""
    names: list[str] = []
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)
    monkeypatch.setattr(
        ClockSafeScheduler,
        "apply_entry",
        lambda self, entry, producer=None: names.append(entry.name),
    )
    return names


def scheduler() -> ClockSafeScheduler:
    ensure_schedule()
    beat = ClockSafeScheduler(app=app, lazy=True)
    # At the exit of the process, after that of the database.
    beat._finalize.cancel()
    return beat


def run(beat: ClockSafeScheduler, ticks: int = 60) -> None:
    for _ in range(ticks):
        beat.tick()


def set_beats_clock(monkeypatch: pytest.MonkeyPatch, instant: datetime) -> None:
    monkeypatch.setattr("celery.schedules.schedule.now", lambda self: instant)
    monkeypatch.setattr("temperature_site.beat.ClockSafeEntry._default_now", lambda self: instant)


def test_a_last_run_in_the_future_delays_an_entry_by_its_interval_only(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_schedule()
    now = timezone.now()
    PeriodicTask.objects.update(last_run_at=now + timedelta(hours=1))
    set_beats_clock(monkeypatch, now)
    beat = scheduler()
    run(beat)
    assert sent == []

    set_beats_clock(monkeypatch, now + timedelta(seconds=7))
    run(beat)
    assert "Send due sources" in sent


def test_a_clock_that_is_set_back_empties_the_queue_of_entries(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = scheduler()
    run(beat, 1)
    queued = beat._heap
    real = time.time
    monkeypatch.setattr("temperature_site.beat.time.time", lambda: real() - 3600)
    run(beat, 1)
    assert beat._heap is not queued


def test_beat_records_that_it_runs(sent: list[str]) -> None:
    run(scheduler(), 2)
    assert QueueHeartbeat.objects.get(queue=BEAT).seen_at <= timezone.now()


def test_no_message_carries_an_instant_at_which_it_expires(settings: Settings) -> None:
    with current_app.connection_for_read() as broker:
        broker.SimpleQueue(settings.CELERY_TASK_DEFAULT_QUEUE).clear()
        app.send_task("readings.tasks.settle_rollups", expires=5)
        message = broker.SimpleQueue(settings.CELERY_TASK_DEFAULT_QUEUE).get_nowait()
    assert not message.headers["expires"]
    assert message.properties["expiration"] == "5000"
