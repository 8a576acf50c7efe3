"""Keep a thread of each web process free, whatever the others wait for, and tell clients that all are busy.

With a frozen database every thread would end up waiting for it. The server has a thread more than requests may occupy:
a request that gets no permit within two seconds is answered with 503. Probes need none, and under `web_worker` they
have threads of their own, as they would wait behind these requests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PROBES = frozenset({"/ping", "/live", "/ready", "/health"})
WAIT_SECONDS = 2.0


class ProbeThread:
    """A WSGI application that lets at most `permits` requests other than probes run at the same time."""

    def __init__(self, application: WSGIApplication, permits: int) -> None:
        self._application = application
        self._permits = threading.BoundedSemaphore(permits)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Respond to a request as soon as it has a permit."""
        if environ.get("PATH_INFO", "").rstrip("/") in PROBES:
            return self._application(environ, start_response)
        if not self._permits.acquire(timeout=WAIT_SECONDS):
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

    def __init__(self, body: Iterable[bytes], permits: threading.BoundedSemaphore) -> None:
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
