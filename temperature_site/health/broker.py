"""The state of the broker's queues, read with a limit on every wait, from RabbitMQ and the folder broker alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kombu import Connection
from kombu.exceptions import KombuError

from temperature_site.celery import app

WAIT_SECONDS = 1
# With more messages waiting, workers are too few or stuck.
LONG_QUEUE = 1_000


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue's waiting messages and number of consumers; None where the broker does not know its consumers."""

    messages: int
    consumers: int | None

    @property
    def is_long(self) -> bool:
        """Whether so much waits that workers are too few or stuck."""
        return self.messages > LONG_QUEUE


class BrokerOut(Exception):  # noqa: N818 - reads better where it is caught
    """The broker does not respond; the message says why in a few words."""


def queue_states(queues: Iterable[str]) -> dict[str, QueueState]:
    """Return the state of each of these queues; one that was never declared is empty. Raise BrokerOut."""
    limits = {"read_timeout": WAIT_SECONDS, "write_timeout": WAIT_SECONDS}
    with app.connection_for_read(connect_timeout=WAIT_SECONDS, transport_options=limits) as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            return {queue: _state(connection, queue) for queue in queues}
        except (*connection.connection_errors, *connection.channel_errors, KombuError, OSError) as error:  # type: ignore[misc]  # the stubs type them as strings
            raise BrokerOut(_cause(error)) from error


def _state(connection: Connection, queue: str) -> QueueState:
    is_counting = connection.transport.driver_type == "amqp"
    with connection.channel() as channel:
        try:
            declared = channel.queue_declare(queue, passive=True)  # type: ignore[attr-defined]  # the transports' method
        except connection.channel_errors as error:
            if str(getattr(error, "reply_code", "")) != "404":
                raise
            # No worker has declared it yet.
            return QueueState(messages=0, consumers=0 if is_counting else None)
    return QueueState(declared.message_count, declared.consumer_count if is_counting else None)


def _cause(error: BaseException) -> str:
    """Return the cause without anything that could hold a password: the errno's text or the class of the error."""
    strerror = getattr(error, "strerror", None) or getattr(error.__cause__, "strerror", None)
    return str(strerror or type(error).__name__)
