"""The report of the faults, as a page and on the terminal."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from faults.fault import Outcome

TITLE = """\
# Fault report

Written by `make faults`, which starts systems with servers of their own, keeps them under load, injects each fault at
random moments, and lets nobody help the system to recover. Ten simulated customers with 94 storage units, each measured
every 3 s, are polled every 2 s; a gateway pushes readings that raise 3 alarms a second. Afterwards the readings are
compared with the simulator's ledger and with what was acknowledged to the senders, and the messages with those that the
receiver got. Two systems run at once, each with a process of every kind.

*Recovery* is the time from the end of the last injection until every source has been polled successfully. */ping* and
*/health* are the slowest responses while the web process was running.

Seed {seed}, {date}, {cores} cores, load {load:.1f}, {minutes:.0f} minutes: {result}.

"""
HEADINGS = (
    "fault", "tries", "readings", "missing", "extra", "changed",
    "messages", "missing", "duplicated", "recovery", "/ping", "/health",
)  # fmt: skip


@dataclass
class Report:
    """The outcomes so far."""

    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    @property
    def is_passed(self) -> bool:
        """Whether the system recovered from every fault, with everything stored and sent exactly once."""
        return all(outcome.is_passed for outcome in self.outcomes)

    def add(self, outcome: Outcome) -> None:
        """Add an outcome and print it."""
        self.outcomes.append(outcome)
        print(" | ".join([*_cells(outcome), f"{outcome.seconds:.0f} s in all", outcome.reason]), flush=True)

    def document(self) -> str:
        """Return the page."""
        failed = sum(not outcome.is_passed for outcome in self.outcomes)
        title = TITLE.format(
            seed=self.seed,
            date=f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}",
            cores=os.cpu_count(),
            load=os.getloadavg()[0],
            minutes=(time.monotonic() - self._began) / 60,
            result=f"{failed} of {len(self.outcomes)} faults failed" if failed else "every fault passed",
        )
        rows = [
            _row(HEADINGS),
            _row(["---", *["---:"] * (len(HEADINGS) - 1)]),
            *(_row(_cells(o)) for o in self.outcomes),
        ]
        reasons = [f"- {outcome.fault}: {outcome.reason}" for outcome in self.outcomes if outcome.reason]
        return title + "\n".join([*rows, *(["", *reasons] if reasons else [])]) + "\n"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(outcome: Outcome) -> list[str]:
    found, slowest = outcome.comparison, [outcome.slowest_ping_seconds, outcome.slowest_health_seconds]
    responses = [f"{seconds:.1f} s" for seconds in slowest]
    if outcome.is_skipped:
        return [outcome.fault, "0", *["–"] * 7, "not injected", *responses]
    if found is None or outcome.recovery_seconds is None:
        return [outcome.fault, str(outcome.tries), *["–"] * 7, "not recovered", *responses]
    counts = (
        found.readings, found.missing, found.extra, found.changed,
        found.messages, found.messages_missing, found.messages_duplicated,
    )  # fmt: skip
    return [
        outcome.fault,
        str(outcome.tries),
        *(f"{count:,}" for count in counts),
        f"{outcome.recovery_seconds:.0f} s",
        *responses,
    ]
