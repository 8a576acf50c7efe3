"""The system's own processes are killed, frozen and ended, and run twice."""

from __future__ import annotations

import random
import time
from contextlib import suppress

import psutil

from faults.fault import Fault
from faults.starting import run_beside
from faults.trial import Trial
from tests.running_system import PROCFILE

WORKERS = ("worker", "message-worker", "slow-worker")
# Longer than the lease of a source that is being polled.
FROZEN_SECONDS = 30
OFF_SECONDS = 30


def kill_a_child(trial: Trial, rng: random.Random) -> None:
    """Kill one of the processes in which a worker runs its tasks."""
    children = _children(trial, rng.choice(WORKERS))
    if children:
        with suppress(psutil.NoSuchProcess):
            rng.choice(children).kill()


def kill_a_worker(trial: Trial, rng: random.Random) -> None:
    """Kill a worker with its children."""
    trial.kill(rng.choice(WORKERS))


def kill_all_workers(trial: Trial, _: random.Random) -> None:
    """Kill every worker with its children at the same time."""
    trial.kill(*WORKERS)


def kill_any(trial: Trial, rng: random.Random) -> None:
    """Kill any process, or one of a worker's children."""
    name = rng.choice((*WORKERS, "web", "beat", ""))
    trial.kill(name) if name else kill_a_child(trial, rng)


def kill_web(trial: Trial, _: random.Random) -> None:
    """Kill the web process with its children."""
    trial.kill("web")


def kill_beat(trial: Trial, _: random.Random) -> None:
    """Kill beat."""
    trial.kill("beat")


def end_a_process(trial: Trial, rng: random.Random) -> None:
    """Ask a process to end under load, as a release does."""
    trial.terminate(rng.choice((*WORKERS, "web", "beat")))


def freeze_a_worker(trial: Trial, _: random.Random) -> None:
    """Freeze the worker for longer than its leases, so that another polls its sources before it goes on."""
    frozen = _children(trial, "worker")
    for process in frozen:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    time.sleep(FROZEN_SECONDS)
    for process in frozen:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def run_a_second_beat(trial: Trial, rng: random.Random) -> None:
    """Run another beat beside the first for some seconds."""
    with run_beside(trial.system, PROCFILE["beat"]) as second:
        time.sleep(rng.uniform(4, 8))
        second.kill()


def leave_beat_off(trial: Trial, _: random.Random) -> None:
    """Leave beat off for longer than messages live, then start it again."""
    trial.stop_processes("beat")
    time.sleep(OFF_SECONDS)
    trial.resume_processes("beat")


def _children(trial: Trial, name: str) -> list[psutil.Process]:
    """Return the children of a process; none while it starts."""
    process = trial.system.processes.get(name)
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children() if process else []
    return []


FAULTS = [
    Fault("a worker's child is killed", kill_a_child),
    Fault("a worker is killed", kill_a_worker),
    Fault("all workers are killed", kill_all_workers),
    Fault("web is killed", kill_web),
    Fault("beat is killed", kill_beat),
    Fault("a process is asked to end under load", end_a_process),
    Fault("a worker hangs for longer than its leases", freeze_a_worker, tries=2),
    Fault("two beats run", run_a_second_beat, tries=5),
    Fault("beat is off for 30 s", leave_beat_off, tries=1),
]
