"""Guard a library that sends its requests with `requests` like our own ones: addresses, ports, and no proxies.

The library opens its sessions itself, so what it calls is replaced once: sessions and connections that are opened
within `guarded` check the address that they connect to and ignore proxies and credentials from the environment; all
others work as before.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, wraps

import requests.sessions
from urllib3.util import connection

from core.http.addresses import AddressNotAllowed, Network, permitted_endpoints

_LOOK_UP_SECONDS = 5.0


class _Rules:
    """Where connections may lead."""

    def __init__(self, networks: Sequence[Network], ports: Sequence[range]) -> None:
        self.networks = networks
        self.ports = ports


_rules: ContextVar[_Rules | None] = ContextVar("rules of guarded requests", default=None)


@contextmanager
def guarded(networks: Sequence[Network], ports: Sequence[range]) -> Iterator[None]:
    """Let this thread's sessions and connections lead to public addresses and these networks only, at these ports."""
    _replace_once()
    token = _rules.set(_Rules(networks, ports))
    try:
        yield
    finally:
        _rules.reset(token)


class _Session(requests.sessions.Session):
    """A session that takes nothing from the environment within `guarded`."""

    def __init__(self) -> None:
        super().__init__()
        if _rules.get() is not None:
            self.trust_env = False


@cache
def _replace_once() -> None:
    requests.sessions.Session = _Session  # type: ignore[misc]  # the class that requests.get opens
    connection.create_connection = _checking(connection.create_connection)


def _checking(create_connection: Callable[..., socket.socket]) -> Callable[..., socket.socket]:
    @wraps(create_connection)
    def create(address: tuple[str, int], *args: object, **kwargs: object) -> socket.socket:
        if (rules := _rules.get()) is None:
            return create_connection(address, *args, **kwargs)
        host, port = address
        if not any(port in ports for ports in rules.ports):
            raise OSError(f"Port {port} of {host} is not allowed.")
        try:
            *others, last = permitted_endpoints(host.strip("[]"), port, rules.networks, _LOOK_UP_SECONDS)
        except AddressNotAllowed:
            raise OSError(f"{host} has no public address.") from None
        # The name is not resolved again: what was checked is what is connected to.
        for endpoint in others:
            with suppress(OSError):
                return create_connection((str(endpoint.address), port), *args, **kwargs)
        return create_connection((str(last.address), port), *args, **kwargs)

    return create
