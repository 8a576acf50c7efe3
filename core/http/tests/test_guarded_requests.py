"""Libraries that send requests themselves reach public addresses only, and take no proxy from the environment."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address

import pytest
import requests

from core.http.addresses import ANY_PORT, Endpoint, parse_networks
from core.http.guarded_requests import guarded

LOOPBACK = parse_networks(["127.0.0.0/8"])


@pytest.fixture
def canary() -> Iterator[socket.socket]:
    """Listen on loopback; `has_visitor` tells whether anybody connected."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        yield listener


def has_visitor(canary: socket.socket) -> bool:
    try:
        connection, _ = canary.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True


def address_of(canary: socket.socket) -> str:
    return f"http://127.0.0.1:{canary.getsockname()[1]}"


def test_a_private_address_is_not_reached(canary: socket.socket) -> None:
    with guarded((), (ANY_PORT,)), pytest.raises(requests.ConnectionError, match="no public address"):
        requests.get(address_of(canary), timeout=1)
    assert not has_visitor(canary)


def test_a_public_name_that_resolves_to_a_private_address_is_not_reached(
    canary: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int) -> list[Endpoint]:
        return [Endpoint(socket.AF_INET, ("127.0.0.1", port), ip_address("127.0.0.1"))]

    monkeypatch.setattr("core.http.addresses._ask_resolver", resolve)
    url = address_of(canary).replace("127.0.0.1", "hooks.example.com")
    with guarded((), (ANY_PORT,)), pytest.raises(requests.ConnectionError, match="no public address"):
        requests.get(url, timeout=1)
    assert not has_visitor(canary)


def test_another_port_is_not_reached(canary: socket.socket) -> None:
    with guarded(LOOPBACK, (range(443, 444),)), pytest.raises(requests.ConnectionError, match="Port"):
        requests.get(address_of(canary), timeout=1)
    assert not has_visitor(canary)


def test_a_proxy_of_the_environment_is_not_used(canary: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, address_of(canary))
    with guarded((), (ANY_PORT,)), pytest.raises(requests.ConnectionError):
        requests.get("http://10.0.0.1/", timeout=1)
    assert not has_visitor(canary)


def test_an_allowed_network_is_reached(canary: socket.socket) -> None:
    with guarded(LOOPBACK, (ANY_PORT,)), pytest.raises(requests.RequestException):
        requests.get(address_of(canary), timeout=0.1)
    assert has_visitor(canary)


def test_the_next_address_of_a_name_is_tried_if_one_does_not_answer(
    canary: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int) -> list[Endpoint]:
        return [Endpoint(socket.AF_INET, (each, port), ip_address(each)) for each in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr("core.http.addresses._ask_resolver", resolve)
    url = address_of(canary).replace("127.0.0.1", "hooks.example.com")
    with guarded(LOOPBACK, (ANY_PORT,)), pytest.raises(requests.ReadTimeout):
        requests.get(url, timeout=0.1)
    assert has_visitor(canary)


def test_requests_outside_the_guard_are_left_alone(canary: socket.socket) -> None:
    with guarded((), (ANY_PORT,)):
        pass
    with pytest.raises(requests.RequestException):
        requests.get(address_of(canary), timeout=0.1)
    assert has_visitor(canary)
