"""The heartbeat tasks that beat sends to the workers' queues; `CELERY_TASK_ROUTES` routes them."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from temperature_site.heartbeats import record_ran


@shared_task
def note_heartbeat() -> None:
    """Record that a worker of the default queue runs what beat sends."""
    record_ran(settings.CELERY_TASK_DEFAULT_QUEUE)


@shared_task
def note_message_heartbeat() -> None:
    """Record that a worker of the queue of messages runs what beat sends."""
    record_ran(settings.MESSAGE_QUEUE)


@shared_task
def note_slow_heartbeat() -> None:
    """Record that a worker of the slow queue runs what beat sends."""
    record_ran(settings.SLOW_QUEUE)
