"""What takes too long for `make bench`: the REST API as readings accumulate, `python -m benchmarks --scale`.

Prints the median and 99th percentile of each endpoint, its responses per second as a ratio to those of `/ping`, and
by what factor this is less than with the fewest readings. Writes the same to RESULTS.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from benchmarks.rest_api import CONNECTIONS, MAX_TIMES_SLOWER, Measured, measure, prepare_customers, verdict_on

SIZES = (100_000, 1_000_000, 10_000_000)
RESULTS = Path(__file__).parents[1] / "results-scale.json"


class Line(NamedTuple):
    """An endpoint at a number of readings and connections; `slower`: by what factor than at the smallest size."""

    endpoint: str
    connections: int
    readings: int
    requests_a_second: float
    p50_ms: float
    p99_ms: float
    ratio: float
    slower: float

    @property
    def verdict(self) -> str:
        """Whether the line is within its targets."""
        slower = f"{self.slower:.2f} of at most {MAX_TIMES_SLOWER}: {_pass_or_short(self.slower <= MAX_TIMES_SLOWER)}"
        return slower + (verdict_on(self.endpoint, self.ratio) if self.connections == max(CONNECTIONS) else "")


def run() -> None:
    """Measure the REST API at each number of readings."""
    token = prepare_customers()
    by_size = {readings: measure(readings, token) for readings in SIZES}
    lines = [
        _line(endpoint, connections, readings, measured[endpoint, connections], by_size[SIZES[0]])
        for endpoint, connections in by_size[SIZES[0]]
        for readings, measured in by_size.items()
    ]
    print(f"{'endpoint':<14}{'conn.':>6}{'readings':>14}{'/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}   slower")
    for line in lines:
        numbers = f"{line.requests_a_second:>9,.0f}{line.p50_ms:>9.1f}{line.p99_ms:>9.1f}{line.ratio:>8.3f}"
        print(f"{line.endpoint:<14}{line.connections:>6}{line.readings:>14,}{numbers}   {line.verdict}")
    RESULTS.write_text(json.dumps([line._asdict() | {"verdict": line.verdict} for line in lines], indent=1) + "\n")


def _line(
    endpoint: str, connections: int, readings: int, measured: Measured, smallest: dict[tuple[str, int], Measured]
) -> Line:
    load = measured.load
    return Line(
        endpoint=endpoint,
        connections=connections,
        readings=readings,
        requests_a_second=load.requests_a_second,
        p50_ms=load.p50_seconds * 1000,
        p99_ms=load.p99_seconds * 1000,
        ratio=measured.ratio,
        slower=smallest[endpoint, connections].ratio / measured.ratio,
    )


def _pass_or_short(is_within: bool) -> str:
    return "pass" if is_within else "short"
