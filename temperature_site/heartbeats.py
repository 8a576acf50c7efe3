"""How beat and the workers show that they live, and how `/health` reads it.

Three signs that do not depend on each other, so that each tells of one process only:

* **beat** writes `last_run_at` of an entry when it sends it, whether or not the broker takes the message
  (`CELERY_BEAT_SYNC_EVERY` makes it write at once). The most frequent entry is sent every 5 s.
* **a worker's main loop** writes `seen_at` of its queue every few seconds, without any message: it tells of a worker
  that was stopped, whatever beat does. Over RabbitMQ the queue's number of consumers tells the same at once.
* **a worker's pool** writes `ran_at` when it runs the heartbeat that beat sends to its queue: it tells of a worker that
  goes round and does nothing. That takes as long as what stands before it in the queue, so its limit is longer than
  the hard time limit of a task; and while beat is silent, nothing can be said of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from temperature_site.models import QueueSign

SIGN_SECONDS = 5
IDLE_AFTER = timedelta(seconds=180)


def watched_queues() -> tuple[str, str]:
    """The queues that must have a worker."""
    return settings.CELERY_TASK_DEFAULT_QUEUE, settings.SLOW_QUEUE


def note_started(queues: Iterable[str]) -> None:
    """A worker of these queues starts: it is given time for its first heartbeat."""
    _write(queues, {"seen_at", "ran_at"})


def note_seen(queues: Iterable[str]) -> None:
    """The main loop of a worker of these queues goes round."""
    _write(queues, {"seen_at"})


def note_ran(queue: str) -> None:
    """A worker of `queue` runs a heartbeat."""
    _write([queue], {"ran_at"})


def fault_of_beat(now: datetime) -> str | None:
    """Why beat seems to have stopped; None where it lives."""
    last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
    if last is None:
        return "nothing was ever sent"
    return None if now - last <= _silent_after() else f"nothing sent since {_at(last)}"


def faults_of_workers(now: datetime, *, is_beat_alive: bool) -> dict[str, str]:
    """What is amiss with the workers, by their queue."""
    signs = {sign.queue: sign for sign in QueueSign.objects.filter(queue__in=watched_queues())}
    faults = {queue: _fault(signs.get(queue), now, is_beat_alive) for queue in watched_queues()}
    return {queue: fault for queue, fault in faults.items() if fault is not None}


def _fault(sign: QueueSign | None, now: datetime, is_beat_alive: bool) -> str | None:
    if sign is None:
        return "no worker was ever seen"
    if now - sign.seen_at > _silent_after():
        return f"no worker seen since {_at(sign.seen_at)}"
    if is_beat_alive and now - sign.ran_at > IDLE_AFTER:
        return f"no task run since {_at(sign.ran_at)}"
    return None


def _silent_after() -> timedelta:
    return timedelta(seconds=settings.HEALTH_SILENT_SECONDS)


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _write(queues: Iterable[str], fields: set[str]) -> None:
    now = timezone.now()
    QueueSign.objects.bulk_create(
        [QueueSign(queue=queue, seen_at=now, ran_at=now) for queue in queues],
        update_conflicts=True,
        unique_fields=["queue"],
        update_fields=sorted(fields),
    )
