"""CPU time, to which other work on the machine adds little, and comparing two ways of doing the same in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection


def cpu_milliseconds(work: Callable[[], object]) -> float:
    """Return the CPU time of this process and its PostgreSQL backend."""
    connection.ensure_connection()
    backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")

    def spent() -> float:
        return time.process_time() * 1e3 + int(backend.read_text().split()[0]) / 1e6

    before = spent()
    work()
    return spent() - before


@dataclass(frozen=True, slots=True)
class Comparison:
    """The medians of both ways, and the median of how many percent slower the first is, pair by pair."""

    with_it: float
    without: float
    slower_percent: float


def compared_in_turn(work: Callable[[], float], without: Callable[[], float], rounds: int) -> Comparison:
    """Compare what both return, in pairs. Each goes first as often as the other; the first pair is not counted.

    A machine that becomes slower for some seconds slows both of a pair down, and what one leaves in the tables does not
    count for the other alone.
    """
    found: tuple[list[float], list[float]] = ([], [])
    work()
    without()
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            found[which].append((work, without)[which]())
    slower = statistics.median(first / second for first, second in zip(*found, strict=True)) - 1
    return Comparison(statistics.median(found[0]), statistics.median(found[1]), slower * 100)


def elapsed_seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
