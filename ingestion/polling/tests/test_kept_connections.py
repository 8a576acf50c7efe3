"""Requests to one server use one connection, as long as the server keeps it and the same rules apply."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest

from core.http.idle_connections import IdleConnections
from ingestion.polling import fetch as fetching
from ingestion.polling.tests.fetching import HASTY, LOOPBACK, failure_of, get
from ingestion.polling.tests.scripted_server import ScriptedServer, Visit, read_head

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"


@pytest.fixture(autouse=True)
def idle_connections(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> Iterator[IdleConnections]:
    """Give each test connections of its own, which are closed before its servers."""
    connections = IdleConnections()
    monkeypatch.setattr(fetching, "_idle_connections", connections)
    yield connections
    connections.close_all()


class Keeping:
    """Serves several requests on a connection, with a response each; `connections` counts them."""

    def __init__(self, *responses: bytes) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self._responses = responses

    def __call__(self, visit: Visit) -> None:
        self.connections += 1
        head = visit.head
        for response in self._responses:
            self.requests.append(head)
            visit.send(response)
            if not (head := read_head(visit.connection)):
                return


@pytest.mark.parametrize("response", [RESPONSE, CHUNKED], ids=["with a length", "chunked"])
def test_requests_to_a_server_share_a_connection(serve: Callable[..., ScriptedServer], response: bytes) -> None:
    script = Keeping(*[response] * 3)
    server = serve(script)
    for path in "abc":
        with get(f"{server.url}/{path}") as fetched:
            assert fetched.body.read() == b"[]"
    assert script.connections == 1
    assert [head.split()[1] for head in script.requests] == [b"/a", b"/b", b"/c"]


def test_a_connection_that_the_server_has_closed_is_replaced(serve: Callable[..., ScriptedServer]) -> None:
    script = Keeping(RESPONSE)
    server = serve(script)
    for _ in range(3):
        get(server.url).body.close()
    assert script.connections == 3


def test_a_connection_that_the_server_closes_on_a_request_is_replaced(serve: Callable[..., ScriptedServer]) -> None:
    closed_on_request = threading.Event()

    def answer_once(visit: Visit) -> None:
        visit.send(RESPONSE)
        if not closed_on_request.is_set() and read_head(visit.connection):
            closed_on_request.set()

    server = serve(answer_once)
    for _ in range(2):
        get(server.url).body.close()
    assert closed_on_request.is_set()
    assert len(server.heads) == 2


@pytest.mark.parametrize(
    "response",
    [
        RESPONSE + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    ],
    ids=["more than the response", "closing", "HTTP/1.0"],
)
def test_a_connection_is_not_kept_after(
    serve: Callable[..., ScriptedServer], idle_connections: IdleConnections, response: bytes
) -> None:
    server = serve(Keeping(response, response))
    for _ in range(2):
        with get(server.url) as fetched:
            assert fetched.body.read() == b"[]"
    assert len(server.heads) == 2


def test_a_post_has_a_connection_of_its_own(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Keeping(RESPONSE))
    for _ in range(2):
        get(server.url, method="POST", body=b"{}").body.close()
    assert len(server.heads) == 2
    assert all(b"Connection: close" in head for head in server.heads)


def test_a_connection_is_not_used_under_other_rules(serve: Callable[..., ScriptedServer]) -> None:
    server = serve(Keeping(RESPONSE, RESPONSE))
    get(server.url, allowed_networks=LOOPBACK).body.close()
    assert failure_of(server.url, allowed_networks=[]).reason == "address_not_allowed"
    assert failure_of(server.url, allowed_networks=[ip_network("10.0.0.0/8")]).reason == "address_not_allowed"


def test_a_kept_connection_has_the_deadline_of_its_request(serve: Callable[..., ScriptedServer]) -> None:
    def answer_then_hang(visit: Visit) -> None:
        visit.send(RESPONSE)
        read_head(visit.connection)
        visit.hang()

    server = serve(answer_then_hang)
    get(server.url).body.close()
    assert failure_of(server.url, limits=HASTY).reason == "timeout"


def test_only_so_many_connections_are_kept(
    serve: Callable[..., ScriptedServer], idle_connections: IdleConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.http.idle_connections.MAX_CONNECTIONS", 1)
    scripts = [Keeping(RESPONSE, RESPONSE) for _ in range(2)]
    servers = [serve(script) for script in scripts]
    for server in [*servers, servers[1], servers[0]]:
        get(server.url).body.close()
    assert [script.connections for script in scripts] == [2, 1]
