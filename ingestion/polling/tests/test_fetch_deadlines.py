"""Fetching ends by its deadline, whether a server, a resolver or an address is slow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from ingestion.polling.fetch import FetchLimits
from ingestion.polling.tests.fetching import HASTY, failure_of
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit, answer


def test_a_server_that_never_responds_times_out(serve: Callable[..., ScriptedServer]) -> None:
    failure = failure_of(serve(Visit.hang).url, limits=HASTY)

    assert failure.reason == "timeout"


def test_silence_within_a_response_is_a_timeout_not_a_cut(serve: Callable[..., ScriptedServer]) -> None:
    def script(visit: Visit) -> None:
        visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nrow 1\n")
        visit.hang()

    limits = FetchLimits(read_seconds=0.1, total_seconds=5)

    failure = failure_of(serve(script).url, limits=limits)

    assert (failure.reason, failure.message) == ("timeout", "127.0.0.1 did not respond in time.")


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: 1\r\n"),
    ],
    ids=["status", "header", "headers", "continue", "body", "chunks", "chunk size", "trailers"],
)
def test_a_slowly_sending_server_meets_the_deadline_in_every_phase(
    serve: Callable[..., ScriptedServer], begin: bytes, piece: bytes
) -> None:
    def script(visit: Visit) -> None:
        visit.send(begin)
        visit.drip(piece)

    limits = FetchLimits(read_seconds=5, total_seconds=0.3)
    started = time.monotonic()

    failure = failure_of(serve(script).url, limits=limits)

    assert (failure.reason, failure.message) == ("timeout", "127.0.0.1 did not finish within 0.3 s.")
    assert time.monotonic() - started < 2


def test_redirects_share_one_deadline(serve: Callable[..., ScriptedServer]) -> None:
    def script(visit: Visit) -> None:
        if not visit.is_over.wait(0.05):
            answer(status="302 Found", headers="Location: /again\r\n")(visit)

    failure = failure_of(serve(script).url, limits=FetchLimits(total_seconds=0.3, max_redirects=1_000))

    assert failure.reason == "timeout"


def test_an_unresponsive_resolver_meets_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: is_over.wait(10) and [])

    failure = failure_of("http://slow.example/", limits=HASTY)

    is_over.set()
    assert failure.reason == "timeout"


def test_an_unresponsive_address_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as waiting:
            for _ in range(2):  # a queue of nobody holds one; what comes after it hears nothing
                client = waiting.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(full.getsockname())

            failure = failure_of(f"http://127.0.0.1:{full.getsockname()[1]}/", limits=HASTY)

    assert failure.reason == "timeout"
