"""A bounded load on a server of this machine: each of a fixed number of connections sends one request after another.

The generator is a separate process with raw sockets, so that it takes as little CPU from the server as possible.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from dataclasses import dataclass

MOST_SECONDS = 60.0
# Clients connect one by one. If all connect at once, one idle worker accepts and keeps all connections.
SECONDS_APART = 0.02


@dataclass(frozen=True, slots=True)
class Load:
    """The result of a load: responses per second, the median and the 99th percentile in seconds, a body's bytes."""

    requests_a_second: float
    p50_seconds: float
    p99_seconds: float
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request to 127.0.0.1 that is repeated."""

    port: int
    path: str
    headers: tuple[str, ...] = ()
    method: str = "GET"
    body: bytes = b""

    def encoded(self) -> bytes:
        """Return the request as it is sent."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost", *self.headers]
        if self.body:
            lines += [f"Content-Length: {len(self.body)}", "Content-Type: application/json"]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def load(request: Request, *, connections: int, seconds: float) -> Load:
    """Send the load for `seconds`, after a warm-up of a tenth of that. Raises RuntimeError for any status but 200."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as generator:
        return generator.apply(_run, (request, connections, min(seconds, MOST_SECONDS)))


def _run(request: Request, connections: int, seconds: float) -> Load:
    return asyncio.run(_load(request, connections, seconds))


async def _load(request: Request, connections: int, seconds: float) -> Load:
    begin = time.perf_counter() + seconds / 10
    requested = [_ask_again_and_again(request, each, begin, begin + seconds) for each in range(connections)]
    answers = await asyncio.gather(*requested)
    took = sorted(duration for durations, _ in answers for duration in durations)
    if len(took) < 2:
        raise RuntimeError(f"{request.path}: hardly a response within {seconds} s.")
    return Load(len(took) / seconds, statistics.median(took), statistics.quantiles(took, n=100)[98], answers[0][1])


async def _ask_again_and_again(request: Request, number: int, begin: float, end: float) -> tuple[list[float], int]:
    await asyncio.sleep(number * SECONDS_APART)
    reader, writer = await asyncio.open_connection("127.0.0.1", request.port)
    encoded, durations, body_bytes = request.encoded(), [], 0
    try:
        while (asked_at := time.perf_counter()) < end:
            writer.write(encoded)
            body_bytes, is_closing = await _read_answer(reader, request.path)
            if asked_at >= begin:
                durations.append(time.perf_counter() - asked_at)
            if is_closing:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", request.port)
    finally:
        writer.close()
    return durations, body_bytes


async def _read_answer(reader: asyncio.StreamReader, path: str) -> tuple[int, bool]:
    """Read a response; return the length of its body, and whether the server closes the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith(b"http/1.1 200 "):
        raise RuntimeError(f"{path}: {head.splitlines()[0].decode()}")
    is_closing = b"\r\nconnection: close" in head
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        body = await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        return len(body), is_closing
    return await _read_chunks(reader), is_closing


async def _read_chunks(reader: asyncio.StreamReader) -> int:
    total = 0
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        await reader.readexactly(size + 2)
        total += size
    await reader.readexactly(2)
    return total
