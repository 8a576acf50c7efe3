"""The step of a Celery worker that shows that its main loop goes round."""

from __future__ import annotations

from typing import Any

import structlog
from celery import bootsteps
from django.db import Error, connection

logger = structlog.get_logger(__name__)


class Pulse(bootsteps.StartStopStep):
    """Writes a sign of life for the worker's queues, from when it takes messages until it stops."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        from temperature_site.heartbeats import SIGN_SECONDS, note_seen, note_started

        queues = list(consumer.app.amqp.queues.consume_from)
        _write(note_started, queues)
        self._entry = consumer.timer.call_repeatedly(SIGN_SECONDS, _write, (note_seen, queues))

    def stop(self, consumer: Any) -> None:
        if self._entry is not None:
            consumer.timer.cancel(self._entry)
            self._entry = None

    shutdown = stop


def _write(note: Any, queues: list[str]) -> None:
    """Write a sign; without the database the worker goes on, and is seen again when that is back."""
    try:
        note(queues)
    except Error as error:
        logger.warning("no sign of life written", error=str(error))
    finally:
        # The loop may run in a thread of its own; and a process that forks should hold no connection.
        connection.close()
