"""RabbitMQ is stopped, killed, emptied, out of memory and frozen."""

from __future__ import annotations

import random
import time

from faults.fault import Fault
from faults.servers import OwnRabbit, frozen
from faults.trial import Trial

STOPPED_SECONDS = 120
PART = "rabbitmq"
# Of `/health`, also while the broker does not answer; with some time for a busy machine.
MOST_HEALTH_SECONDS = 4.0


def _rabbit(trial: Trial) -> OwnRabbit:
    assert trial.rabbit is not None
    return trial.rabbit


def kill(trial: Trial, _: random.Random) -> None:
    """Kill the node and start it again."""
    _rabbit(trial).kill()
    _rabbit(trial).start()


def stop_for_two_minutes(trial: Trial, _: random.Random) -> None:
    """Stop the node and start it two minutes later; `/health` has to report it meanwhile."""
    began = time.monotonic()
    _rabbit(trial).stop()
    trial.wait_for_report(PART)
    time.sleep(max(0.0, STOPPED_SECONDS - (time.monotonic() - began)))
    _rabbit(trial).start()


def empty(trial: Trial, _: random.Random) -> None:
    """Kill the node, delete its queues and messages, and start it again."""
    _rabbit(trial).kill()
    _rabbit(trial).empty()
    _rabbit(trial).start()


def raise_the_memory_alarm(trial: Trial, rng: random.Random) -> None:
    """Have the node block everybody who publishes for some seconds."""
    _rabbit(trial).control("eval", "vm_memory_monitor:set_vm_memory_high_watermark({absolute, 1}).")
    time.sleep(rng.uniform(0.5, 2))
    _rabbit(trial).control("eval", "vm_memory_monitor:set_vm_memory_high_watermark(0.4).")


def freeze(trial: Trial, rng: random.Random) -> None:
    """Freeze the node for some seconds: connections stay open, and nothing answers."""
    with frozen(_rabbit(trial)):
        time.sleep(rng.uniform(0.5, 4))


def freeze_until_reported(trial: Trial, _: random.Random) -> None:
    """Freeze the node until `/health` reports it, which has to answer quickly all the same."""
    with frozen(_rabbit(trial)):
        trial.wait_for_report(PART)
    slowest_seconds = trial.probes.slowest_seconds["/health"]
    if slowest_seconds > MOST_HEALTH_SECONDS:
        trial.findings.append(f"/health took {slowest_seconds:.1f} s while RabbitMQ was frozen")


FAULTS = [
    Fault("RabbitMQ is killed", kill, tries=10),
    Fault("RabbitMQ loses its data", empty, tries=5),
    Fault("RabbitMQ is stopped for 2 minutes", stop_for_two_minutes, tries=1),
    Fault("RabbitMQ is out of memory", raise_the_memory_alarm),
    Fault("RabbitMQ is frozen", freeze),
    Fault("RabbitMQ is frozen until it is reported", freeze_until_reported, tries=2),
]
