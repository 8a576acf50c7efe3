"""CPU time, to which other work on the machine adds little, and comparing two ways of doing the same in turn."""

from __future__ import annotations

import time
from collections.abc import Callable
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


def compared_in_turn(work: Callable[[], float], without: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Return the least of what each returns. Each goes first as often as the other; the first of each is not counted.

    What the machine does meanwhile can only add to the time of either, so the least is what the work itself takes; what
    one leaves in the tables does not count for the other alone.
    """
    found: tuple[list[float], list[float]] = ([], [])
    work()
    without()
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            found[which].append((work, without)[which]())
    return min(found[0]), min(found[1])


def elapsed_seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
