"""The faults in series, each trial with systems and servers that stay the same until one of them does not recover."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from faults import broker_faults, database_faults, process_faults, source_faults
from faults.fault import Fault, Outcome, run
from faults.trial import running_trial


def run_series(folder: Path, names: Sequence[str], rng: random.Random, tries: int | None = None) -> Iterator[Outcome]:
    """Run the faults whose name contains one of `names`, all of them if there are none, and yield their outcomes."""
    on_one_system = [*process_faults.FAULTS, *broker_faults.FAULTS, *database_faults.FAULTS]
    yield from _run(folder, _chosen(on_one_system, names), rng, tries)
    for transport, faults in source_faults.FAULTS.items():
        yield from _run(folder, _chosen(faults, names), rng, tries, transport)


def _chosen(faults: Iterable[Fault], names: Sequence[str]) -> list[Fault]:
    return [fault for fault in faults if not names or any(name in fault.name for name in names)]


def _run(
    folder: Path, faults: list[Fault], rng: random.Random, tries: int | None, transport: str = ""
) -> Iterator[Outcome]:
    """Run these faults on one system, and on a new one after a fault from which it has not recovered."""
    waiting = list(faults)
    while waiting:
        own = folder / f"trial-{len(list(folder.iterdir()))}"
        own.mkdir()
        with running_trial(own, transport=transport) as trial:
            while waiting:
                outcome = run(trial, waiting.pop(0), rng, tries=tries)
                yield outcome
                if outcome.comparison is None:
                    break
