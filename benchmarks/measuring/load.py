"""A bounded load on a server of this machine: each of a fixed number of connections sends one request after another.

The generator is a separate process with raw sockets, so that it takes as little CPU from the server as possible.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

MOST_SECONDS = 60.0
# Of each connection, however long they take.
LEAST_RESPONSES = 3
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


# The same request again and again, or one for each number; it is sent to another process.
Requests = Request | Callable[[int], Request]


def load(requests: Requests, *, connections: int, seconds: float) -> Load:
    """Send the load for `seconds`, after a warm-up of a tenth of that; of slow requests at least LEAST_RESPONSES.

    Raises RuntimeError for any status but 200 and 201, and if these take more than MOST_SECONDS.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as generator:
        return generator.apply(_run, (requests, connections, min(seconds, MOST_SECONDS)))


class BesidePing(NamedTuple):
    """A request under load, and `/ping` loaded in turn with it, so that other work on the machine slows both."""

    load: Load
    ping: Load

    @property
    def rate_ratio(self) -> float:
        """Its responses per second as a ratio to those of `/ping`."""
        return self.load.requests_a_second / self.ping.requests_a_second

    @property
    def time_ratio(self) -> float:
        """The median time of a response as a ratio to that of `/ping`."""
        return self.load.p50_seconds / self.ping.p50_seconds


def load_beside_ping(request: Request, *, connections: int, rounds: int, seconds: float) -> BesidePing:
    """Load `/ping` and the request in turn, each `rounds` times for `seconds`."""
    ping = Request(request.port, "/ping")
    pings: list[Load] = []
    loads: list[Load] = []
    for _ in range(rounds):
        pings.append(load(ping, connections=connections, seconds=seconds))
        loads.append(load(request, connections=connections, seconds=seconds))
    return BesidePing(_mean(loads), _mean(pings))


def _mean(loads: list[Load]) -> Load:
    """Return the means of the rates and the medians, and the longest 99th percentile."""
    return Load(
        statistics.fmean(each.requests_a_second for each in loads),
        statistics.fmean(each.p50_seconds for each in loads),
        max(each.p99_seconds for each in loads),
        loads[0].body_bytes,
    )


def _run(requests: Requests, connections: int, seconds: float) -> Load:
    return asyncio.run(_load(requests, connections, seconds))


async def _load(requests: Requests, connections: int, seconds: float) -> Load:
    begin = time.perf_counter() + seconds / 10
    numbers = itertools.count()
    requested = [_ask_again_and_again(requests, each, numbers, begin, seconds) for each in range(connections)]
    try:
        answers = await asyncio.wait_for(asyncio.gather(*requested), seconds / 10 + MOST_SECONDS)
    except TimeoutError:
        raise RuntimeError(f"{_numbered(requests, 0).path}: hardly a response within {MOST_SECONDS} s.") from None
    took = sorted(duration for each in answers for duration in each.durations)
    # The last of slow requests begin after the period.
    seconds = max(seconds, *(each.last_asked_at - begin for each in answers))
    return Load(
        len(took) / seconds, statistics.median(took), statistics.quantiles(took, n=100)[98], answers[0].body_bytes
    )


def _numbered(requests: Requests, number: int) -> Request:
    return requests if isinstance(requests, Request) else requests(number)


class _Answers(NamedTuple):
    """The responses to one connection: the seconds that each took, when the last was asked for, and its length."""

    durations: list[float]
    last_asked_at: float
    body_bytes: int


async def _ask_again_and_again(
    requests: Requests, place: int, numbers: Iterator[int], begin: float, seconds: float
) -> _Answers:
    await asyncio.sleep(place * SECONDS_APART)
    request = _numbered(requests, next(numbers))
    reader, writer = await asyncio.open_connection("127.0.0.1", request.port)
    durations: list[float] = []
    encoded, body_bytes = request.encoded(), 0
    last_asked_at = begin
    try:
        while (asked_at := time.perf_counter()) < begin + seconds or len(durations) < LEAST_RESPONSES:
            writer.write(encoded)
            body_bytes, is_closing = await _read_answer(reader, request.path)
            if asked_at >= begin:
                durations.append(time.perf_counter() - asked_at)
                last_asked_at = asked_at
            if not isinstance(requests, Request):
                encoded = requests(next(numbers)).encoded()
            if is_closing:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", request.port)
    finally:
        writer.close()
    return _Answers(durations, last_asked_at, body_bytes)


async def _read_answer(reader: asyncio.StreamReader, path: str) -> tuple[int, bool]:
    """Read a response; return the length of its body, and whether the server closes the connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith((b"http/1.1 200 ", b"http/1.1 201 ")):
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
