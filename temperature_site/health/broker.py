"""What the broker says of its queues, asked with a limit on every wait. RabbitMQ and the folder answer alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kombu import Connection
from kombu.exceptions import KombuError

from temperature_site.celery import app

WAIT_SECONDS = 3


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue's waiting messages, and who listens to it; consumers None: this broker can't tell."""

    messages: int
    consumers: int | None


class BrokerOut(Exception):  # noqa: N818  the name says what was met
    """The broker does not answer; the message says why in a few words."""


def queue_states(queues: Iterable[str]) -> dict[str, QueueState]:
    """The state of each of these queues; one that was never declared is empty. Raises BrokerOut."""
    limits = {"read_timeout": WAIT_SECONDS, "write_timeout": WAIT_SECONDS}
    with app.connection_for_read(connect_timeout=WAIT_SECONDS, transport_options=limits) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            return {queue: _state(connection, queue) for queue in queues}
        except (*connection.connection_errors, *connection.channel_errors, KombuError, OSError) as error:
            raise BrokerOut(_words(error)) from error


def _state(connection: Connection, queue: str) -> QueueState:
    is_counting = connection.transport.driver_type == "amqp"
    with connection.channel() as channel:
        try:
            declared = channel.queue_declare(queue, passive=True)
        except connection.channel_errors as error:
            if str(getattr(error, "reply_code", "")) != "404":
                raise
            # No worker has made it yet.
            return QueueState(messages=0, consumers=0 if is_counting else None)
    return QueueState(declared.message_count, declared.consumer_count if is_counting else None)


def _words(error: Any) -> str:
    """The cause without what could hold a password: an errno's sentence or the kind of error."""
    strerror = getattr(error, "strerror", None) or getattr(error.__cause__, "strerror", None)
    return str(strerror or type(error).__name__)
