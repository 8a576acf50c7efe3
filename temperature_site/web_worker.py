"""The worker class of the web process: gunicorn starts and stops the processes, waitress receives and sends.

waitress reads requests and writes responses in one loop for all connections, and passes only complete requests to
threads. So a client that sends or reads slowly, or not at all, occupies a connection and no thread. What it lacks are
limits on how long a request may take to arrive: a client that sends a byte now and then would keep its connection.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from typing import TypeAlias

from django.conf import settings
from gunicorn.workers.base import Worker
from typing_extensions import override
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from temperature_site.middleware.probe_thread import PROBES

# Of the lines before a body, of a whole request, and of a response that the client has stopped reading.
HEADER_SECONDS = 10
REQUEST_SECONDS = 300
STALLED_SECONDS = 30
_MAX_HEADER_BYTES = 64 << 10
# Of a response that waits for its client to read it: more than any, so that no thread waits. It is kept on the disk.
_MAX_WAITING_BYTES = 4 << 30
# If less of the disk than this, or a tenth, is free, whoever keeps the most there is cut off; not the usual little.
_MIN_FREE_BYTES = 1 << 30
_MUCH_BYTES = 64 << 20
_TICK_SECONDS = 1.0
PROBE_THREADS = 2

# By their file descriptors: listening sockets, connections, and what wakes the loop.
Connections: TypeAlias = dict[int, wasyncore.dispatcher]


class TimedChannel(HTTPChannel):
    """A connection that knows since when its current request has been arriving."""

    began_at: float | None = None

    @override
    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.began_at = time.time()
        is_open = super().received(data)
        if self.request is None:
            self.began_at = None
        return bool(is_open)

    @property
    def kept_bytes(self) -> int:
        """How much of its request and of its responses is kept for the client."""
        arrived = 0 if self.request is None else self.request.body_bytes_received
        return int(self.total_outbufs_len + arrived)

    def is_overdue(self, now: float, idle_seconds: float) -> bool:
        """Return whether the client takes too long for its request, for reading a response, or between the two."""
        if self.requests:
            return False
        if self.total_outbufs_len:
            return bool(now - self.last_activity > STALLED_SECONDS)
        if self.request is None or self.began_at is None:
            return bool(now - self.last_activity > idle_seconds)
        limit = REQUEST_SECONDS if self.request.headers_finished else HEADER_SECONDS
        return now - self.began_at > limit


class TimedServer(TcpWSGIServer):
    """A listening socket of a process."""

    channel_class = TimedChannel

    @override
    def maintenance(self, now: float) -> None:
        for channel in list(self.active_channels.values()):
            if channel.is_overdue(now, self.adj.channel_timeout):
                # At once: `will_close` waits until the client reads, which it may never do.
                channel.handle_close()
        largest = max(self.active_channels.values(), key=lambda channel: channel.kept_bytes, default=None)
        if largest is not None and largest.kept_bytes > _MUCH_BYTES and _is_disk_nearly_full():
            largest.handle_close()


def _is_disk_nearly_full() -> bool:
    disk = shutil.disk_usage(tempfile.gettempdir())
    return disk.free < min(_MIN_FREE_BYTES, disk.total // 10)


class ProbingDispatcher(ThreadedTaskDispatcher):
    """Has probes answered by threads of their own: they wait for no request, however many of them wait."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._probes = ThreadedTaskDispatcher()
        self._probes.set_thread_count(PROBE_THREADS)
        self.set_thread_count(threads)

    @override
    def add_task(self, task: HTTPChannel) -> None:
        if task.requests and task.requests[0].path.rstrip("/") in PROBES:
            self._probes.add_task(task)
        else:
            super().add_task(task)

    @override
    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        self._probes.shutdown(cancel_pending, timeout)
        return bool(super().shutdown(cancel_pending, timeout))


class _Wakeup(wasyncore.file_dispatcher):
    """Ends the loop's waiting when a signal arrives."""

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.recv(4096)


class BufferingWorker(Worker):
    """A process that serves requests with threads."""

    @override
    def run(self) -> None:
        connections: Connections = {}
        _Wakeup(self.PIPE[0], map=connections)
        dispatcher = ProbingDispatcher(self.cfg.threads)
        adjustments = self._adjustments()
        servers = [
            TimedServer(
                self.wsgi,
                connections,
                True,  # to accept connections at once
                each.sock,
                dispatcher=dispatcher,
                adj=adjustments,
                sockinfo=(each.sock.family, each.sock.type, each.sock.proto, each.sock.getsockname()),
                bind_socket=False,
            )
            for each in self.sockets
        ]
        while self.alive and self.ppid == os.getppid():
            self._serve(connections)
        self._finish(servers, connections)
        dispatcher.shutdown(timeout=1)

    def _serve(self, connections: Connections) -> None:
        self.notify()
        wasyncore.loop(timeout=_TICK_SECONDS, use_poll=True, map=connections, count=1)

    def _finish(self, servers: list[TimedServer], connections: Connections) -> None:
        """Answer what has arrived, and close the connections."""
        for server in servers:
            server.accepting = False
            server.del_channel()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while time.monotonic() < deadline:
            channels = [each for server in servers for each in server.active_channels.values()]
            for channel in channels:
                channel.close_when_flushed = not channel.requests
            if not channels:
                return
            self._serve(connections)

    def _adjustments(self) -> Adjustments:
        return Adjustments(
            threads=self.cfg.threads,
            backlog=self.cfg.backlog,
            connection_limit=self.cfg.worker_connections,
            channel_timeout=self.cfg.keepalive,
            cleanup_interval=1,
            asyncore_use_poll=True,
            max_request_header_size=_MAX_HEADER_BYTES,
            # Larger than a push or an upload may be, so that the site says which limit it exceeds.
            max_request_body_size=2 * max(settings.BULK_MAX_BYTES, settings.IMPORT_MAX_BYTES),
            outbuf_high_watermark=_MAX_WAITING_BYTES,
            # `PROXY_COUNT` decides which forwarded headers count. Names with underscores are always dropped.
            clear_untrusted_proxy_headers=False,
            ident=None,
        )
