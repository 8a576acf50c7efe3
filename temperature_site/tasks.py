"""The site's own tasks: heartbeats of the queues, routed by `CELERY_TASK_ROUTES`, and the operator's alerts."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from core.db import clock
from temperature_site.heartbeats import record_ran
from temperature_site.operations import operator_alerts


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


@shared_task
def watch_system() -> None:
    """Tell the operator about problems of the system itself."""
    operator_alerts.watch(clock.database_now())
