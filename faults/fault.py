"""A fault, the experiment that injects it again and again, and its outcome."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.trial import Comparison, Trial
from tests.running_system import NeverCameTrue

TRIES = 20
# Between two injections, so that each meets another moment of the work.
MAX_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong. `inject` returns once its cause is gone; nobody helps the system to recover."""

    name: str
    inject: Callable[[Trial, random.Random], None]
    tries: int = TRIES


@dataclass(frozen=True)
class Outcome:
    """What came of the tries of one fault. Without a comparison the system did not recover, for this `reason`."""

    fault: str
    tries: int
    recovery_seconds: float | None
    slowest_response_seconds: float
    comparison: Comparison | None
    reason: str = ""

    @property
    def is_passed(self) -> bool:
        """Whether the system recovered and everything arrived exactly once."""
        return self.comparison is not None and self.comparison.is_clean and not self.reason


def run(trial: Trial, fault: Fault, rng: random.Random, *, tries: int | None = None) -> Outcome:
    """Inject the fault at random moments under load, wait for the recovery after the last, and compare."""
    count = fault.tries if tries is None else min(tries, fault.tries)
    trial.begin()
    try:
        for _ in range(count):
            time.sleep(rng.uniform(0, MAX_PAUSE_SECONDS))
            fault.inject(trial, rng)
        recovery_seconds = trial.recovered_after()
        comparison = trial.compare()
    except NeverCameTrue as error:
        return Outcome(fault.name, count, None, trial.probes.slowest_seconds, None, str(error))
    reason = "; ".join([*trial.gateway.refusals[:3], *comparison.examples])
    trial.gateway.refusals.clear()
    return Outcome(fault.name, count, recovery_seconds, trial.probes.slowest_seconds, comparison, reason)
