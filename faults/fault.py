"""A fault, the experiment that injects it again and again, and its outcome."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from faults.comparison import Comparison
from faults.trial import Trial
from tests.running_system import NeverCameTrue

TRIES = 20
# Between two injections, so that each meets another moment of the work.
MAX_PAUSE_SECONDS = 2.0


class CannotInject(Exception):  # noqa: N818  an expected outcome: something is not installed or not permitted
    """The fault cannot be injected on this machine; the message says why."""


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
    seconds: float
    recovery_seconds: float | None
    slowest_ping_seconds: float
    slowest_health_seconds: float
    comparison: Comparison | None
    reason: str = ""
    is_skipped: bool = False

    @property
    def is_passed(self) -> bool:
        """Whether the system recovered and everything arrived exactly once, or the fault was not injected."""
        return self.is_skipped or (self.comparison is not None and self.comparison.is_clean and not self.reason)


def run(trial: Trial, fault: Fault, rng: random.Random, *, tries: int | None = None) -> Outcome:
    """Inject the fault at random moments under load, wait for the recovery after the last, and compare."""
    count = fault.tries if tries is None else min(tries, fault.tries)
    began = time.monotonic()
    recovery_seconds, comparison, reason, is_skipped = None, None, "", False
    trial.begin()
    try:
        for _ in range(count):
            time.sleep(rng.uniform(0, MAX_PAUSE_SECONDS))
            fault.inject(trial, rng)
        recovery_seconds = trial.recovered_after()
        comparison = trial.compare()
    except NeverCameTrue as error:
        reason = str(error)
    except CannotInject as error:
        trial.pause()
        reason, is_skipped = f"not injected: {error}", True
    told = [*trial.gateway.refusals[:3], *trial.writers.refusals[:3], *trial.findings[:3]]
    slowest_seconds = trial.probes.slowest_seconds
    return Outcome(
        fault=fault.name,
        tries=0 if is_skipped else count,
        seconds=time.monotonic() - began,
        recovery_seconds=recovery_seconds,
        slowest_ping_seconds=slowest_seconds.get("/ping", max(slowest_seconds.values())),
        slowest_health_seconds=slowest_seconds.get("/health", 0.0),
        comparison=comparison,
        reason="; ".join([*filter(None, [reason]), *told, *(comparison.examples if comparison else ())]),
        is_skipped=is_skipped,
    )


def broken(fault: Fault, error: Exception) -> Outcome:
    """Return the outcome of a fault that broke the trial itself, or before which the system did not start."""
    reason = f"{type(error).__name__}: {error}"[:500]
    return Outcome(fault.name, 0, 0.0, None, 0.0, 0.0, None, reason)
