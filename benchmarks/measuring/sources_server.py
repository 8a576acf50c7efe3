"""A server with thousands of sources for benchmarks, in one process: each request returns a reading of each unit.

A minimal HTTP/1.1 server with kept connections, so that it takes as little CPU from the polls as possible.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawValue
from typing import Final

UNITS: Final = 6
_SOURCE = re.compile(rb"GET /(\d+)")


@dataclass(frozen=True, slots=True)
class SourcesServer:
    """A running server: its port, its process, and how many responses it has sent."""

    port: int
    pid: int
    _responses: ctypes.c_uint64

    @property
    def readings_served(self) -> int:
        """The readings in all responses that were sent so far."""
        return self._responses.value * UNITS


@contextmanager
def sources_server() -> Iterator[SourcesServer]:
    """Run the server. Source n is at `/n`; its units are `unit_0` to `unit_5` of `facility_n`."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    responses = RawValue(ctypes.c_uint64, 0)
    process = context.Process(target=_run, args=(sending, responses), daemon=True)
    process.start()
    try:
        yield SourcesServer(receiving.recv(), process.pid or 0, responses)
    finally:
        process.terminate()
        process.join()


def _run(started: Connection, responses: ctypes.c_uint64) -> None:
    asyncio.run(_serve(started, responses))


async def _serve(started: Connection, responses: ctypes.c_uint64) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(reader, writer, responses)

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1_000)
    started.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, responses: ctypes.c_uint64) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = _SOURCE.match(head)
            body = _rows(int(found[1]) if found else 0)
            is_closing = b"connection: close" in head.lower()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
            responses.value += 1
            if is_closing:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the client has closed the connection
    finally:
        writer.close()


def _rows(source: int) -> bytes:
    """Return the current temperatures: one that a poll has not seen for each unit."""
    now = datetime.now(UTC)
    at = now.isoformat(timespec="milliseconds")
    temperature_c = -70 + now.microsecond % 100 / 100
    rows = ", ".join(
        f'{{"facility_id": "facility_{source}", "unit_id": "unit_{unit}", "sensor_id": "sensor_{unit}",'
        f' "temperature": {temperature_c:.2f}, "timestamp": "{at}"}}'
        for unit in range(UNITS)
    )
    return f"[{rows}]".encode()
