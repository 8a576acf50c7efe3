"""What clients keep on the disk of a web process, by not reading its responses."""

from __future__ import annotations

import shutil
import socket
import time
from collections import namedtuple
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from waitress import wasyncore
from waitress.adjustments import Adjustments

from temperature_site.web_worker import STALLED_SECONDS, Connections, ProbingDispatcher, TimedServer

# Much more than the buffers of the operating system take.
PIECE, PIECES = b"x" * 1_000_000, 100
WAIT_SECONDS = 60.0
Usage = namedtuple("Usage", ["total", "used", "free"])


def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [PIECE] * PIECES


@pytest.fixture
def server() -> Iterator[TimedServer]:
    """Yield a server with a response that is complete, and of which its client reads nothing."""
    connections: Connections = {}
    dispatcher = ProbingDispatcher(1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        adjustments = Adjustments(threads=1, asyncore_use_poll=True, outbuf_high_watermark=len(PIECE) * PIECES * 2)
        details = (listening.family, listening.type, listening.proto, listening.getsockname())
        server = TimedServer(
            respond, connections, True, listening, dispatcher, adj=adjustments, sockinfo=details, bind_socket=False
        )
        with socket.create_connection(listening.getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deadline = time.monotonic() + WAIT_SECONDS
            while not is_response_waiting(server) and time.monotonic() < deadline:
                wasyncore.loop(timeout=0.1, use_poll=True, map=connections, count=1)
            assert is_response_waiting(server)
            yield server
        dispatcher.shutdown(timeout=1)
        wasyncore.close_all(connections)


def is_response_waiting(server: TimedServer) -> bool:
    return any(each.total_outbufs_len and not each.requests for each in server.active_channels.values())


def test_a_client_that_reads_nothing_is_cut_off_and_its_response_is_dropped(server: TimedServer) -> None:
    [channel] = server.active_channels.values()
    server.maintenance(time.time())
    assert channel.total_outbufs_len > 0

    server.maintenance(time.time() + STALLED_SECONDS + 1)
    assert (server.active_channels, channel.total_outbufs_len) == ({}, 0)


@pytest.mark.parametrize(("free_bytes", "is_kept"), [(10 << 30, True), (1 << 20, False)])
def test_who_keeps_much_on_a_disk_that_is_nearly_full_is_cut_off(
    server: TimedServer, monkeypatch: pytest.MonkeyPatch, free_bytes: int, is_kept: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(20 << 30, 0, free_bytes))

    server.maintenance(time.time())
    assert bool(server.active_channels) is is_kept
