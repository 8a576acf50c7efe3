"""Probes are answered while every other request waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from temperature_site.middleware.probe_thread import Permits, ProbeThread
from temperature_site.web_worker import ProbingDispatcher
from tests.running_system import wait_until


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def answered(guarded: ProbeThread, path: str) -> tuple[str, Iterable[bytes]]:
    statuses: list[str] = []

    def start_response(status: str, *_: object) -> object:
        statuses.append(status)
        return lambda data: None

    body = guarded({"PATH_INFO": path}, start_response)  # type: ignore[arg-type]  # what the guard calls
    return statuses[0], body


def test_a_probe_needs_no_permit_and_others_return_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temperature_site.middleware.probe_thread.WAIT_SECONDS", 0.01)
    guarded = ProbeThread(application, permits=1)

    status, occupied = answered(guarded, "/units")
    assert status == "200 OK"
    assert answered(guarded, "/ping") == ("200 OK", [b"/ping"])
    assert answered(guarded, "/units")[0] == "503 Service Unavailable"

    occupied.close()  # type: ignore[attr-defined]  # as the server does
    assert answered(guarded, "/units")[0] == "200 OK"


def test_a_request_that_fails_returns_its_permit(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise LookupError

    guarded = ProbeThread(failing, permits=1)
    for _ in range(2):
        with pytest.raises(LookupError):
            guarded({"PATH_INFO": "/units"}, lambda *_: lambda data: None)


def test_a_permit_that_is_returned_goes_to_whoever_has_waited_longest() -> None:
    permits = Permits(1)
    assert permits.acquire(0)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(permits.acquire, 30)
        wait_until("it waits", lambda: permits.waiting == 1, seconds=30)

        permits.release()
        assert not permits.acquire(0)
        assert first.result()

    permits.release()
    assert permits.acquire(0)


def test_whoever_has_stopped_waiting_gets_no_permit() -> None:
    permits = Permits(1)
    assert permits.acquire(0)
    assert not permits.acquire(0.01)
    permits.release()
    assert permits.acquire(0)


class _Request:
    """A request of a connection, as the server's threads get it."""

    def __init__(self, path: str, serve: Callable[[], object]) -> None:
        self.requests = [self]
        self.path = path
        self.service = serve

    def cancel(self) -> None:
        """Forget it: waitress does this with what still waits when it ends."""


def test_a_probe_does_not_wait_behind_the_requests_that_wait_for_a_thread() -> None:
    dispatcher = ProbingDispatcher(threads=1)
    released, answered = Event(), Event()
    try:
        for _ in range(50):
            dispatcher.add_task(_Request("/units", lambda: released.wait(60)))
        dispatcher.add_task(_Request("/ping", answered.set))
        assert answered.wait(30)
        assert not released.is_set()
    finally:
        released.set()
        dispatcher.shutdown(timeout=10)
