"""The Celery worker step that records that the worker's main loop is running."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import structlog
from celery import bootsteps
from django.db import Error, connection

logger = structlog.get_logger(__name__)


class _Timer(Protocol):
    def call_repeatedly(self, seconds: float, function: Callable[..., None], args: tuple[object, ...]) -> object: ...

    def cancel(self, entry: object) -> None: ...


class _Queues(Protocol):
    consume_from: Iterable[str]


class _Amqp(Protocol):
    queues: _Queues


class _App(Protocol):
    amqp: _Amqp


class Consumer(Protocol):
    """The part of Celery's consumer that the heartbeat uses."""

    app: _App
    timer: _Timer


class WorkerHeartbeat(bootsteps.StartStopStep):
    """Record a heartbeat for the worker's queues from when it accepts messages until it stops."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Consumer, **options: object) -> None:
        super().__init__(consumer, **options)
        self._entry: object | None = None

    def start(self, consumer: Consumer) -> None:
        """Record the start, then a heartbeat every few seconds."""
        from temperature_site.heartbeats import HEARTBEAT_SECONDS, record_seen, record_started

        queues = list(consumer.app.amqp.queues.consume_from)
        _record(record_started, queues)
        self._entry = consumer.timer.call_repeatedly(HEARTBEAT_SECONDS, _record, (record_seen, queues))

    def stop(self, consumer: Consumer) -> None:
        """Stop the heartbeats."""
        if self._entry is not None:
            consumer.timer.cancel(self._entry)
            self._entry = None

    shutdown = stop


def _record(record: Callable[[Iterable[str]], None], queues: list[str]) -> None:
    """Record a heartbeat. Without the database the worker continues, and is seen again once that is back."""
    try:
        record(queues)
    except Error as error:
        logger.warning("heartbeat not recorded", error=str(error))
    finally:
        # The loop may run in its own thread, and a process that forks must not hold a connection.
        connection.close()
