"""Serve hostile bodies to a measured process and collect its reports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings

# Of a hostile body, by its path; they take the connection and the query.
Respond = Callable[[socket.socket, str], None]
Responses = dict[str, Respond]


@dataclass(frozen=True)
class Report:
    """What a push or poll took: seconds of the processor and of the clock, memory at its peak, and how it ended.

    The memory is in mebibytes above idle. Other work on the machine hardly affects the seconds of the processor.
    """

    name: str
    seconds: float
    elapsed_seconds: float
    mebibytes: float
    outcome: str


class MeasuredProcess:
    """A process that pushes and polls one body after the other, and measures itself."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, name: str, **command: object) -> Report:
        """Carry out a command of `tests.hostile_bodies.process`."""
        commands, reports = _pipe(self._process.stdin), _pipe(self._process.stdout)
        commands.write(json.dumps(command) + "\n")
        commands.flush()
        report = json.loads(reports.readline())
        return Report(name, **report)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("The process has no pipes.")
    return pipe


@contextmanager
def measured_process(database_url: str, folder: Path, **environment: str) -> Iterator[MeasuredProcess]:
    """Start the measured process on a database; end it afterwards."""
    surroundings = {
        "DATABASE_URL": database_url,
        "DATA_DIR": str(folder),
        "SECRET_KEY": settings.SECRET_KEY,
        "DEMO": "false",
        "LOG_LEVEL": "ERROR",
        "SOURCE_ALLOWED_NETWORKS": "127.0.0.0/8",
        "OUTGOING_PORTS": "1-65535",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile_bodies.process"],
        cwd=settings.BASE_DIR,
        env=os.environ | surroundings | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield MeasuredProcess(process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def serving(responses: Responses) -> Iterator[str]:
    """Serve the responses on loopback, each by a function that writes to the connection; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, responses), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, responses: Responses) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection, responses), daemon=True).start()


def _answer(connection: socket.socket, responses: Responses) -> None:
    with connection, suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
            head += piece
        path, _, query = head.split(b" ")[1].decode().partition("?")
        # What looks like a link in a body may lead anywhere.
        responses.get(path, _not_found)(connection, query)


def _not_found(connection: socket.socket, _: str) -> None:
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def plain_response(body: bytes, content_type: str, *, headers: str = "") -> Respond:
    """Return a response with a body as it is."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{headers}Content-Length: {len(body)}"
    return lambda connection, _: connection.sendall(head.encode() + b"\r\n\r\n" + body)


def gzip_response(body: bytes, content_type: str) -> Respond:
    """Return a response with a compressed body."""
    return plain_response(body, content_type, headers="Content-Encoding: gzip\r\n")


def endless_pages(before: bytes, row: bytes, page_bytes: int) -> Respond:
    """Return a response with rows and a link to the next page, of which there is always one."""
    rows = b",".join([row] * (page_bytes // len(row)))

    def respond(connection: socket.socket, query: str) -> None:
        link = b'{"next":"?%d",' % (int(query or 0) + 1)
        plain_response(link + before + b"[" + rows + b"]}", "application/json")(connection, query)

    return respond


def endless_chunks(connection: socket.socket, _: str) -> None:
    """Send chunks of a body that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"1," * 0x8000 + b"\r\n")


def endless_failure(connection: socket.socket, _: str) -> None:
    """Answer with a failure whose explanation never ends."""
    connection.sendall(b"HTTP/1.1 500 Error\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"<b>" * 0x5555 + b"x\r\n")
