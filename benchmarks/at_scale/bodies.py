"""Push and poll bodies made to exhaust memory or time, of nearly the sizes that the default limits allow.

`BODIES`, a regular expression such as "push of JSON", selects those in whose names it is found and prints each one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.measuring.results import Results
from tests.hostile_bodies.campaign import Campaign
from tests.hostile_bodies.measuring import Report

MOST_MEBIBYTES = 150
MOST_SECONDS = 60
# A MiB less than the limits: a longer body is refused before it is parsed.
_POLL_BYTES, _PUSH_BYTES = 63 << 20, 15 << 20
_SHOWN = 10


def run(results: Results) -> None:
    """Measure time and memory above idle of every hostile body."""
    pattern = os.environ.get("BODIES", "")
    reports: list[Report] = []
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(os.environ["DATABASE_URL"], Path(folder), _POLL_BYTES, _PUSH_BYTES)
        for report in campaign.run(pattern):
            reports.append(report)
            if pattern:
                print(_line(report), flush=True)
    results.title(f"{len(reports)} pushes and polls; the most that any took, then the slowest and largest")
    results.add("memory above idle", max(each.mebibytes for each in reports), "MiB", at_most=MOST_MEBIBYTES)
    results.add("CPU time", max(each.seconds for each in reports), "s", at_most=MOST_SECONDS)
    for report in sorted(reports, key=_weight, reverse=True)[:_SHOWN]:
        print(_line(report))


def _line(report: Report) -> str:
    took = f"{report.seconds:5.1f} s ({report.elapsed_seconds:.1f} elapsed) {report.mebibytes:5.0f} MiB"
    return f"  {took}  {report.name}: {report.outcome}"


def _weight(report: Report) -> float:
    return max(report.mebibytes / MOST_MEBIBYTES, report.seconds / MOST_SECONDS)
