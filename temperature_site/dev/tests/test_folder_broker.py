"""The folder broker: whole messages, each consumed once, oldest first."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection, Exchange, Queue

from temperature_site.dev.folder_broker import BROKER_URL, transport_options


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with Connection(BROKER_URL, transport_options=transport_options(tmp_path)) as connection:
        yield connection


def put(connection: Connection, number: int, queue: str = "temperature") -> None:
    """Send as Celery does: through the default exchange, straight to a queue."""
    connection.Producer(serializer="json").publish({"number": number}, routing_key=queue)


def take(connection: Connection, queue: str = "temperature") -> int:
    message = connection.SimpleQueue(queue).get(timeout=0.2)
    message.ack()
    return int(message.payload["number"])


def files(folder: Path) -> list[str]:
    return sorted(path.suffix for path in (folder / "messages").iterdir())


def test_messages_are_consumed_in_order(connection: Connection, tmp_path: Path) -> None:
    for number in range(3):
        put(connection, number)
    assert files(tmp_path) == [".msg"] * 3

    assert [take(connection) for _ in range(3)] == [0, 1, 2]
    assert files(tmp_path) == []


def test_a_message_is_consumed_once(connection: Connection) -> None:
    put(connection, 1)
    take(connection)

    with pytest.raises(Empty):
        take(connection)


def test_a_message_that_is_still_being_written_is_not_seen(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "messages" / "00000000000000000001_ab.draft").write_text('{"half": ')

    with pytest.raises(Empty):
        take(connection)


def test_a_queue_sees_no_messages_of_one_with_the_same_prefix(connection: Connection) -> None:
    put(connection, 1, queue="temperature.slow")

    with pytest.raises(Empty):
        take(connection, queue="temperature")
    assert take(connection, queue="temperature.slow") == 1


def test_processes_that_start_at_the_same_time_bind_their_queues(tmp_path: Path) -> None:
    numbers = range(6)

    def bind(exchange: str, number: int, begin: threading.Barrier) -> None:
        with Connection(BROKER_URL, transport_options=transport_options(tmp_path)) as own:
            channel = own.channel()
            begin.wait()
            Queue(f"{exchange}.{number}", Exchange(exchange), routing_key="any")(channel).declare()

    # Kombu remembers in a process what it has bound.
    for exchange in (f"exchange_{attempt}" for attempt in range(30)):
        begin = threading.Barrier(len(numbers))
        with ThreadPoolExecutor(len(numbers)) as threads:
            list(threads.map(partial(bind, exchange, begin=begin), numbers))
        bound = json.loads((tmp_path / "control" / f"{exchange}.exchange").read_text())
        assert sorted(queue for _, _, queue in bound) == [f"{exchange}.{number}" for number in numbers]
