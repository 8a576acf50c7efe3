"""Fixtures for tests of fetching and polling: a fixed time, loopback servers and sources."""

import socket
from contextlib import ExitStack

import pytest
import time_machine

from ingestion.parsing.tests.parsed_batches import NOON
from ingestion.polling.tests.scripted_server import ScriptedServer
from tests.factories import SourceFactory


@pytest.fixture
def noon():
    """Freeze the time at noon and return the clock."""
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def loopback_allowed(settings):
    """Allow sources on the loopback interface."""
    settings.SOURCE_ALLOWED_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def serve():
    """Start scripted servers that stop when the test ends."""
    with ExitStack() as running:
        yield lambda script, **options: running.enter_context(ScriptedServer(script, **options))


@pytest.fixture
def resolve(monkeypatch):
    """Return a dict of addresses by host name, the only names that are resolved."""
    known: dict[str, str] = {}
    ask = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host not in known and not host.replace(".", "").isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(known.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def source_of(serve):
    """Create sources whose `server` responds as scripted."""

    def make(script, path="/current?hours={hours}", **fields):
        server = serve(script)
        if "structure_path" in fields:
            fields["structure_url"] = server.url + fields.pop("structure_path")
        source = SourceFactory(url=server.url + path, **fields)
        source.server = server
        return source

    return make
