"""A hundred clients that send or read slowly, or not at all, delay nobody: also without a proxy in front."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests

from temperature_site.dev.folder_broker import BROKER_URL
from tests.live_api import is_answering
from tests.running_system import running_system, wait_until

pytestmark = pytest.mark.xdist_group("running system")

# Of each kind.
SLOW_CLIENTS = 25
MOST_SECONDS = 1.0
REQUESTS = 20
_HEAD = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n"
_PUSH = b"POST /api/v1/temperature/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n["


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of a web process with fewer threads than there are slow clients of any kind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = tmp_path_factory.mktemp("slow-clients")
    with running_system(BROKER_URL, folder, PORT=str(port), WEB_WORKERS="2", WEB_THREADS="4") as system:
        system.start("web")
        wait_until("the web process answers", lambda: is_answering(f"http://127.0.0.1:{port}"), seconds=60)
        yield port


class SlowClients:
    """Connections of four kinds: idle, sending a header, sending a body, and not reading the response."""

    def __init__(self, port: int, closing: ExitStack) -> None:
        def connect(sent: bytes) -> socket.socket:
            client = closing.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(sent)
            client.setblocking(False)
            return client

        self.idle = [connect(b"") for _ in range(SLOW_CLIENTS)]
        self.headers = [connect(_HEAD) for _ in range(SLOW_CLIENTS)]
        self.bodies = [connect(_PUSH) for _ in range(SLOW_CLIENTS)]
        # More than the buffers of the operating system take, of which they read nothing.
        self.readers = [connect((_HEAD + b"\r\n") * 10) for _ in range(SLOW_CLIENTS)]

    def drip(self) -> None:
        """Send one more byte of each unfinished request."""
        for client, byte in [*((each, b"X") for each in self.headers), *((each, b"1") for each in self.bodies)]:
            client.send(byte)


def test_a_hundred_slow_clients_delay_others_by_at_most_a_second(port: int) -> None:
    # What the first requests of a process take, and other work on the machine, is no delay by these clients.
    for _ in range(REQUESTS):
        assert requests.get(f"http://127.0.0.1:{port}/openapi.json", timeout=30).status_code == 200
    alone = [seconds_of_a_request(port) for _ in range(REQUESTS)]
    with ExitStack() as closing:
        clients = SlowClients(port, closing)
        beside = []
        for _ in range(REQUESTS):
            clients.drip()
            beside.append(seconds_of_a_request(port))

    assert max(beside) - max(alone) <= MOST_SECONDS, (alone, beside)


def seconds_of_a_request(port: int) -> float:
    began = time.monotonic()
    assert requests.get(f"http://127.0.0.1:{port}/ping", timeout=30).status_code == 200
    return time.monotonic() - began


def test_a_header_that_drips_is_given_up(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client, selectors.DefaultSelector() as selector:
        client.sendall(_HEAD)
        selector.register(client, selectors.EVENT_READ)
        deadline = time.monotonic() + 40
        is_closed = False
        while not is_closed and time.monotonic() < deadline:
            client.sendall(b"X")
            is_closed = bool(selector.select(timeout=0.5)) and client.recv(1) == b""
    assert is_closed
