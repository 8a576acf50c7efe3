"""Connections that are kept for the next request to the same server.

Each leads to the address that was checked when it was opened; a new one is checked again. It is kept only after a
response that was read completely, and closed if the server has sent anything since, its end of the connection included.
"""

from __future__ import annotations

import http.client
import select
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import NamedTuple

MAX_IDLE_SECONDS = 60.0
MAX_PER_SERVER = 32
MAX_CONNECTIONS = 256


class _Idle(NamedTuple):
    connection: http.client.HTTPConnection
    since: float


class IdleConnections:
    """The idle connections of a process, by what they may be used for: the server and the rules of its check.

    Used by several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Least recently used servers first, and of each server the newest connections last.
        self._idle: OrderedDict[Hashable, deque[_Idle]] = OrderedDict()

    def take(self, key: Hashable) -> http.client.HTTPConnection | None:
        """Return an idle connection that seems to be open, None if there is none."""
        while (idle := self._pop(key)) is not None:
            if time.monotonic() - idle.since <= MAX_IDLE_SECONDS and _is_quiet(idle.connection):
                return idle.connection
            idle.connection.close()
        return None

    def keep(self, key: Hashable, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose last response was read; close it if the server closes it or has sent more."""
        if not _is_quiet(connection):
            connection.close()
            return
        with self._lock:
            of_server = self._idle.setdefault(key, deque())
            of_server.append(_Idle(connection, time.monotonic()))
            self._idle.move_to_end(key)
            surplus = [of_server.popleft()] if len(of_server) > MAX_PER_SERVER else []
            if sum(map(len, self._idle.values())) > MAX_CONNECTIONS:
                oldest_key, of_oldest = next(iter(self._idle.items()))
                surplus.append(of_oldest.popleft())
                if not of_oldest:
                    del self._idle[oldest_key]
        for idle in surplus:
            idle.connection.close()

    def close_all(self) -> None:
        """Close all connections."""
        with self._lock:
            closed = [idle for of_server in self._idle.values() for idle in of_server]
            self._idle.clear()
        for idle in closed:
            idle.connection.close()

    def _pop(self, key: Hashable) -> _Idle | None:
        with self._lock:
            of_server = self._idle.get(key)
            if of_server is None:
                return None
            idle = of_server.pop()
            if not of_server:
                del self._idle[key]
            return idle


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Return whether the connection is open and nothing has arrived on it: between two requests nothing should."""
    if connection.sock is None:
        return False
    try:
        readable, _, _ = select.select([connection.sock], [], [], 0)
    except (OSError, ValueError):
        return False
    return not readable
