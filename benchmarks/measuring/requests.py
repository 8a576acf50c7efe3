"""Requests that are sent to the WSGI application in this process, without a server in between."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

Headers = dict[str, str]
Respond = Callable[[], None]


@cache
def _application() -> WSGIHandler:
    """Load the middleware once, as a web process does."""
    return get_wsgi_application()


def request_in_process(method: str, path: str, headers: Headers, body: bytes = b"") -> Respond:
    """Return what sends the request and reads the response; with a body it can be sent once.

    It raises RuntimeError for a status other than 2xx.
    """
    application = _application()
    factory = RequestFactory(headers=headers)
    environ = factory.generic(method, path, body, content_type="application/json").environ
    statuses: list[str] = []

    def start(status: str, _headers: list[tuple[str, str]], _error: object = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _body: None

    def respond() -> None:
        response = application(dict(environ), start)
        b"".join(response)
        response.close()
        if not statuses[-1].startswith("2"):
            raise RuntimeError(f"{method} {path} was answered with {statuses[-1]}.")

    return respond
