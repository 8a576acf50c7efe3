"""All faults in series, on several systems at once, each of which stays until it does not recover."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import structlog

from faults.fault import Fault, Outcome, broken, run
from faults.injections import (
    brokers,
    clocks,
    databases,
    embedded,
    poison,
    processes,
    releases,
    sources,
    subscribers,
    writing,
)  # fmt: skip
from faults.starting import Conditions, running_trial, template_of
from faults.trial import Trial

logger = structlog.get_logger(__name__)

# Systems that run at once: more would not fit on two cores.
LANES = 2


@dataclass(frozen=True)
class Group:
    """Faults that are injected into the same system."""

    conditions: Conditions
    faults: Sequence[Fault]


# The longest first, so that the lanes end at about the same time.
GROUPS = (
    Group(Conditions(), [*databases.FAULTS, *brokers.FAULTS]),
    Group(Conditions(), [*processes.FAULTS, *clocks.FAULTS, *releases.FAULTS]),
    Group(Conditions(environment={"WEB_WORKERS": "2"}), [*writing.FAULTS, *sources.FAULTS, *poison.FAULTS]),
    Group(Conditions(is_embedded=True), embedded.FAULTS),
    Group(Conditions(has_subscriber=True), subscribers.FAULTS),
    Group(Conditions(has_shared_clock=True, sampled_every_seconds=30), clocks.HOURS_LATER),
    *(Group(Conditions(starts_at=start), faults) for start, faults in clocks.turns().items()),
)


def run_series(folder: Path, names: Sequence[str], seed: int, tries: int | None = None) -> Iterator[Outcome]:
    """Run the faults whose name contains one of `names`, all of them if there are none, and yield their outcomes."""
    template = folder / "template"
    template.mkdir()
    series = _Series(folder, template_of(template), seed, tries)
    groups = [Group(group.conditions, _chosen(group.faults, names)) for group in GROUPS]
    yield from series.run([group for group in groups if group.faults])


def _chosen(faults: Iterable[Fault], names: Sequence[str]) -> list[Fault]:
    return [fault for fault in faults if not names or any(name in fault.name for name in names)]


class _Series:
    """Lanes that take one group after the other, and run its faults."""

    def __init__(self, folder: Path, template: Path, seed: int, tries: int | None) -> None:
        self._folder, self._template, self._seed, self._tries = folder, template, seed, tries
        self._groups: Queue[Group] = Queue()
        # None: a lane has ended.
        self._outcomes: Queue[Outcome | None] = Queue()
        self._numbers = iter(range(1_000))
        self._is_ending = threading.Event()

    def run(self, groups: Iterable[Group]) -> Iterator[Outcome]:
        """Run the groups and yield the outcomes as they come. If this is closed, the lanes end after a fault each."""
        for group in groups:
            self._groups.put(group)
        lanes = [threading.Thread(target=self._run_lane) for _ in range(min(LANES, self._groups.qsize()))]
        for lane in lanes:
            lane.start()
        try:
            ended = 0
            while ended < len(lanes):
                outcome = self._outcomes.get()
                if outcome is None:
                    ended += 1
                else:
                    yield outcome
        finally:
            self._is_ending.set()
            for lane in lanes:
                lane.join()

    def _run_lane(self) -> None:
        while not self._groups.empty() and not self._is_ending.is_set():
            self._run_group(self._groups.get())
        self._outcomes.put(None)

    def _run_group(self, group: Group) -> None:
        """Run these faults on one system, and on a new one after a fault from which it has not recovered."""
        waiting = list(group.faults)
        while waiting and not self._is_ending.is_set():
            own = self._folder / f"trial-{next(self._numbers)}"
            own.mkdir()
            try:
                with running_trial(own, group.conditions, self._template) as trial:
                    self._inject(trial, waiting)
            except Exception as error:  # the other faults are to be injected all the same
                logger.exception("a trial has ended", folder=str(own))
                if waiting:
                    self._outcomes.put(broken(waiting.pop(0), error))

    def _inject(self, trial: Trial, waiting: list[Fault]) -> None:
        while waiting and not self._is_ending.is_set():
            rng = random.Random(f"{self._seed} {waiting[0].name}")
            outcome = run(trial, waiting[0], rng, tries=self._tries)
            del waiting[0]
            self._outcomes.put(outcome)
            if outcome.comparison is None and not outcome.is_skipped:
                break
