"""The processes of a Procfile in one terminal: started together, stopped together, with none left behind."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from honcho import manager
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer
from typing_extensions import override

# Set in the environment of every process of a run, and so of their descendants, by which a run finds its own.
MARK = "TEMPERATURE_RUN"
STOP_SECONDS = 8.0
READY_SECONDS = 20.0
# Honcho then kills what has not stopped; a worker needs some seconds to finish its tasks.
manager.KILL_WAIT = 10


class LeaderSignals:
    """Signal only the leader of a process group to stop; kill the whole group.

    A worker's children would otherwise be terminated in the middle of a task that the worker is waiting for.
    """

    def terminate(self, pid: int) -> None:
        """Ask the leader to stop."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        """Kill the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


class StopWhileStartingError(Exception):
    """The run was stopped before every process had been started."""


class Processes(manager.Manager):  # type: ignore[misc]  # honcho has no types
    """Honcho's manager for one data directory: runs until one process ends or a signal asks to stop."""

    _processes: dict[str, dict[str, Any]]

    def __init__(self, data_dir: Path, *, first: str = "", is_first_ready: Callable[[], bool] = lambda: True) -> None:
        """Start the process named `first` before the others, which wait a limited time until it is ready."""
        super().__init__(Printer(sys.stdout))
        self._procmgr = LeaderSignals()
        self._mark = str(data_dir)
        self._first = first
        self._is_first_ready = is_first_ready
        self.stop_requested = False

    def add_procfile(self, procfile: Path, environment: Mapping[str, str], without: Collection[str] = ()) -> None:
        """Add the processes of the file except those named in `without`, to run in the file's folder."""
        marked = {**environment, MARK: self._mark}
        for name, command in parse_procfile(procfile.read_text()).processes.items():
            if name not in without:
                # Honcho runs a shell, which must be replaced so that signals reach the process itself.
                self.add_process(name, f"exec {command}", env=marked, cwd=str(procfile.parent))

    def run(self) -> int:
        """Run until every process has stopped; return 0 if a stop was requested, else the first process's exit code."""
        try:
            self.loop()
        except StopWhileStartingError:
            self.stop_requested = True
        finally:
            stop_marked(self._mark)
        if self.stop_requested or self.returncode in (130, 143):
            return 0
        # A process that exits is a failure even with code 0; a signal is reported as a shell does, by 128 + number.
        code = self.returncode or 1
        return code if code > 0 else 128 - code

    def announce(self, text: str) -> None:
        """Print lines among those of the processes. Thread-safe."""
        self.events.put(Message(type="line", data=text, time=datetime.now(), name="system", colour=None))  # noqa: DTZ005 - honcho prints local time

    def _start(self) -> None:
        everything = self._processes
        self._processes = {name: entry for name, entry in everything.items() if name == self._first}
        super()._start()
        self._wait_for_first()
        self._processes = {name: entry for name, entry in everything.items() if name != self._first}
        super()._start()
        self._processes = everything

    def _wait_for_first(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while any(entry["process"].is_alive() for entry in self._processes.values()):
            if self._is_first_ready() or time.monotonic() > deadline:
                return
            time.sleep(0.1)

    @override
    def terminate(self) -> None:
        if not self._all_started():
            raise StopWhileStartingError
        super().terminate()


def marked_processes(mark: str) -> list[psutil.Process]:
    """Return the processes of the data directory except this one and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in own and _mark_of(process) == mark]


def stop_marked(mark: str) -> int:
    """Stop every process of the data directory, by force if necessary, and return how many there were.

    All of them have ended when it returns, so their ports are free again.
    """
    found = remaining = marked_processes(mark)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while remaining:
        psutil.wait_procs(remaining, timeout=0.2)
        # Searched again: some may have forked meanwhile.
        remaining = marked_processes(mark)
        if time.monotonic() > deadline:
            for process in remaining:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
    return len(found)


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None
