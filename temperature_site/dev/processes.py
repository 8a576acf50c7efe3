"""The processes of the Procfile in one terminal: started together, stopped together, none left behind."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from honcho import manager
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

# In the environment of every process a run has started, and so of all their descendants: how a run knows its own.
MARK = "TEMPERATURE_RUN"
STOP_SECONDS = 8.0
READY_SECONDS = 20.0
# Honcho kills what has not stopped by then; a worker needs some seconds to end without losing what it does.
manager.KILL_WAIT = 10


class LeaderSignals:
    """Asks a process to stop through its leader, which knows how; the whole group is meant only when it is killed.

    A worker's children would otherwise be ended in the middle of a task that the worker is waiting for.
    """

    def terminate(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


class StopWhileStartingError(Exception):
    """The person at the terminal changed their mind before every process had been started."""


class Processes(manager.Manager):
    """Honcho's manager for one data directory: runs until one process ends or a signal asks to stop."""

    _processes: dict[str, dict[str, Any]]

    def __init__(self, data_dir: Path, *, first: str = "", is_first_ready: Callable[[], bool] = lambda: True) -> None:
        """The process named `first` is started before the others, which wait until it is ready, though not for ever."""
        super().__init__(Printer(sys.stdout))
        self._procmgr = LeaderSignals()
        self._mark = str(data_dir)
        self._first = first
        self._is_first_ready = is_first_ready
        self.is_asked_to_stop = False

    def add_procfile(self, procfile: Path, environment: Mapping[str, str]) -> None:
        """Add every process the file names, to be run in the file's folder."""
        marked = {**environment, MARK: self._mark}
        for name, command in parse_procfile(procfile.read_text()).processes.items():
            self.add_process(name, command, env=marked, cwd=str(procfile.parent))

    def run(self) -> int:
        """Run until everything has stopped; 0 when somebody asked for that, else how the first process ended."""
        try:
            self.loop()
        except StopWhileStartingError:
            self.is_asked_to_stop = True
        finally:
            stop_marked(self._mark)
        if self.is_asked_to_stop or self.returncode in (130, 143):
            return 0
        # A process that ends by itself is a failure even when it says it went well; by a signal, as a shell tells it.
        code = self.returncode or 1
        return code if code > 0 else 128 - code

    def say(self, text: str) -> None:
        """Print lines among those of the processes; any thread may."""
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

    def terminate(self) -> None:
        if not self._all_started():
            raise StopWhileStartingError
        super().terminate()


def marked_processes(mark: str) -> list[psutil.Process]:
    """What runs for the data directory, except this process and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in own and _mark_of(process) == mark]


def stop_marked(mark: str) -> int:
    """Stop whatever runs for the data directory, by force if need be; returns how many processes that were.

    When it returns, all of them have ended, so that their ports are free again.
    """
    found = remaining = marked_processes(mark)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while remaining:
        psutil.wait_procs(remaining, timeout=0.2)
        # Looked up anew: some may have been forking while we looked.
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
