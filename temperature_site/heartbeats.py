"""Heartbeats of beat and the workers: how they are recorded, and how `/health` reads them.

Three heartbeats are independent of each other, so that each covers one process only:

* **beat** writes `last_run_at` of an entry when it sends it, whether or not the broker accepts the message
  (`CELERY_BEAT_SYNC_EVERY` makes it write at once). The most frequent entry is sent every 2 s.
* **a worker's main loop** writes `seen_at` of its queue every few seconds, without any message: it detects a stopped
  worker whatever beat does. On RabbitMQ the queue's number of consumers shows the same immediately.
* **a worker's pool** writes `ran_at` when it runs the heartbeat task that beat sends to its queue: it detects a worker
  whose loop runs but which executes nothing. That takes as long as the messages ahead of it in the queue, so its limit
  is longer than the hard time limit of a task; while beat is silent it is not checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max
from django_celery_beat.models import PeriodicTask

from core.db import clock
from ingestion.selectors import has_subscribed_sources
from temperature_site.models import QueueHeartbeat

HEARTBEAT_SECONDS = 5
# In place of a queue's name.
BEAT = "(beat)"
# Further apart, the clocks of two machines are reported.
CLOCK_TOLERANCE_SECONDS = 5.0
# Recorded like a queue by the process that subscribes to MQTT topics.
SUBSCRIBER = "subscriber"
IDLE_AFTER = timedelta(seconds=180)


def watched_queues() -> tuple[str, ...]:
    """Return the queues that must have a worker."""
    return settings.CELERY_TASK_DEFAULT_QUEUE, settings.SLOW_QUEUE, settings.MESSAGE_QUEUE


def record_started(queues: Iterable[str]) -> None:
    """Record that a worker of these queues starts, which gives it time until its first heartbeat task."""
    _write(queues, {"seen_at", "ran_at"})


def record_seen(queues: Iterable[str]) -> None:
    """Record that the main loop of a worker of these queues is running."""
    _write(queues, {"seen_at"})


def record_ran(queue: str) -> None:
    """Record that a worker of `queue` runs a heartbeat task."""
    _write([queue], {"ran_at"})


def beat_problem(now: datetime) -> str | None:
    """Return why beat seems to have stopped, None if it is running."""
    last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
    if last is None:
        return "nothing was ever sent"
    # It is by beat's clock, of which `clock_problem` says that it is wrong.
    if heartbeat := QueueHeartbeat.objects.filter(queue=BEAT).first():
        last -= timedelta(seconds=heartbeat.clock_ahead_seconds)
    if last - now > _silent_after():
        return f"its last run is dated in the future, {_utc(last)}"
    return None if now - last <= _silent_after() else f"nothing sent since {_utc(last)}"


def clock_problem(now: datetime) -> str | None:
    """Return which processes' clocks differ from the database's, None if none does."""
    running = QueueHeartbeat.objects.filter(seen_at__gte=now - _silent_after()).order_by("queue")
    differences = {each.queue: each.clock_ahead_seconds for each in running} | {"web": clock.seconds_ahead()}
    wrong = {name: ahead for name, ahead in differences.items() if abs(ahead) > CLOCK_TOLERANCE_SECONDS}
    return ", ".join(f"{_process(name)} is {_difference(ahead)} the database" for name, ahead in wrong.items()) or None


def _process(name: str) -> str:
    return {BEAT: "beat", "web": "web", SUBSCRIBER: "the subscriber"}.get(name, f"a worker of {name}")


def _difference(ahead_seconds: float) -> str:
    return f"{abs(ahead_seconds):,.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'}"


def worker_problems(now: datetime, *, is_beat_running: bool) -> dict[str, str]:
    """Return what is wrong with the workers, by queue."""
    heartbeats = {each.queue: each for each in QueueHeartbeat.objects.filter(queue__in=watched_queues())}
    problems = {queue: _problem(heartbeats.get(queue), now, is_beat_running) for queue in watched_queues()}
    return {queue: problem for queue, problem in problems.items() if problem is not None}


def subscriber_problem(now: datetime) -> str | None:
    """Return why the subscriber seems to have stopped; None if it runs, or nothing needs it."""
    if not has_subscribed_sources():
        return None
    heartbeat = QueueHeartbeat.objects.filter(queue=SUBSCRIBER).first()
    if heartbeat is None:
        return "never seen, but there are MQTT sources"
    return None if now - heartbeat.seen_at <= _silent_after() else f"not seen since {_utc(heartbeat.seen_at)}"


def _problem(heartbeat: QueueHeartbeat | None, now: datetime, is_beat_running: bool) -> str | None:
    if heartbeat is None:
        return "no worker was ever seen"
    if now - heartbeat.seen_at > _silent_after():
        return f"no worker seen since {_utc(heartbeat.seen_at)}"
    if is_beat_running and now - heartbeat.ran_at > IDLE_AFTER:
        return f"no task run since {_utc(heartbeat.ran_at)}"
    return None


def _silent_after() -> timedelta:
    return timedelta(seconds=settings.HEALTH_SILENT_SECONDS)


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _write(queues: Iterable[str], fields: set[str]) -> None:
    now, ahead_seconds = clock.database_now(), clock.seconds_ahead()
    QueueHeartbeat.objects.bulk_create(
        [QueueHeartbeat(queue=queue, seen_at=now, ran_at=now, clock_ahead_seconds=ahead_seconds) for queue in queues],
        update_conflicts=True,
        unique_fields=["queue"],
        update_fields=[*sorted(fields), "clock_ahead_seconds"],
    )
