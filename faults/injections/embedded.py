"""What `manage.py run` starts, with the embedded PostgreSQL: killed, started twice, moved and out of space."""

from __future__ import annotations

import os
import random
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from faults.fault import CannotInject, Fault
from faults.servers import free_port
from faults.starting import RUN, embedded_postgres, end_embedded, run_beside
from faults.trial import Trial
from faults.volumes import Volume

SECOND_START_SECONDS = 60.0
FULL_SECONDS = (1.0, 4.0)


def kill_everything(trial: Trial, _: random.Random) -> None:
    """Kill every process, the database's included; `run` is started again."""
    end_embedded(_data(trial))
    trial.kill("run")


def kill_the_leader(trial: Trial, _: random.Random) -> None:
    """Kill only the process that has started the others, which it leaves behind; `run` is started again."""
    trial.kill("run")


def kill_postgres(trial: Trial, _: random.Random) -> None:
    """Kill the embedded PostgreSQL alone."""
    for process in embedded_postgres(_data(trial)):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def start_twice(trial: Trial, _: random.Random) -> None:
    """Start a second system with the same data, which must refuse, and leave the first one alone."""
    with run_beside(trial.system, RUN, PORT=str(free_port())) as second:
        try:
            code = second.wait(SECOND_START_SECONDS)
        except subprocess.TimeoutExpired:
            second.kill()
            trial.findings.append("a second start on the same data did not end")
        else:
            if code == 0:
                trial.findings.append("a second start on the same data ended with code 0")


def change_the_port(trial: Trial, _: random.Random) -> None:
    """End `run` and let it be started again with another port."""
    before, after = trial.system.environment["PORT"], str(free_port())
    trial.system.environment = trial.system.environment | {"PORT": after}
    trial.terminate("run")
    trial.probes.site = trial.probes.site.replace(before, after)
    trial.gateway.url = trial.gateway.url.replace(before, after)
    trial.writers.site = trial.writers.site.replace(before, after)


def fill_the_disk(trial: Trial, rng: random.Random) -> None:
    """Leave no space in DATA_DIR for some seconds."""
    volume = Volume(_data(trial))
    volume.is_mounted = os.path.ismount(volume.folder)
    if not volume.is_mounted:
        raise CannotInject("DATA_DIR needs a small file system of its own, which only root may mount")
    with volume.filled():
        time.sleep(rng.uniform(*FULL_SECONDS))


def _data(trial: Trial) -> Path:
    return Path(trial.system.environment["DATA_DIR"])


FAULTS = [
    Fault("embedded: PostgreSQL alone is killed", kill_postgres, tries=5),
    Fault("embedded: everything is killed", kill_everything, tries=3),
    Fault("embedded: `run` alone is killed", kill_the_leader, tries=3),
    Fault("embedded: it is started twice", start_twice, tries=2),
    Fault("embedded: its port changes", change_the_port, tries=1),
    Fault("embedded: DATA_DIR is full", fill_the_disk, tries=5),
]
