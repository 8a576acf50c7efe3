"""Half an hour at full rate: memory stays flat, no lease is stuck, and tables do not bloat."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from faults.injections.sources import set_transport
from faults.starting import Conditions, running_trial, template_of
from faults.trial import Trial

WARM_UP_SECONDS = 120.0
FAILING_SECONDS = 6.0
MEASURED_EVERY_SECONDS = 30.0
# The rest of what a process keeps, from the middle of the first third to that of the last.
MOST_GROWTH_MB = 30.0
STUCK_LEASES = "SELECT count(*) FROM source WHERE lease_until < now() - interval '2 minutes'"
# Of tables that have been vacuumed, and of those too small for it.
MOST_DEAD_SHARE = 0.5
BLOATED = """
SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables
WHERE n_dead_tup > 20000 AND n_dead_tup > %s * (n_live_tup + n_dead_tup) ORDER BY n_dead_tup DESC
"""


def soak(folder: Path, minutes: float) -> int:
    """Keep a system under load; print what has grown; return 1 if something is wrong."""
    template = folder / "template"
    own = folder / "trial"
    for each in (template, own):
        each.mkdir()
    with running_trial(own, Conditions(), template_of(template)) as trial:
        trial.begin()
        # Sources that have failed are polled by the slow worker, which has loaded what it needs by then.
        set_transport(trial, {"error_500": 1.0})
        time.sleep(FAILING_SECONDS)
        set_transport(trial, {})
        time.sleep(min(WARM_UP_SECONDS, minutes * 60 / 4))
        memory = _measure(trial, minutes)
        recovery_seconds = trial.recovered_after()
        comparison = trial.compare()
        problems = [*_growing(memory), *_stuck_and_bloated(trial)]
    print(f"{minutes:g} minutes, {recovery_seconds:.0f} s until all is polled and sent: {comparison}")
    for name, measured in sorted(memory.items()):
        print(f"{name}: {' '.join(f'{megabytes:.0f}' for megabytes in measured)} MB")
    print("\n".join(problems) or "Memory is flat, no lease is stuck, no table is bloated.")
    return 0 if comparison.is_clean and not problems else 1


def _measure(trial: Trial, minutes: float) -> dict[str, list[float]]:
    """Return the memory in MB that the processes of each kind use with their children, now and then."""
    memory: dict[str, list[float]] = {name: [] for name in trial.processes}
    ends_at = time.monotonic() + minutes * 60
    while time.monotonic() < ends_at:
        for name in trial.processes:
            memory[name].append(_megabytes(trial.system.processes[name].pid))
        time.sleep(MEASURED_EVERY_SECONDS)
    return memory


def _megabytes(process_id: int) -> float:
    """Return the memory of a process and its children, in which what they share counts once.

    What they do not share would grow whenever the last child ends that a page of the leader is shared with.
    """
    leader = psutil.Process(process_id)
    total = 0
    for process in [leader, *leader.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 1e6


def _growing(memory: Mapping[str, list[float]]) -> list[str]:
    """Return which processes have grown, comparing medians of the first and the last third."""
    found = []
    for name, measured in memory.items():
        third = max(1, len(measured) // 3)
        first, last = sorted(measured[:third])[third // 2], sorted(measured[-third:])[third // 2]
        if last - first > MOST_GROWTH_MB:
            found.append(f"{name} has grown from {first:.0f} to {last:.0f} MB")
    return found


def _stuck_and_bloated(trial: Trial) -> list[str]:
    stuck = trial.database.value(STUCK_LEASES)
    bloated = trial.database.rows(BLOATED, [MOST_DEAD_SHARE])
    return [
        *([f"{stuck} leases are stuck"] if stuck else []),
        *(f"{table} has {dead:,} dead rows beside {live:,}" for table, live, dead in bloated),
    ]
