"""Push and poll bodies made to exhaust memory or time, at the sizes that the default limits allow."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.hostile_bodies.campaign import Campaign
from tests.hostile_bodies.measuring import Report

MOST_MEBIBYTES = 150
MOST_SECONDS = 60


def run() -> None:
    """Print time and memory above idle of every hostile body."""
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(os.environ["DATABASE_URL"], Path(folder), poll_bytes=64 << 20, push_bytes=16 << 20)
        reports = campaign.run()
    print(f"Hostile bodies: {len(reports)} pushes and polls; the most that any took, and the slowest and largest")
    print(f"  {max(each.mebibytes for each in reports):.0f} MiB above idle, target at most {MOST_MEBIBYTES}")
    print(f"  {max(each.seconds for each in reports):.1f} s, target at most {MOST_SECONDS}")
    for report in sorted(reports, key=_weight, reverse=True)[:10]:
        print(f"  {report.seconds:5.1f} s {report.mebibytes:5.0f} MiB  {report.name}: {report.outcome}")


def _weight(report: Report) -> float:
    return max(report.mebibytes / MOST_MEBIBYTES, report.seconds / MOST_SECONDS)
