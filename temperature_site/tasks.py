"""The heartbeats that beat sends to the workers' queues; `CELERY_TASK_ROUTES` says which goes where."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from temperature_site.heartbeats import note_ran


@shared_task
def note_heartbeat() -> None:
    """A worker of the default queue runs what beat sends."""
    note_ran(settings.CELERY_TASK_DEFAULT_QUEUE)


@shared_task
def note_slow_heartbeat() -> None:
    """A worker of the slow queue runs what beat sends."""
    note_ran(settings.SLOW_QUEUE)
