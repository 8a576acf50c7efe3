"""Fixtures for tests of fetching and polling: a fixed time, loopback servers and sources."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
import time_machine
from pytest_django import Settings
from time_machine import Traveller

from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.polling.tests.polling import ServedSource
from ingestion.polling.tests.scripted_server import Script, ScriptedServer
from tests.factories import SourceFactory


@pytest.fixture
def noon() -> Iterator[Traveller]:
    """Freeze the time at noon and return the clock."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def loopback_allowed(settings: Settings) -> None:
    """Allow sources on the loopback interface."""
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers that stop when the test ends."""
    with ExitStack() as running:
        yield lambda script, **options: running.enter_context(ScriptedServer(script, **options))


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return a dict of addresses by host name, the only names that are resolved."""
    known: dict[str, str] = {}
    ask = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> object:
        if host not in known and not host.replace(".", "").isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(known.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def source_of(serve: Callable[..., ScriptedServer]) -> Callable[..., ServedSource]:
    """Create sources whose `server` responds as scripted."""

    def make(script: Script, path: str = "/current?hours={hours}", **fields: Any) -> ServedSource:
        server = serve(script)
        if "structure_path" in fields:
            fields["structure_url"] = server.url + fields.pop("structure_path")
        source = SourceFactory(url=server.url + path, **fields)
        served = cast("ServedSource", source)
        served.server = server
        return served

    return make
