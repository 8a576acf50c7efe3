"""What takes too long for `make bench`: the REST API as readings accumulate, `python -m benchmarks --scale rest_api`.

Each endpoint's responses per second are a ratio to those of `/ping`; `slower` is by what factor this is less than with
the fewest readings. BENCH_READINGS names other sizes, separated by commas, the fewest first.
"""

from __future__ import annotations

import os

from benchmarks.measuring.results import Results
from benchmarks.rest_api import MAX_TIMES_SLOWER, add_ratio, measure, of_connections, prepare_customers

SIZES = (100_000, 1_000_000, 10_000_000)


def run(results: Results) -> None:
    """Measure the REST API at each number of readings."""
    sizes = [int(size) for size in os.environ.get("BENCH_READINGS", "").split(",") if size] or list(SIZES)
    results.title("a customer of 10 units among 100 units; responses a second as ratios to ping")
    token = prepare_customers()
    fewest = measure(sizes[0], token)
    for (name, connections), each in fewest.items():
        add_ratio(results, name, connections, sizes[0], each)
    for readings in sizes[1:]:
        for (name, connections), each in measure(readings, token).items():
            add_ratio(results, name, connections, readings, each)
            slower = fewest[name, connections].rate_ratio / each.rate_ratio
            line = f"{name}, {of_connections(connections)}, {readings:,} readings: slower"
            results.add(line, slower, "times", at_most=MAX_TIMES_SLOWER)
