"""Keep a thread of each web process free, whatever the others wait for, and tell clients that all are busy.

With a frozen database every thread would end up waiting for it. The server has a thread more than requests may occupy:
a request is answered with 503 if none of them has ended for two seconds. Probes need no permit, and under `web_worker`
they have threads of their own, as they would wait behind these requests.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = frozenset({"/ping", "/live", "/ready", "/health"})
WAIT_SECONDS = 2.0


class Permits:
    """A limited number of permits, given in the order in which they were asked for.

    A semaphore is not fair: whoever returns a permit can take it again before a thread that waits for it has woken up.
    On a busy server that thread would wait in vain.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for a permit."""
        return len(self._waiting)

    def acquire(self, timeout_seconds: float) -> bool:
        """Take a permit and return True; return False if none is free within the timeout."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            given = threading.Event()
            self._waiting.append(given)
        if given.wait(timeout_seconds):
            return True
        with self._lock:
            if given.is_set():  # since the timeout
                return True
            self._waiting.remove(given)
            return False

    def release(self) -> None:
        """Return a permit: it goes to whoever has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1


class ProbeThread:
    """A WSGI application that lets at most `permits` requests other than probes run at the same time."""

    def __init__(self, application: WSGIApplication, permits: int) -> None:
        self._application = application
        self._permits = Permits(permits)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request as soon as it has a permit."""
        if environ.get("PATH_INFO", "").rstrip("/") in PROBES:
            return self._application(environ, start_response)
        if not self._permits.acquire(WAIT_SECONDS):
            start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "5")])
            return [b"All threads are busy. Please try again.\n"]
        try:
            body = self._application(environ, start_response)
        except BaseException:
            self._permits.release()
            raise
        if not isinstance(body, environ.get("wsgi.file_wrapper", ())):
            return _Permitted(body, self._permits)
        self._permits.release()  # the server sends files itself
        files: Iterable[bytes] = body
        return files


class _Permitted:
    """A response body that returns its permit when the server closes it."""

    def __init__(self, body: Iterable[bytes], permits: Permits) -> None:
        self._body = body
        self._permits = permits

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            if hasattr(self._body, "close"):
                self._body.close()
        finally:
            self._permits.release()
