"""The whole system as in production: the processes of the Procfile on a database and queues of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from amqp.exceptions import NotFound
from django.conf import settings
from honcho.environ import parse_procfile
from kombu import Connection

from tests.databases import Database, own_database, template_with

PROCFILE = parse_procfile((settings.BASE_DIR / "Procfile").read_text()).processes
STOP_SECONDS = 15
COMMAND_SECONDS = 300
SECRET_KEY = "for-tests-" + "x" * 50
MAX_LOG_LINES = 15


class NeverCameTrue(AssertionError):  # noqa: N818 - reads better where it is caught
    """A condition was not met by its deadline."""


def wait_until(what: str, condition: Callable[[], Any], *, seconds: float, look_every: float = 0.1) -> Any:
    """Wait until `condition` returns something true, and return that. Raises NeverCameTrue."""
    ends_at = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > ends_at:
            raise NeverCameTrue(f"Not within {seconds:g} s: {what}.")
        time.sleep(look_every)


@dataclass
class RunningSystem:
    """A system's processes, each leading a group of its own, with its output in a file under `folder`."""

    database: Database
    environment: dict[str, str]
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    # How processes that are not in the Procfile are started.
    commands: dict[str, str] = field(default_factory=dict)
    # Further environment variables of single processes.
    environments: dict[str, dict[str, str]] = field(default_factory=dict)

    def manage(self, *arguments: str, **environment: str) -> None:
        """Run a management command to its end, with further settings."""
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment | environment,
            check=True,
            timeout=COMMAND_SECONDS,
            stdout=subprocess.DEVNULL,
        )

    def output(self, *arguments: str) -> str:
        """Run a management command to its end; return its standard output."""
        command = [sys.executable, "manage.py", *arguments]
        ended = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            env=self.environment,
            check=True,
            timeout=COMMAND_SECONDS,
            stdout=subprocess.PIPE,
            text=True,
        )
        return ended.stdout

    def start(self, name: str, *arguments: str) -> None:
        """Start the process with this name in the Procfile, with further arguments, unless it is running."""
        if name in self.processes:
            return
        command = [*shlex.split(self.commands.get(name) or PROCFILE[name]), *arguments]
        with self._log(name).open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                env=self.environment | self.environments.get(name, {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_simulator(self, *arguments: str) -> dict[str, str]:
        """Start the simulator on free ports; return the customers' URLs once all of them listen."""
        self.start("simulator", "--port", "0", *arguments)
        wait_until("the simulator listens", lambda: len(self._customer_urls()) == 10, seconds=30)
        return self._customer_urls()

    def kill(self, name: str) -> None:
        """Kill a process and its children without a chance to clean up."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):  # all of its group has ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)

    def kill_a_child(self, name: str) -> None:
        """Kill one of a process's children, possibly in the middle of a task."""
        child = psutil.Process(self.processes[name].pid).children()[0]
        child.kill()
        wait_until("the child is gone", lambda: not child.is_running(), seconds=STOP_SECONDS)

    def stop(self) -> None:
        """Ask every process to end, and kill those that have not ended by the deadline."""
        for process in self.processes.values():
            process.terminate()
        ends_at = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, ends_at - time.monotonic()))
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)
        self.processes.clear()

    def last_words(self) -> str:
        """Return the ends of all processes' logs, to explain a failure."""
        ends = {path.stem: path.read_text().splitlines()[-MAX_LOG_LINES:] for path in self.folder.glob("*.log")}
        return "\n".join(f"--- {name}\n" + "\n".join(lines) for name, lines in ends.items())

    def _customer_urls(self) -> dict[str, str]:
        return dict(re.findall(r"\((\w+)\) on (http://\S+)", self._log("simulator").read_text()))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def running_system(broker_url: str, folder: Path, **environment: str) -> Iterator[RunningSystem]:
    """Create a system with tables and the demo's customers, without running processes.

    `environment`: further settings. Everything is killed and removed afterwards: what the processes could still
    complete is not examined, and Celery's take six seconds to end by themselves.
    """
    queue = f"test-system-{uuid.uuid4().hex[:12]}"
    with demo_database() as database:
        surroundings = {
            "DATABASE_URL": database.url,
            "CELERY_BROKER_URL": broker_url,
            "CELERY_QUEUE": queue,
            "DATA_DIR": str(folder),
            "SECRET_KEY": SECRET_KEY,
            "DEMO": "false",
            "DEBUG": "false",
            "SOURCE_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "OUTGOING_PORTS": "1-65535",
            "METRICS_NETWORKS": "127.0.0.0/8",
            "WORKER_CONCURRENCY": "2",
            "POLARS_MAX_THREADS": "1",
        }
        system = RunningSystem(database, os.environ | surroundings | environment, folder)
        try:
            yield system
        except NeverCameTrue as error:
            raise NeverCameTrue(f"{error}\n{system.last_words()}") from error
        finally:
            for name in list(system.processes):
                system.kill(name)
            delete_queues(broker_url, queue)


@contextmanager
def demo_database() -> Iterator[Database]:
    """Create a database with tables, the schedule and the demo's customers; drop it afterwards."""
    with own_database(template_with("demo", _load_demo)) as database:
        yield database


def _load_demo(database: Database) -> None:
    """Create the schedule and the demo's customers."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"DATABASE_URL": database.url, "DATA_DIR": folder, "SECRET_KEY": SECRET_KEY, "DEMO": "true"}
        for command in ("ensure_schedule", "load_demo"):
            RunningSystem(database, os.environ | given, Path(folder)).manage(command)


def delete_queues(broker_url: str, queue: str) -> None:
    """Delete the queues of a system that has ended."""
    with Connection(broker_url, connect_timeout=3) as connection:
        for name in (queue, f"{queue}.slow", f"{queue}.messages"):
            for delete in ("queue_delete", "exchange_delete"):
                with suppress(NotFound), connection.channel() as channel:
                    getattr(channel, delete)(name)


def ask(url: str, document: object = None) -> Any:
    """GET a URL, or POST a document to it; return the JSON of the response."""
    data = None if document is None else json.dumps(document).encode()
    with urlopen(Request(url, data), timeout=10) as response:  # noqa: S310  addresses of our own simulator
        return json.load(response)
